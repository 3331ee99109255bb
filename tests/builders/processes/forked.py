"""Processes forked from one that has loaded the heavy libraries: started anew, each takes four CPU seconds for that."""

import atexit
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

LOADED = ["flows.cli.app", "flows.refine.flow", "flows.train.flow", "trainer.train", "torch._dynamo"]


def context() -> Any:
    """What makes forked processes; the process that they are forked from starts with the first one."""
    forkserver = multiprocessing.get_context("forkserver")
    forkserver.set_forkserver_preload(LOADED)
    return forkserver


class Forked(NamedTuple):
    """A running process and the file that its output is written to."""

    process: BaseProcess
    log: Path

    def wait(self, seconds: float = 300) -> tuple[int, str]:
        """Its exit status, negative when a signal ended it, and its output; a process that does not end is killed."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
            raise AssertionError(f"not ended within {seconds} s:\n{self.log.read_text(errors='replace')}")
        return self.process.exitcode, self.log.read_text(errors="replace")


def start(
    work: Callable[..., object], *args: object, log: Path, environment: Mapping[str, str] | None = None
) -> Forked:
    """Start work(*args) in a process of its own, in a session of its own, with this environment."""
    process = context().Process(target=_run, args=(work, args, str(log), dict(environment or os.environ)))
    log.unlink(missing_ok=True)
    process.start()
    return Forked(process, log)


def _run(work: Callable[..., object], args: tuple[object, ...], log: str, environment: dict[str, str]) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(output, stream)
    try:
        work(*args)
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
