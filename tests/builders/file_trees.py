"""What lies under a folder, to compare two of them byte for byte."""

from pathlib import Path


def file_bytes(root: Path, *, unfinished: bool = False) -> dict[str, bytes]:
    """Every file under a folder by its path from there; unfinished: also locks and what a killed process half wrote."""
    left_out = () if unfinished else (".tmp", ".lock")
    files = (p for p in root.rglob("*") if p.is_file() and not p.name.endswith(left_out))
    return {str(p.relative_to(root)): p.read_bytes() for p in files}
