"""`refinery benchmark cluster`: the noise stages on worker processes of which some die and one hangs in the middle."""

import logging
import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

from flows.benchmark.measured_process import alone
from flows.benchmark.noise import only
from flows.benchmark.world import world
from pipeline.errors import UserError
from pipeline.noise import stages
from pipeline.refined.labels import label
from pipeline.tables import build, storage
from tests.chaos.dask_processes import STARTS_S, dask_processes, when

log = logging.getLogger("refinery")
MIDDLE = (0.15, 0.85)  # of the undisturbed run's time: between these a blow falls
Blows = list[tuple[float, int]]  # at which share of that time, and which signal


class Differs(RuntimeError):  # noqa: N818  what the benchmark is there to find
    """A disturbed run did not leave what an undisturbed one does; the message says what."""


class Ran(NamedTuple):
    """One run: its seconds, and how many workers died and hung in it."""

    seconds: float
    died: int
    hung: int


@dataclass(frozen=True)
class Disturbed:
    """The same work, left alone and disturbed."""

    where: str
    photos: int
    files: int
    workers: int
    runs: dict[str, Ran]

    def rows(self) -> list[dict[str, Any]]:
        """A line a run."""
        return [
            {"run": name, "workers": self.workers, "killed": r.died, "hung": r.hung, "seconds": f"{r.seconds:.1f}"}
            for name, r in self.runs.items()
        ]

    def lines(self) -> list[str]:
        """What was compared."""
        return [f"{self.photos} photos in {self.where}: all {self.files} files of both runs have the same bytes"]


def cluster(
    where: Annotated[str, typer.Argument(metavar="OUT", help="A new folder, or one in an object store (s3://...).")],
    identities: Annotated[int, typer.Option(help="Names of the drawn world.")] = 4000,
    faces: Annotated[int, typer.Option(help="Its photos, about.")] = 400_000,
    dim: Annotated[int, typer.Option(help="Length of its vectors.")] = 512,
    workers: Annotated[int, typer.Option(help="Processes, each with an address of its own on loopback.")] = 4,
    kills: Annotated[int, typer.Option(help="Workers that are killed, and do not come back.")] = 2,
    hangs: Annotated[int, typer.Option(help="Workers that stop and do not go on.")] = 1,
    patience: Annotated[
        float,
        typer.Option(help="Seconds without any shard until those that are missing are begun again; otherwise 300."),
    ] = 30.0,
    seed: Annotated[int, typer.Option(help="Of the world, and of the moments of the blows.")] = 0,
) -> Disturbed:
    """All noise stages and the labels on a cluster that is left alone, and on one of which workers die and hang."""
    if kills < 0 or hangs < 0 or kills + hangs >= workers or patience <= 0:
        raise UserError(
            f"--workers {workers} --kills {kills} --hangs {hangs} --patience {patience:g}: one worker at "
            "least must stay, and patience be more than nothing"
        )
    if storage.names(where, ""):
        raise UserError(f"{where} is not empty: give a new folder")
    quiet, loud = f"{where}/undisturbed", f"{where}/disturbed"
    drawn = world(quiet, identities=identities, faces=faces, dim=dim, seed=seed)
    for name in storage.names(quiet, ""):
        storage.put(loud, name, storage.get(quiet, name) or b"")
    rng = np.random.default_rng(seed)
    moments = np.sort(rng.uniform(*MIDDLE, kills + hangs)).tolist()
    signs = rng.permutation([signal.SIGKILL] * kills + [signal.SIGSTOP] * hangs).tolist()
    runs: dict[str, Ran] = {}
    with tempfile.TemporaryDirectory() as folder:
        runs["undisturbed"] = _run(quiet, Path(folder, "quiet"), workers, patience, [], 0)
        took = runs["undisturbed"].seconds
        blows = list(zip(moments, signs, strict=True))
        runs["disturbed"] = _run(loud, Path(folder, "loud"), workers, patience, blows, took)
    expected, found = _whole(quiet), _whole(loud)
    unlike = [n for n in sorted({*expected, *found}) if storage.get(quiet, n) != storage.get(loud, n)]
    late = len(blows) - runs["disturbed"].died - runs["disturbed"].hung
    if unlike or late:
        which = f" ({', '.join(unlike[:3])})" if unlike else ""
        raise Differs(f"{len(unlike)} of {len(expected)} files differ{which}, {late} blows came too late")
    return Disturbed(where, len(drawn.photos), len(expected), workers, runs)


def _whole(root: str) -> list[str]:
    """The files of a root, but those that a killed worker was writing, which nobody reads."""
    return [name for name in storage.names(root, "") if not name.endswith(".tmp")]


def _run(root: str, folder: Path, workers: int, patience: float, blows: Blows, took: float) -> Ran:
    """The stages on a cluster of its own; blows fall at their shares of so many seconds, each on another worker."""
    struck = []
    with ThreadPoolExecutor(1) as pool, dask_processes(folder, workers) as processes:
        running = pool.submit(alone, _cleaned, root, processes.address, workers, patience)
        when(lambda: running.done() or storage.names(root, "calibration"), f"no stage begins: see {folder}")
        begun = time.monotonic()
        for worker, (moment, sign) in zip(processes.workers, blows, strict=False):
            wait([running], timeout=max(0.0, begun + moment * took - time.monotonic()))
            if not running.done():
                worker.send_signal(sign)
                struck.append(sign)
                what = "is killed" if sign == signal.SIGKILL else "hangs"
                log.info("after %.0f s a worker %s", time.monotonic() - begun, what)
        seconds = running.result().seconds
    return Ran(seconds, struck.count(signal.SIGKILL), struck.count(signal.SIGSTOP))


def _cleaned(root: str, address: str, workers: int, patience: float) -> None:
    """All noise stages and the labels of a drawn world, when so many workers are there."""
    build.STUCK_S = patience  # of this process, which ends with the run
    build.connect(address).wait_for_workers(workers, timeout=STARTS_S)
    photos, faces, embeddings = (only(root, name) for name in ("photos", "faces", "embeddings"))
    found = stages.find(root, faces, [embeddings], workers=address)
    label(root, photos, found, undecided="keep", min_faces=2, workers=address)
