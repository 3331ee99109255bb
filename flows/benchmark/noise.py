"""The noise stages and resolve on a drawn world: time beside the limits of disk and BLAS, and what was found."""

import logging
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.benchmark.drawn.label_quality import score_identities, score_photos
from flows.benchmark.speed.measured_process import PeakMemory
from flows.cli.options import DaskWorkers, Memory, Root
from flows.cli.result import Result
from flows.cli.sizes import parse_memory, parse_workers
from pipeline.errors import UserError
from pipeline.noise import stages
from pipeline.noise.clusters import MAX_LINKED
from pipeline.noise.strays import count_stray_clusters
from pipeline.refined.labels import label
from pipeline.tables import storage
from pipeline.tables.build import Workers, build
from pipeline.tables.table import Table, load

log = logging.getLogger("refinery")
SQUARE = 2048  # of the product that the rate of BLAS is taken from


@dataclass(frozen=True)
class NoiseMeasurement(Result):
    """Seconds of each stage, the limits, and how good the labels are."""

    stages: list[dict[str, Any]]
    found: list[dict[str, Any]]
    photos: int
    seconds: float
    reading: float
    products: float
    peak_gb: float

    def rows(self) -> list[dict[str, Any]]:
        """A line a stage."""
        return self.stages

    def lines(self) -> list[str]:
        """What it took beside the limits, and what was found."""
        limit = max(self.reading, self.products)
        times = f"{self.seconds:.1f} s, {self.seconds / limit:.1f} times the larger limit"
        limits = f"reading the embeddings once {self.reading:.1f} s, the same products by BLAS {self.products:.1f} s"
        said = [", ".join(f"{k} {v}" for k, v in row.items()) for row in self.found]
        memory = f"at most {self.peak_gb:.2f} GB of memory, workers included"
        return [f"{self.photos} photos in {times}; {memory}", f"limits: {limits}", *said]


class _Timed:
    """build(), and how long each table took."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def __call__(self, root: str, name: str, *arguments: Any, **options: Any) -> Table:
        start = time.monotonic()
        made = build(root, name, *arguments, **options)
        self.rows.append({"stage": name, "seconds": f"{time.monotonic() - start:.1f}", "rows": len(made)})
        return made


def noise(root: Root, workers: DaskWorkers = "", memory: Memory = "") -> NoiseMeasurement:
    """All noise stages and resolve on a world that `benchmark world` drew: time, memory, precision and recall."""
    photos, faces, embeddings, truth = (only_table(root, name) for name in ("photos", "faces", "embeddings", "truth"))
    many: Workers = parse_workers(workers)
    most = parse_memory(memory)
    start = time.monotonic()
    sizes, dim = _read(embeddings)
    reading = time.monotonic() - start
    timed, start = _Timed(), time.monotonic()
    with PeakMemory() as held:
        found = stages.find_noise(root, faces, [embeddings], workers=many, memory_bytes=most, build=timed)
        labelled = label(root, photos, found, undecided="keep", min_faces=2, workers=many, build=timed)
        seconds = time.monotonic() - start
    products = _products(found, root, sizes, dim)
    quality = score_photos(labelled.labels, truth) + score_identities(labelled.labels, truth)
    return NoiseMeasurement(timed.rows, quality, len(photos), seconds, reading, products, held.peak / 1e9)


def only_table(root: str, name: str) -> Table:
    """The one table of that name that `benchmark world` left in a root."""
    names = [n for n in storage.list_files(root, name) if n.endswith(".json")]
    found = load(root, name, names[0].split("/")[-1].removesuffix(".json")) if len(names) == 1 else None
    if found is None:
        raise UserError(f"{root} holds {len(names)} tables called {name}: give a root of `refinery benchmark world`")
    return found


def _read(embeddings: Table) -> tuple[NDArray[np.int64], int]:
    """Photos of each name, and the length of the vectors; every vector is read."""
    counts: Counter[str] = Counter()
    dim = 0
    for rows in embeddings.batches(["identity", "x"]):
        dim = rows["x"].type.byte_width // 2
        counts.update({e["values"]: e["counts"] for e in rows["identity"].value_counts().to_pylist()})
    return np.array(list(counts.values()), np.int64), dim


def _products(found: stages.Noise, root: str, sizes: NDArray[np.int64], dim: int) -> float:
    """Seconds of BLAS for the products that the stages ask for, each once and as large as BLAS likes them best.

    In double precision every photo with the strangers' covariance, and photos of a name with each other; in single
    precision persons, and whoever strayed, with all persons.
    """
    model, persons = found.calibration.shards[0], len(found.persons)
    strayed = sum(
        count_stray_clusters(root, c, p, model)
        for c, p in zip(found.clusters.shards, found.persons.shards, strict=True)
    )
    linked = np.minimum(sizes, MAX_LINKED).astype(np.float64)
    double = 2 * dim * (float(sizes.sum()) * dim + float((linked**2).sum()))
    return double / _blas(np.float64) + 2 * dim * float(persons) * (persons + strayed) / _blas(np.float32)


def _blas(precision: type[np.floating[Any]]) -> float:
    """Floating point operations a second of a large product."""
    x = np.random.default_rng(0).standard_normal((SQUARE, SQUARE)).astype(precision)
    x @ x
    start = time.monotonic()
    for _ in range(3):
        x @ x
    return 3 * 2 * float(SQUARE) ** 3 / (time.monotonic() - start)
