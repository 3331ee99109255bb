"""A lock on a root: only one process at a time changes the refinement that lies there.

The operating system keeps the lock (flock) on the file ROOT/.lock and releases it when the process ends, even a killed
one, so no stale lock remains. The file holds one line for people: which process has the lock. Object stores have no
such lock: there the user must see to it that only one refinement of a root runs at a time.
"""

import fcntl
import logging
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from pyarrow import fs

from pipeline.errors import UserError
from pipeline.tables import storage

log = logging.getLogger("refinery")
FILE = ".lock"
WAIT_S = 60.0  # long enough for a process that is about to end, shorter than a refinement
POLL_S = 0.2  # between two attempts to take the lock
_held_roots: ContextVar[frozenset[str]] = ContextVar("held_roots", default=frozenset())


class RootBusyError(UserError):
    """Another process, or another thread of this one, holds the lock of the root."""


@contextmanager
def root_lock(root: str, *, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the lock of a root while this block runs; the same thread may enter further such blocks inside it.

    wait_s: seconds to wait while another process holds the lock. After that, raises RootBusyError, which names the
    other process.
    """
    files, base = storage.open_root(root)
    if not isinstance(files, fs.LocalFileSystem) or base in _held_roots.get():
        yield
        return
    with _open_lock_file(Path(base) / FILE) as file:
        _wait_for_lock(file, root, wait_s)
        token = _held_roots.set(_held_roots.get() | {base})
        try:
            yield
        finally:
            _held_roots.reset(token)
            _write(file, "")
            fcntl.flock(file, fcntl.LOCK_UN)  # a forked child has a copy of the open file, which would hold the lock


def _open_lock_file(path: Path) -> IO[str]:
    """The file of the lock, open; it and its folder are created where missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "a+", encoding="utf-8")  # not "w": the file holds the line of the process with the lock
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}: give a root that can be written to") from None


def _wait_for_lock(file: IO[str], root: str, wait_s: float) -> None:
    deadline, logged = time.monotonic() + wait_s, False
    while not _try_lock(file):
        file.seek(0)
        holder = file.read().strip() or "another process"
        if time.monotonic() >= deadline:
            raise RootBusyError(f"{root} is being refined already, by {holder}: wait for it or stop it, then run again")
        if not logged:
            log.info("%s is being refined by %s: waiting up to %.0f s", root, holder, wait_s)
            logged = True
        time.sleep(POLL_S)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    _write(file, f"process {os.getpid()} on {platform.node()} since {now}\n")


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(file: IO[str], text: str) -> None:
    with suppress(OSError):  # the line only informs people; a full disk is reported when data is written
        file.truncate(0)
        file.write(text)
        file.flush()
