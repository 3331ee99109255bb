"""Files in place of photos, in folders and in test sets, and what is read from them."""

from pathlib import Path
from typing import Any

from pipeline.sources.formats import image_folder
from pipeline.sources.photo import Photo
from pipeline.sources.test_sets import photo_sets


def put(path: Path, data: bytes | str = b"photo") -> Path:
    """Write a file, and the folders above it; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def photos_by_key(folder: Path, **options: Any) -> dict[str, Photo]:
    """The photos of an image-folder source by key; options: of image_folder.parts()."""
    photos = [p for part in image_folder.parts(folder, **options) for p in image_folder.index(part)]
    assert len({p.key for p in photos}) == len(photos)
    return {p.key: p for p in photos}


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
