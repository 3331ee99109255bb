"""Commands of ours as processes that are ended from outside: at a drawn moment, by a drawn signal.

The program is loaded once, in a server that forks a process for each command, so that a blow lands in the command's
work and not in the seconds in which Python imports. Each command leads a process group of its own, as in a shell; flows
run without a Prefect server, which would take longer to start than the sample takes to refine.
"""

import atexit
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flows.cli import app
from flows.cli.command import PREFECT_VARIABLE

LOOK_S = 0.003  # between two looks at the root: a half-written file is there for some milliseconds
HEEDS_S = 120.0  # in which Ctrl-C has to end a command, on a machine where much else runs
ORPHANS_S = 30.0  # in which worker processes have to notice that nobody leads them any more
MOMENTS = {"time": 0.45, "file": 0.3, "half": 0.25}
SIGNS = {"SIGKILL": 0.7, "SIGKILL of the leader": 0.08, "SIGTERM": 0.1, "Ctrl-C": 0.12}


class Blow(NamedTuple):
    """When a command is ended, and how.

    moment: "time", so many seconds after its begin; "file", when so many files are there that were not there before;
    "half", when besides one is being written. sign: a key of SIGNS.
    """

    moment: str
    seconds: float
    files: int
    sign: str


class Ended(NamedTuple):
    """How a command ended: its status (negative: by a signal), whether it was still there for the blow, what it said
    last, how long it took, and whether processes of its group had to be ended one by one."""

    status: int
    struck: bool
    said: str
    seconds: float
    orphans: bool


def drawn(rng: np.random.Generator, *, seconds: float, files: int) -> Blow:
    """A blow at a random moment of a command that takes about so many seconds and writes so many files."""
    moment = str(rng.choice(list(MOMENTS), p=list(MOMENTS.values())))
    sign = str(rng.choice(list(SIGNS), p=list(SIGNS.values())))
    late = float(rng.uniform(0, seconds)) if moment == "time" else float(rng.exponential(0.02))
    return Blow(moment, late, int(rng.integers(0 if moment == "half" else 1, max(2, files))), sign)


def command(words: Sequence[str], *, root: Path, log: Path, blow: Blow | None = None) -> Ended:
    """Run `refinery` with these words, and end it when the blow falls, if it is still there; log: where it speaks."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["flows.cli.app", "flows.refine.flow", "flows.review.flow"])
    log.unlink(missing_ok=True)
    process = context.Process(target=_run, args=([str(w) for w in words], str(log)))
    there = _files(root)
    process.start()
    while not log.exists() and process.is_alive():
        time.sleep(LOOK_S)
    started = time.monotonic()
    struck = blow is not None and _falls(blow, root, there, process.is_alive) and _strike(process.pid, blow.sign)
    process.join(HEEDS_S if struck else None)
    heeded = process.exitcode is not None
    if not heeded:
        _strike(process.pid, "SIGKILL")
        process.join()
    seconds = time.monotonic() - started
    orphans = _left(process.pid)
    said = log.read_text(errors="replace").strip().rpartition("\n")[2] if log.exists() else ""
    return Ended(
        process.exitcode or 0 if heeded else -signal.SIGKILL,
        struck,
        said if heeded else "it did not end",
        seconds,
        orphans,
    )


def _run(words: list[str], log: str) -> None:
    """What the forked process does: the command, as if its words had been typed."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    to = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(to, stream)
    os.environ[PREFECT_VARIABLE] = "off"
    sys.argv = ["refinery", *words]
    try:
        app.main()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()


def _falls(blow: Blow, root: Path, before: set[str], alive: Callable[[], bool]) -> bool:
    """Wait for the blow's moment; whether the command was still there then."""
    if blow.moment != "time":
        while alive():
            new = _files(root) - before
            whole = sum(not name.endswith(".tmp") for name in new)
            if whole >= blow.files and (blow.moment == "file" or whole < len(new)):
                break
            time.sleep(LOOK_S)
    until = time.monotonic() + (blow.seconds if blow.moment != "half" else 0.0)
    while alive() and time.monotonic() < until:
        time.sleep(LOOK_S)
    return alive()


def _files(root: Path) -> set[str]:
    """The names of all files under a root but its lock; what vanishes while one looks is not there."""
    return {f"{folder}/{name}" for folder, _, names in os.walk(root) for name in names if name != ".lock"}


def _strike(pid: int | None, sign: str) -> bool:
    """Send a signal, to a process or to its whole group, as a terminal does with Ctrl-C; False where nobody is left."""
    assert pid
    number = {"Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM}.get(sign, signal.SIGKILL)
    try:
        (os.kill if sign in ("SIGTERM", "SIGKILL of the leader") else os.killpg)(pid, number)
    except ProcessLookupError:
        return False
    return True


def _left(group: int | None) -> bool:
    """Whether anybody of a process group does not end by themselves; nobody is there afterwards."""
    assert group
    until = time.monotonic() + ORPHANS_S
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(LOOK_S)
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    return True
