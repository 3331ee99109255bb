"""A Dask cluster on loopback, for tests that kill or stop its processes: a scheduler and workers with addresses."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.builders.processes.waiting import wait_until

HERE = Path(__file__).resolve().parents[2]
WORKER_TTL = "60s"  # without a heartbeat, until the scheduler drops a worker; importing libraries takes less


@dataclass
class Processes:
    """The processes of a cluster: a scheduler with its address, and workers."""

    address: str
    folder: Path
    scheduler: subprocess.Popen[bytes]
    environment: dict[str, str]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add(self, count: int, *words: str) -> None:
        """Start workers of one thread at 127.0.0.2 and the next addresses, without a nanny, which would restart them.

        words: further options of `dask worker`.
        """
        for _ in range(count):
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
            self.workers.append(_start("worker", [self.address, *options], self.folder / name, self.environment))


@contextmanager
def dask_processes(folder: Path, workers: int, *words: str) -> Iterator[Processes]:
    """A cluster that ends with the block. folder: for the logs of its processes; words: options of the workers."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(HERE),
        "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": WORKER_TTL,
    }
    address_file = folder / "scheduler.json"
    address_file.unlink(missing_ok=True)
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-jupyter"]
    scheduler = _start(
        "scheduler", [*options, "--scheduler-file", str(address_file)], folder / "scheduler", environment
    )
    workers_started: list[subprocess.Popen[bytes]] = []
    try:
        wait_until(address_file.exists, f"Dask's scheduler does not start: see {folder / 'scheduler.log'}")
        address = json.loads(address_file.read_text())["address"]
        cluster = Processes(address, folder, scheduler, environment)
        workers_started = cluster.workers
        cluster.add(workers, *words)
        yield cluster
    finally:
        for process in (*workers_started, scheduler):
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


def _host(number: int) -> str:
    """The worker's address: one of its own on Linux, where loopback has many."""
    return f"127.0.0.{2 + number}" if sys.platform == "linux" else "127.0.0.1"


def _start(program: str, words: list[str], name: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"distributed.cli.dask_{program}", *words]
    with open(name.with_suffix(".log"), "wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=HERE)
