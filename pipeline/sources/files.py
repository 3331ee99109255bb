"""Files of a source on disk: the version of a file, and reading a photo's bytes from it."""

import os
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources.photo import Photo, PhotoChanged


class FolderOptions(NamedTuple):
    """How folders of photos are read.

    follow_links: also through links that lead out of the source. identity_level: the identity is the first so many
    folders of a photo's path; 0: all of them.
    """

    follow_links: bool = False
    identity_level: int = 0


class FileStamp(NamedTuple):
    """The version of a file: its size in bytes and its modification time in nanoseconds."""

    size: int
    modified: int


def file_stamp(path: Path) -> FileStamp:
    """Size and modification time of a file; UserError when it cannot be read."""
    try:
        with open(path, "rb") as stream:
            status = os.fstat(stream.fileno())
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): repair it or leave it out") from None
    return FileStamp(status.st_size, status.st_mtime_ns)


def file_stamp_or_missing(path: Path) -> FileStamp:
    """Size and modification time of a file; size -1 and time 0 when there is no such file."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return FileStamp(-1, 0)
    return FileStamp(status.st_size, status.st_mtime_ns)


def existing_path(path: str | Path) -> Path:
    """The absolute path of a source; UserError when it does not exist."""
    absolute = Path(path).absolute()
    try:
        absolute.stat()
    except OSError as error:
        raise UserError(f"{path} is not there ({error.strerror}): give the path of an existing source") from None
    return absolute


def is_folder(path: Path) -> bool:
    """Whether a path is an existing folder; False, not an error, for a name that is too long for any file."""
    return os.path.isdir(path)  # noqa: PTH112  Path.is_dir raises for such names


def is_file(path: Path) -> bool:
    """Whether a path is an existing file; False, not an error, for a name that is too long for any file."""
    return os.path.isfile(path)  # noqa: PTH113


def read_bytes(path: str | Path, photo: Photo, *, whole_file: bool = False) -> bytes:
    """The bytes of a photo: `photo.length` bytes of its file from `photo.offset` on.

    path: the source's path. whole_file: the photo must be the whole file. Raises PhotoChanged when the file vanished,
    cannot be read, or was changed since it was indexed.
    """
    file = Path(path, photo.file) if photo.file else Path(path)
    try:
        with open(file, "rb", buffering=0) as stream:
            status = os.fstat(stream.fileno())
            if status.st_mtime_ns != photo.modified or (whole_file and status.st_size != photo.length):
                raise PhotoChanged(f"{file.name} changed since it was indexed")
            data = os.pread(stream.fileno(), photo.length, photo.offset)
    except FileNotFoundError:
        raise PhotoChanged(f"{file.name} vanished since it was indexed") from None
    except OSError as error:
        raise PhotoChanged(f"{file.name} cannot be read: {error.strerror}") from None
    if len(data) != photo.length:
        raise PhotoChanged(f"{file.name} ends at byte {status.st_size}, before the photo does")
    return data
