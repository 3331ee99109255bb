"""The files below a folder, to compare two folders byte for byte."""

from pathlib import Path


def file_bytes(root: Path, *, unfinished: bool = False) -> dict[str, bytes]:
    """The bytes of every file below a folder, by relative path; unfinished: also locks and incomplete files."""
    skipped_endings = () if unfinished else (".tmp", ".lock")
    files = (p for p in root.rglob("*") if p.is_file() and not p.name.endswith(skipped_endings))
    return {str(p.relative_to(root)): p.read_bytes() for p in files}
