"""Files in place of the photos of a test set, and the identities that are read from them."""

from pathlib import Path

from pipeline.sources.test_sets import photo_sets


def write_photos(folder: Path, *names: str) -> Path:
    """Write a file for each name, which ends with the name; returns the folder."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"\xff\xd8" + name.encode())
    return folder


def identity_of_key(path: Path) -> dict[str, str | None]:
    """The identity of each photo of a test set, by key; every photo's bytes are checked."""
    photos = {p.key: p for part in photo_sets.parts(path) for p in photo_sets.index(part)}
    for key, photo in photos.items():
        assert photo_sets.read(path, photo).endswith(key.encode())
    return {key: photo.identity for key, photo in photos.items()}
