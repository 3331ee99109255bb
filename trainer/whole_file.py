"""Whether a checkpoint's bytes are those that were written: it is a ZIP file, which has a checksum for each tensor."""

import zipfile
from pathlib import Path

LAST, BEST = "last.pt", "best.pt"  # the checkpoints of a training


def is_whole(path: str | Path) -> bool:
    """Whether every part of a ZIP file has its checksum. Raises FileNotFoundError where there is no file."""
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip() is None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError):
        return False  # a changed byte in a header may also read as encryption or an unknown compression
