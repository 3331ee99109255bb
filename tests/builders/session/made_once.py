"""A folder that is made once for all processes of a test run: what several files need takes its seconds once."""

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder of this name, which no test may change; `make` fills it in the first process that asks for it."""
    base = factory.getbasetemp()
    if base.name.startswith("popen-"):  # of one of several processes: the folder above is shared
        base = base.parent
    folder, complete = base / name, base / f"{name}.complete"
    with open(base / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            folder.mkdir()  # fails where a process that made it before failed: it would fail again
            make(folder)
            complete.touch()
    return folder
