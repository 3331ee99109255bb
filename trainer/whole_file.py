"""Whether a checkpoint's bytes are those that were written, and the digest of a file of weights.

A checkpoint is a ZIP file, which has a checksum for each tensor.
"""

import zipfile
from hashlib import blake2b
from pathlib import Path

from pipeline.errors import UserError

LAST, BEST = "last.pt", "best.pt"  # the checkpoints of a training


def is_whole(path: str | Path) -> bool:
    """Whether every part of a ZIP file has its checksum. Raises FileNotFoundError where there is no file."""
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip() is None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError):
        return False  # a changed byte in a header may also read as encryption or an unknown compression


def file_digest(path: str | Path) -> str:
    """The digest of a file's bytes. Raises UserError where it cannot be read."""
    hasher = blake2b(digest_size=10)
    try:
        with open(path, "rb") as stream:
            while block := stream.read(1 << 20):
                hasher.update(block)
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror}): give a file of weights") from None
    return hasher.hexdigest()
