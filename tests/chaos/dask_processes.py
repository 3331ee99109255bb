"""A Dask cluster of processes on loopback: a scheduler and workers, each with its own address, to be disturbed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import UserError

HERE = Path(__file__).resolve().parents[2]
STARTS_S = 120.0  # in which a process has to be there, on a machine where much else runs
FORGOTTEN = "60s"  # without a word from a worker until the scheduler gives it up; one that imports is not that slow


@dataclass
class Processes:
    """A scheduler's address and its workers' processes."""

    address: str
    folder: Path
    scheduler: subprocess.Popen[bytes]
    environment: dict[str, str]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add(self, many: int, *words: str) -> None:
        """So many workers more, each of one thread, at 127.0.0.2 and on, and without a nanny to raise it from the dead.

        words: further options of `dask worker`.
        """
        for _ in range(many):
            name, host = f"w{len(self.workers)}", _host(len(self.workers))
            options = [
                "--nthreads",
                "1",
                "--no-nanny",
                "--no-dashboard",
                "--host",
                host,
                "--name",
                name,
                "--local-directory",
                str(self.folder),
                "--death-timeout",
                "60",
                *words,
            ]
            self.workers.append(_begin("worker", [self.address, *options], self.folder / name, self.environment))


@contextmanager
def dask_processes(folder: Path, workers: int, *words: str) -> Iterator[Processes]:
    """A cluster that ends with the block; folder: for what its processes say; words: options of the workers."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(HERE),
        "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": FORGOTTEN,
    }
    told = folder / "scheduler.json"
    told.unlink(missing_ok=True)
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-jupyter", "--scheduler-file", str(told)]
    scheduler = _begin("scheduler", options, folder / "scheduler", environment)
    processes = [scheduler]
    try:
        when(told.exists, f"Dask's scheduler does not start: see {folder / 'scheduler.log'}")
        made = Processes(json.loads(told.read_text())["address"], folder, scheduler, environment, processes[1:])
        processes = made.workers
        made.add(workers, *words)
        yield made
    finally:
        for process in (*processes, scheduler):
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


def when(happens: Callable[[], object], otherwise: str, *, within: float = STARTS_S) -> None:
    """Wait until something is true. Raises UserError with the words of `otherwise` when it takes too many seconds."""
    until = time.monotonic() + within
    while not happens():
        if time.monotonic() > until:
            raise UserError(otherwise)
        time.sleep(0.02)


def _host(number: int) -> str:
    """An address of a worker's own where loopback has many, as on Linux."""
    return f"127.0.0.{2 + number}" if sys.platform == "linux" else "127.0.0.1"


def _begin(what: str, words: list[str], name: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *words]
    with open(name.with_suffix(".log"), "wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=HERE)
