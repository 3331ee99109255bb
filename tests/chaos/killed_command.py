"""Runs commands of refinery as processes and kills them at a random moment by a random signal.

The program is imported once, in a server that forks a process for each command. So a kill comes during the command's
work and not during its imports. Each command leads a process group of its own, as in a shell. Flows run without a
Prefect server, which would take longer to start than the sample takes to refine.
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
from flows.prefect_runtime.flow_run import PREFECT_VARIABLE

POLL_S = 0.003  # between two readings of the root's file names: a half-written file exists for some milliseconds
CTRL_C_S = 120.0  # within which a command must end after Ctrl-C, also on a busy machine
ORPHANS_S = 30.0  # within which worker processes must end after their leader
MOMENT_SHARES = {"time": 0.45, "file": 0.3, "half": 0.25}
SIGNAL_SHARES = {"SIGKILL": 0.7, "SIGKILL of the leader": 0.08, "SIGTERM": 0.1, "Ctrl-C": 0.12}


class KillPlan(NamedTuple):
    """When a command is to be killed, and by which signal.

    moment: "time": after `delay_s` seconds; "file": `delay_s` seconds after `new_files` new files are there; "half":
    when this number of new files is there and one more is being written. signal_name: a key of SIGNAL_SHARES.
    """

    moment: str
    delay_s: float
    new_files: int
    signal_name: str


class KillResult(NamedTuple):
    """How a command ended.

    status: its exit status, negative when a signal ended it; killed: whether it still ran at the moment of the kill;
    last_line: of its output; orphans: whether processes of its group had to be ended after it.
    """

    status: int
    killed: bool
    last_line: str
    seconds: float
    orphans: bool


def random_kill(rng: np.random.Generator, *, seconds: float, files: int) -> KillPlan:
    """A random plan for a command that takes about this number of seconds and writes about this number of files."""
    moment = str(rng.choice(list(MOMENT_SHARES), p=list(MOMENT_SHARES.values())))
    signal_name = str(rng.choice(list(SIGNAL_SHARES), p=list(SIGNAL_SHARES.values())))
    delay_s = float(rng.uniform(0, seconds)) if moment == "time" else float(rng.exponential(0.02))
    return KillPlan(moment, delay_s, int(rng.integers(0 if moment == "half" else 1, max(2, files))), signal_name)


def run_command(words: Sequence[str], *, root: Path, log: Path, kill: KillPlan | None = None) -> KillResult:
    """Run `refinery` with these words and kill it as planned; log: the file that its output is written to."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["flows.cli.app", "flows.refine.flow", "flows.review.flow"])
    log.unlink(missing_ok=True)
    process = context.Process(target=_run, args=([str(w) for w in words], str(log)))
    files_before = _files(root)
    process.start()
    while not log.exists() and process.is_alive():
        time.sleep(POLL_S)
    started = time.monotonic()
    killed = (
        kill is not None
        and _wait_for_moment(kill, root, files_before, process.is_alive)
        and _send(process.pid, kill.signal_name)
    )
    process.join(CTRL_C_S if killed else None)
    has_ended = process.exitcode is not None
    if not has_ended:
        _send(process.pid, "SIGKILL")
        process.join()
    seconds = time.monotonic() - started
    orphans = _end_orphans(process.pid)
    last_line = log.read_text(errors="replace").strip().rpartition("\n")[2] if log.exists() else ""
    status = process.exitcode or 0 if has_ended else -signal.SIGKILL
    return KillResult(status, killed, last_line if has_ended else "it did not end", seconds, orphans)


def _run(words: list[str], log: str) -> None:
    """Run the command in the forked process, as if its words had been typed."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.environ[PREFECT_VARIABLE] = "off"
    sys.argv = ["refinery", *words]
    try:
        app.main()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()


def _wait_for_moment(kill: KillPlan, root: Path, files_before: set[str], is_alive: Callable[[], bool]) -> bool:
    """Wait for the moment of the kill; return whether the command still runs then."""
    if kill.moment != "time":
        while is_alive():
            new = _files(root) - files_before
            whole = sum(not name.endswith(".tmp") for name in new)
            if whole >= kill.new_files and (kill.moment == "file" or whole < len(new)):
                break
            time.sleep(POLL_S)
    until = time.monotonic() + (kill.delay_s if kill.moment != "half" else 0.0)
    while is_alive() and time.monotonic() < until:
        time.sleep(POLL_S)
    return is_alive()


def _files(root: Path) -> set[str]:
    """The names of all files under a root, without its lock."""
    return {f"{folder}/{name}" for folder, _, names in os.walk(root) for name in names if name != ".lock"}


def _send(pid: int | None, signal_name: str) -> bool:
    """Send a signal to a process or to its whole group (as a terminal does with Ctrl-C); False if it has ended."""
    assert pid
    number = {"Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM}.get(signal_name, signal.SIGKILL)
    try:
        (os.kill if signal_name in ("SIGTERM", "SIGKILL of the leader") else os.killpg)(pid, number)
    except ProcessLookupError:
        return False
    return True


def _end_orphans(group: int | None) -> bool:
    """Wait until a process group is empty; after ORPHANS_S kill the processes left, and return whether any were."""
    assert group
    until = time.monotonic() + ORPHANS_S
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(POLL_S)
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    return True
