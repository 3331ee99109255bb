"""One at a time: who changes a root's refinement holds its lock, and nobody else does meanwhile.

The lock is the system's own, on the file ROOT/.lock: it goes with the process that holds it, however that ends, so none
is ever left over. Who holds it is written inside, for people to read. Object stores have no such lock: two refinements
of one root there are kept apart by their schedules alone.
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
WAIT_S = 60.0  # who is about to end is worth waiting for; a whole refinement is not
LOOK_S = 0.2
_held: ContextVar[frozenset[str]] = ContextVar("held", default=frozenset())


class Busy(UserError):  # noqa: N818
    """Somebody else is at work on the root."""


@contextmanager
def only_one(root: str, *, wait_s: float = WAIT_S) -> Iterator[None]:
    """Nobody else is inside with the same root, in this process or another; entering again from within is free.

    wait_s: seconds to wait for one who is there already. Raises Busy, which names them, when they stay longer.
    """
    files, base = storage.open_root(root)
    if not isinstance(files, fs.LocalFileSystem) or base in _held.get():
        yield
        return
    with _opened(Path(base) / FILE) as file:
        _take(file, root, wait_s)
        inside = _held.set(_held.get() | {base})
        try:
            yield
        finally:
            _held.reset(inside)
            _write(file, "")
            fcntl.flock(file, fcntl.LOCK_UN)  # a forked child that lives on must not hold it through its copy


def _opened(path: Path) -> IO[str]:
    """The lock's file, made with its folder when it is not there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "a+", encoding="utf-8")  # what is inside is another's until the lock is ours
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}: give a root that can be written to") from None


def _take(file: IO[str], root: str, wait_s: float) -> None:
    until, told = time.monotonic() + wait_s, False
    while not _taken(file):
        file.seek(0)
        who = file.read().strip() or "another process"
        if time.monotonic() >= until:
            raise Busy(f"{root} is being refined already, by {who}: wait for it or stop it, then run again")
        if not told:
            log.info("%s is being refined by %s: waiting up to %.0f s", root, who, wait_s)
            told = True
        time.sleep(LOOK_S)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    _write(file, f"process {os.getpid()} on {platform.node()} since {now}\n")


def _taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(file: IO[str], text: str) -> None:
    with suppress(OSError):  # a full disk is told where something is lost by it
        file.truncate(0)
        file.write(text)
        file.flush()
