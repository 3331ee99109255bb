"""Files and folders that appear under their name whole or not at all, and are on the disk when the work is done.

They are written under a temporary name of their own and then renamed. What a killed process left of them is removed by
the next one that writes the same name; a lock, which ends with its process, shows what is still being written. Only
regular files are replaced: behind a symbolic link the file that it leads to, and what is no file (a device, a FIFO,
/dev/stdout) stays, and is written to.
"""

import fcntl
import glob
import os
import re
import shutil
import stat
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}\.tmp", re.DOTALL)
MAX_LINKS = 40  # that lead from one to the next, as Linux follows them
MANY_FILES = 1000  # from here on the whole file system is synchronised once, not one file after the other


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path for the block to write a file to, which gets the name `path` when the block succeeds.

    Where `path` is no regular file (a device, a FIFO, /dev/stdout) the bytes are written to it then.
    """
    if (descriptor := _own_descriptor(path)) is not None or _is_special(path):
        with tempfile.TemporaryDirectory() as folder:
            temporary = Path(folder, "file")
            temporary.touch()
            yield temporary
            with (
                open(temporary, "rb") as data,
                open(path if descriptor is None else os.dup(descriptor), "wb") as stream,
            ):
                shutil.copyfileobj(data, stream)
        return
    path = _behind_link(path)
    with _locked_temporary(path, Path.touch) as temporary:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        sync_folder(path.parent)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A temporary folder for the block to fill, which gets the name `path` when the block succeeds.

    `path` must not exist then, or be an empty folder.
    """
    path = _behind_link(path)
    with _locked_temporary(path, Path.mkdir) as temporary:
        yield temporary
        sync_tree(temporary)
        if path.is_dir():
            path.rmdir()
        temporary.rename(path)
        sync_folder(path.parent)


def write_whole(path: Path, data: bytes | str) -> None:
    """Write a file whole or not at all; text as UTF-8."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data.encode("utf-8", "replace") if isinstance(data, str) else data)


def sync_folder(folder: Path) -> None:
    """Wait until the entries of a folder are on the disk: without this a power cut may undo a rename in it."""
    with suppress(OSError):  # some network file systems cannot
        _sync(folder)


def sync_tree(folder: Path) -> None:
    """Wait until all files below a folder are on the disk."""
    paths = list(folder.rglob("*"))
    if len(paths) > MANY_FILES:
        os.sync()
        return
    for path in (*paths, folder):
        sync_folder(path) if path.is_dir() else _sync(path)


def _is_special(path: Path) -> bool:
    """Whether a path leads to something that is neither a file nor a folder."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _own_descriptor(path: Path) -> int | None:
    """The open file of this process that a path like /dev/stdout or /dev/fd/3 stands for; None for any other path.

    Opened by its path such a file would be written from its beginning, and a socket not at all.
    """
    place = path.absolute()
    for _ in range(MAX_LINKS):
        folder = os.path.realpath(place.parent)
        if re.fullmatch(rf"/proc/{os.getpid()}(/task/\d+)?/fd", folder) and place.name.isdecimal():
            return int(place.name)
        if not place.is_symlink():
            return None
        place = Path(folder, place.readlink())
    return None


def _behind_link(path: Path) -> Path:
    """The path to which a symbolic link leads, whether or not there is something; any other path as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked_temporary(path: Path, make: Callable[[Path], None]) -> Iterator[Path]:
    """A new temporary file or folder beside `path`, locked while the block runs, and then removed if still there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    temporary, descriptor = _new_locked(path, make)
    try:
        yield temporary
    finally:
        os.close(descriptor)
        _remove(temporary)


def _new_locked(path: Path, make: Callable[[Path], None]) -> tuple[Path, int]:
    """A new temporary file or folder beside `path`, and the descriptor that holds its lock until it is closed."""
    while True:
        temporary = path.absolute().with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
        make(temporary)
        with suppress(FileNotFoundError, BlockingIOError):  # another writer takes it for a leftover until it is locked
            descriptor = _locked(temporary)
            if temporary.exists():
                return temporary, descriptor
            os.close(descriptor)


def _remove_leftovers(path: Path) -> None:
    """Remove what killed processes left of earlier tries to write `path`."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        if TEMPORARY.fullmatch(left.name):
            with suppress(OSError):
                descriptor = _locked(left)
                _remove(left)
                os.close(descriptor)


def _locked(path: Path) -> int:
    """The descriptor that holds the lock on a file or folder until it is closed.

    Raises BlockingIOError when another writer holds it, FileNotFoundError when there is nothing.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        path.unlink(missing_ok=True)
