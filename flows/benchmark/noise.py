"""The noise stages and resolve on a drawn world: time beside the limits of disk and BLAS, and the labels' quality.

The world is one of `refinery benchmark world`: embeddings without pixels, whose noise is planted and known.
"""

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
SQUARE = 2048  # rows and columns of the product with which the rate of BLAS is measured


@dataclass(frozen=True)
class NoiseMeasurement(Result):
    """Seconds of each stage and of all, two lower limits, the most memory, and the quality of the labels.

    found: precision, recall and so on of the labels against the truth; reading: seconds to read the embeddings once;
    products: seconds of BLAS for the matrix products that the stages need.
    """

    stages: list[dict[str, Any]]
    found: list[dict[str, Any]]
    photos: int
    seconds: float
    reading: float
    products: float
    peak_gb: float

    def rows(self) -> list[dict[str, Any]]:
        """One row for each stage."""
        return self.stages

    def lines(self) -> list[str]:
        """Time and memory beside the limits, then the quality of the labels."""
        limit = max(self.reading, self.products)
        times = f"{self.seconds:.1f} s, {self.seconds / limit:.1f} times the larger limit"
        limits = f"reading the embeddings once {self.reading:.1f} s, the same products by BLAS {self.products:.1f} s"
        quality = [", ".join(f"{k} {v}" for k, v in row.items()) for row in self.found]
        memory = f"at most {self.peak_gb:.2f} GB of memory, workers included"
        return [f"{self.photos} photos in {times}; {memory}", f"limits: {limits}", *quality]


class _TimedBuild:
    """The function build, with a row of seconds for each table that it builds."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def __call__(self, root: str, name: str, *arguments: Any, **options: Any) -> Table:
        start = time.monotonic()
        table = build(root, name, *arguments, **options)
        self.rows.append({"stage": name, "seconds": f"{time.monotonic() - start:.1f}", "rows": len(table)})
        return table


def noise(root: Root, workers: DaskWorkers = "", memory: Memory = "") -> NoiseMeasurement:
    """Run all noise stages and resolve on a world of `benchmark world`: time, memory, precision and recall."""
    photos, faces, embeddings, truth = (only_table(root, name) for name in ("photos", "faces", "embeddings", "truth"))
    dask_workers: Workers = parse_workers(workers)
    memory_bytes = parse_memory(memory)
    start = time.monotonic()
    sizes, dim = _read(embeddings)
    reading_s = time.monotonic() - start
    timed, start = _TimedBuild(), time.monotonic()
    with PeakMemory() as peak_memory:
        tables = stages.find_noise(
            root, faces, [embeddings], workers=dask_workers, memory_bytes=memory_bytes, build=timed
        )
        labels = label(root, photos, tables, undecided="keep", min_faces=2, workers=dask_workers, build=timed).labels
        seconds = time.monotonic() - start
    products_s = _products_seconds(tables, root, sizes, dim)
    quality = score_photos(labels, truth) + score_identities(labels, truth)
    return NoiseMeasurement(timed.rows, quality, len(photos), seconds, reading_s, products_s, peak_memory.peak / 1e9)


def only_table(root: str, name: str) -> Table:
    """The table of that name in a root of `benchmark world`. Raises UserError unless there is exactly one."""
    manifests = [n for n in storage.list_files(root, name) if n.endswith(".json")]
    table = load(root, name, manifests[0].split("/")[-1].removesuffix(".json")) if len(manifests) == 1 else None
    if table is None:
        raise UserError(
            f"{root} holds {len(manifests)} tables called {name}: give a root of `refinery benchmark world`"
        )
    return table


def _read(embeddings: Table) -> tuple[NDArray[np.int64], int]:
    """How many photos each identity has, and the length of the embeddings; every embedding is read."""
    counts: Counter[str] = Counter()
    dim = 0
    for rows in embeddings.batches(["identity", "x"]):
        dim = rows["x"].type.byte_width // 2
        counts.update({e["values"]: e["counts"] for e in rows["identity"].value_counts().to_pylist()})
    return np.array(list(counts.values()), np.int64), dim


def _products_seconds(tables: stages.Noise, root: str, sizes: NDArray[np.int64], dim: int) -> float:
    """Seconds of BLAS for the matrix products of the stages, each computed once, at the rate of a large product.

    In double precision: every photo with the covariance of impostors, and the photos of an identity with each other.
    In single precision: persons and stray clusters with all persons. sizes: photos of each identity.
    """
    calibration, persons = tables.calibration.shards[0], len(tables.persons)
    stray_clusters = sum(
        count_stray_clusters(root, clusters, cluster_persons, calibration)
        for clusters, cluster_persons in zip(tables.clusters.shards, tables.persons.shards, strict=True)
    )
    linked = np.minimum(sizes, MAX_LINKED).astype(np.float64)
    double_flop = 2 * dim * (float(sizes.sum()) * dim + float((linked**2).sum()))
    single_flop = 2 * dim * float(persons) * (persons + stray_clusters)
    return double_flop / _blas_rate(np.float64) + single_flop / _blas_rate(np.float32)


def _blas_rate(precision: type[np.floating[Any]]) -> float:
    """Floating point operations a second of a large product."""
    x = np.random.default_rng(0).standard_normal((SQUARE, SQUARE)).astype(precision)
    x @ x
    start = time.monotonic()
    for _ in range(3):
        x @ x
    return 3 * 2 * float(SQUARE) ** 3 / (time.monotonic() - start)
