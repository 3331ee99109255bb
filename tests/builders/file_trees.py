"""Files below a folder: written, and read to compare two folders byte for byte."""

from collections.abc import Mapping
from pathlib import Path


def file_bytes(root: Path, *, unfinished: bool = False) -> dict[str, bytes]:
    """The bytes of every file below a folder, by relative path; unfinished: also locks and incomplete files."""
    skipped_endings = () if unfinished else (".tmp", ".lock")
    files = (p for p in root.rglob("*") if p.is_file() and not p.name.endswith(skipped_endings))
    return {str(p.relative_to(root)): p.read_bytes() for p in files}


def put_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a folder, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
