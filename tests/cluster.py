"""A real Dask cluster on loopback: a scheduler and worker processes, each with a port of its own, to be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.label_server import free_port

HERE = Path(__file__).resolve().parents[1]


@dataclass
class Cluster:
    """A scheduler's address and its workers' processes."""

    address: str
    scheduler: subprocess.Popen[bytes]
    folder: Path
    environment: dict[str, str]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add(self, many: int, *words: str) -> None:
        """So many workers more, each of one thread and without a nanny that would raise it from the dead."""
        for _ in range(many):
            name = f"w{len(self.workers)}"
            command = [sys.executable, "-m", "distributed.cli.dask_worker", self.address, "--nthreads", "1",
                       "--no-nanny", "--no-dashboard", "--host", "127.0.0.1", "--name", name,
                       "--local-directory", str(self.folder), "--death-timeout", "60", *words]  # fmt: skip
            with open(self.folder / f"{name}.log", "wb") as log:
                self.workers.append(subprocess.Popen(command, stdout=log, stderr=log, env=self.environment, cwd=HERE))


@contextmanager
def cluster(folder: Path, workers: int, *words: str, **environment: str) -> Iterator[Cluster]:
    """A cluster that ends with the block; words: options of the workers; environment: added to this process's."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    # a worker that hangs is forgotten after a minute, and one that imports on a busy machine is not
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE),
               "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "60s", **environment}  # fmt: skip
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port),
               "--no-dashboard", "--no-jupyter"]  # fmt: skip
    with open(folder / "scheduler.log", "wb") as log:
        scheduler = subprocess.Popen(command, stdout=log, stderr=log, env=environ, cwd=HERE)
    made = Cluster(f"tcp://127.0.0.1:{port}", scheduler, folder, environ)
    try:
        made.add(workers, *words)
        yield made
    finally:
        for process in (*made.workers, scheduler):
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


def when(happens, *, within: float = 120.0) -> None:
    """Wait until something is true."""
    until = time.monotonic() + within
    while not happens():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)
