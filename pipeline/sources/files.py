"""Files of a source on disk: the version of a file, and reading a photo's bytes from it.

One idea: an error is a fact about one file only while its folder and its source are there. Anything else is a fault of
the storage, which may be over in a moment, and must not enter a table as if it were a property of the photo.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar, cast

from pipeline.errors import UserError
from pipeline.sources.photo import Photo, PhotoChanged, SourceUnreachable
from pipeline.tables.storage import with_retries

# errors that may be about one file alone; all others (EIO, ESTALE, ENOTCONN, EMFILE, ...) are about what lies below it
FILE_ERRNOS = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
Result = TypeVar("Result")


class FolderOptions(NamedTuple):
    """How folders of photos are read.

    follow_links: also through links that lead out of the source. identity_level: the identity is the first so many
    folders of a photo's path; 0: all of them.
    """

    follow_links: bool = False
    identity_level: int = 0


class _NoAnswerError(OSError):
    """A SourceUnreachable, for with_retries()."""

    def __str__(self) -> str:
        return str(self.strerror)


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


def files_near(folder: Path) -> list[Path]:
    """What lies in a folder, sorted; nothing where it may be entered but not listed, as folders above often may not."""
    try:
        return sorted(folder.iterdir())
    except PermissionError:
        return []


def is_folder(path: Path) -> bool:
    """Whether a path is an existing folder; False, not an error, for a name that is too long for any file."""
    return os.path.isdir(path)  # noqa: PTH112  Path.is_dir raises for such names


def is_file(path: Path) -> bool:
    """Whether a path is an existing file; False, not an error, for a name that is too long for any file."""
    return os.path.isfile(path)  # noqa: PTH113


def read_range(stream: BinaryIO, photo: Photo) -> bytes:
    """The bytes of a photo in its file. Raises PhotoChanged where the file ends before."""
    size = os.fstat(stream.fileno()).st_size
    if size < photo.offset + photo.length:
        raise PhotoChanged(f"{Path(stream.name).name} ends at byte {size}, before the photo does")
    return os.pread(stream.fileno(), photo.length, photo.offset)


def read_bytes(
    path: str | Path,
    photo: Photo,
    *,
    whole_file: bool = False,
    read: Callable[[BinaryIO, Photo], bytes] = read_range,
) -> bytes:
    """The bytes of a photo: `photo.length` bytes of its file from `photo.offset` on.

    path: the source's path. whole_file: the photo must be the whole file. read: reads them from the open file. Raises
    PhotoChanged when the photo's own file vanished, cannot be read, or was changed since it was indexed;
    SourceUnreachable when its storage does not answer, or a file that holds many photos is gone.
    """
    file = Path(path, photo.file) if photo.file else Path(path)
    try:
        with open(file, "rb", buffering=0) as stream:
            status = os.fstat(stream.fileno())
            if status.st_mtime_ns != photo.modified or (whole_file and status.st_size != photo.length):
                raise PhotoChanged(f"{file.name} changed since it was indexed")
            data = read(cast("BinaryIO", stream), photo)
            if len(data) != photo.length:
                raise OSError(errno.EIO, f"{len(data)} of {photo.length} bytes came")
    except OSError as error:
        if not (whole_file and is_fault_of_file(error, file, path, file.parent)):
            raise unreachable(error, file) from None
        vanished = error.errno == errno.ENOENT
        state = "vanished since it was indexed" if vanished else f"cannot be read: {error.strerror}"
        raise PhotoChanged(f"{file.name} {state}") from None
    return data


def is_fault_of_file(error: OSError, file: Path, *folders: str | Path) -> bool:
    """Whether a file cannot be read for a reason of its own: the folders above it can be, and the first is not empty.

    folders: the source, and the file's folder where it is known to have been there. An unmounted source is an empty
    folder, or it is gone together with the file's folder. A link that leads to nothing may lead to such a source, too.
    """
    if error.errno not in FILE_ERRNOS or (error.errno == errno.ENOENT and os.path.lexists(file)):
        return False
    try:
        for folder in folders[1:]:
            os.scandir(folder).close()
        with os.scandir(folders[0]) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def unreachable(error: OSError, file: Path) -> SourceUnreachable:
    """The error for a file whose storage does not answer."""
    reason = error.strerror or type(error).__name__
    return SourceUnreachable(
        f"{file} cannot be read ({reason}): repair or mount its disk, or leave it out, and run again"
    )


def with_source_retries(source: str, access: Callable[[], Result]) -> Result:
    """Call access() and return its result; while it raises SourceUnreachable, call it again as with_retries() does.

    Raises the SourceUnreachable when the source still does not answer then.
    """

    def access_storage() -> Result:
        try:
            return access()
        except SourceUnreachable as error:
            raise _NoAnswerError(errno.ESTALE, str(error)) from None

    try:
        return with_retries(source, access_storage)
    except OSError as error:
        raise SourceUnreachable(f"{error.strerror}; finished shards stay") from None
