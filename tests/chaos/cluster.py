"""All noise stages on a Dask cluster whose workers are killed or hang: python -m tests.chaos.cluster OUT.

The same drawn world is refined twice, on an undisturbed cluster and on a disturbed one; both roots must hold the same
bytes.
"""

import argparse
import logging
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from flows.benchmark.noise import only_table
from flows.benchmark.speed.measured_process import run_in_own_process
from flows.benchmark.world import world
from pipeline.errors import UserError
from pipeline.noise import stages
from pipeline.refined.labels import label
from pipeline.tables import run_dask, storage
from tests.builders.markdown_table import markdown_table
from tests.builders.processes.waiting import STARTS_S, wait_until
from tests.chaos.dask_processes import dask_processes

log = logging.getLogger("refinery")
MIDDLE = (0.15, 0.85)  # shares of the undisturbed run's time between which signals are sent to workers
Disturbances = list[tuple[float, int]]  # for each signal: at which share of that time, and its number


class BytesDifferError(RuntimeError):
    """A disturbed run left other files than the undisturbed one; the message names them."""


class ClusterRun(NamedTuple):
    """One run: its seconds, and how many workers were killed and how many were made to hang."""

    seconds: float
    killed: int
    hung: int


@dataclass(frozen=True)
class ClusterResult:
    """An undisturbed and a disturbed run of the same work. root: the folder of both; files: how many each run left."""

    root: str
    photos: int
    files: int
    workers: int
    runs: dict[str, ClusterRun]

    def rows(self) -> list[dict[str, Any]]:
        """One row for each run."""
        return [
            {"run": name, "workers": self.workers, "killed": r.killed, "hung": r.hung, "seconds": f"{r.seconds:.1f}"}
            for name, r in self.runs.items()
        ]

    def lines(self) -> list[str]:
        """What was compared."""
        return [f"{self.photos} photos in {self.root}: all {self.files} files of both runs have the same bytes"]


def cluster(
    out: str,
    *,
    identities: int = 4000,
    faces: int = 400_000,
    dim: int = 512,
    workers: int = 4,
    kills: int = 2,
    hangs: int = 1,
    patience: float = 30.0,
    seed: int = 0,
) -> ClusterResult:
    """Run all noise stages and the labels on an undisturbed cluster, and on one whose workers are killed and hang.

    out: a new folder, or one in an object store (s3://...). identities, faces, dim: of the drawn world. workers:
    processes, each with an address of its own on loopback; kills: how many are killed and not restarted; hangs: how
    many are stopped for ever; patience: seconds without a finished shard after which missing shards are started again
    (300 in production); seed: of the world and of the moments. Raises BytesDifferError when the two roots differ.
    """
    if kills < 0 or hangs < 0 or kills + hangs >= workers or patience <= 0:
        raise UserError(
            f"--workers {workers} --kills {kills} --hangs {hangs} --patience {patience:g}: one worker at "
            "least must stay, and patience be more than 0"
        )
    if storage.list_files(out, ""):
        raise UserError(f"{out} is not empty: give a new folder")
    roots = {name: f"{out}/{name}" for name in ("undisturbed", "disturbed")}
    drawn = world(roots["undisturbed"], identities=identities, faces=faces, dim=dim, seed=seed)
    for name in storage.list_files(roots["undisturbed"], ""):
        storage.put(roots["disturbed"], name, storage.get(roots["undisturbed"], name) or b"")
    rng = np.random.default_rng(seed)
    moments = np.sort(rng.uniform(*MIDDLE, kills + hangs)).tolist()
    signals = rng.permutation([signal.SIGKILL] * kills + [signal.SIGSTOP] * hangs).tolist()
    plan = list(zip(moments, signals, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = _run(roots["undisturbed"], Path(folder, "undisturbed"), workers, patience, [], 0)
        disturbed = _run(roots["disturbed"], Path(folder, "disturbed"), workers, patience, plan, undisturbed.seconds)
    _compare(*roots.values(), late=len(plan) - disturbed.killed - disturbed.hung)
    runs = {"undisturbed": undisturbed, "disturbed": disturbed}
    return ClusterResult(out, len(drawn.photos), len(_finished_files(roots["undisturbed"])), workers, runs)


def _compare(undisturbed: str, disturbed: str, *, late: int) -> None:
    """Raise BytesDifferError unless both roots hold the same files; late: signals not sent, for the run had ended."""
    names = sorted({*_finished_files(undisturbed), *_finished_files(disturbed)})
    differ = [n for n in names if storage.get(undisturbed, n) != storage.get(disturbed, n)]
    if differ or late:
        examples = f" ({', '.join(differ[:3])})" if differ else ""
        raise BytesDifferError(f"{len(differ)} of {len(names)} files differ{examples}, {late} signals came too late")


def _finished_files(root: str) -> list[str]:
    """The files of a root, without half-written ones of killed workers, which no command reads."""
    return [name for name in storage.list_files(root, "") if not name.endswith(".tmp")]


def _run(root: str, folder: Path, workers: int, patience: float, plan: Disturbances, seconds: float) -> ClusterRun:
    """Run the stages on a new cluster; plan: signals to its workers, at shares of this number of seconds."""
    sent = []
    with ThreadPoolExecutor(1) as pool, dask_processes(folder, workers) as processes:
        running = pool.submit(run_in_own_process, _refine, root, processes.address, workers, patience)
        wait_until(lambda: running.done() or storage.list_files(root, "calibration"), f"no stage begins: see {folder}")
        started = time.monotonic()
        for worker, (moment, number) in zip(processes.workers, plan, strict=False):
            wait([running], timeout=max(0.0, started + moment * seconds - time.monotonic()))
            if not running.done():
                worker.send_signal(number)
                sent.append(number)
                fate = "is killed" if number == signal.SIGKILL else "hangs"
                log.info("after %.0f s a worker %s", time.monotonic() - started, fate)
        run_seconds = running.result().seconds
    return ClusterRun(run_seconds, sent.count(signal.SIGKILL), sent.count(signal.SIGSTOP))


def _refine(root: str, address: str, workers: int, patience: float) -> None:
    """Run all noise stages and the labels of a drawn world, once this number of workers has joined."""
    run_dask.STUCK_S = patience  # changes this process only, which ends with the run
    run_dask.connect(address).wait_for_workers(workers, timeout=STARTS_S)
    photos, faces, embeddings = (only_table(root, name) for name in ("photos", "faces", "embeddings"))
    noise = stages.find_noise(root, faces, [embeddings], workers=address)
    label(root, photos, noise, undecided="keep", min_faces=2, workers=address)


def main(arguments: list[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.cluster", description=cluster.__doc__)
    parser.add_argument("out")
    for name, default in (
        ("identities", 4000),
        ("faces", 400_000),
        ("dim", 512),
        ("workers", 4),
        ("kills", 2),
        ("hangs", 1),
        ("patience", 30.0),
        ("seed", 0),
    ):
        parser.add_argument(f"--{name}", type=type(default), default=default)
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    result = cluster(**vars(parser.parse_args(arguments)))
    print(markdown_table(result.rows()), *result.lines(), sep="\n")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
