"""The noise stages and resolve on a drawn world: time beside the limits of disk and BLAS, and what was found."""

import logging
import time
from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any

import numpy as np
import pyarrow.compute as pc
import typer
from numpy.typing import NDArray

from flows.benchmark.measured_process import Memory
from flows.cli.result import Result
from flows.refine.take_out import Root, parse_memory, parse_workers
from pipeline.errors import UserError
from pipeline.noise import stages
from pipeline.noise.clusters import LARGEST
from pipeline.noise.strays import stray_groups
from pipeline.refined.labels import label
from pipeline.tables import storage
from pipeline.tables.build import Workers, build
from pipeline.tables.table import Table, load

log = logging.getLogger("refinery")
SQUARE = 2048  # of the product that the rate of BLAS is taken from


@dataclass(frozen=True)
class Cleaned(Result):
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


def noise(
    root: Root,
    workers: Annotated[str, typer.Option(help="Processes, or the address of a Dask scheduler; default: threads.")] = "",
    memory: Annotated[
        str,
        typer.Option(help="For searches among all persons, like 8GB; default: as much as they like."),
    ] = "",
) -> Cleaned:
    """All noise stages and resolve on a world that `benchmark world` drew: time, memory, precision and recall."""
    photos, faces, embeddings, truth = (only(root, name) for name in ("photos", "faces", "embeddings", "truth"))
    many: Workers = parse_workers(workers)
    most = parse_memory(memory)
    start = time.monotonic()
    sizes, dim = _read(embeddings)
    reading = time.monotonic() - start
    timed, start = _Timed(), time.monotonic()
    with Memory() as held:
        found = stages.find(root, faces, [embeddings], workers=many, memory_bytes=most, build=timed)
        labelled = label(root, photos, found, undecided="keep", min_faces=2, workers=many, build=timed)
        seconds = time.monotonic() - start
    products = _products(found, root, sizes, dim)
    return Cleaned(
        timed.rows, _judged(labelled.labels, truth), len(photos), seconds, reading, products, held.peak / 1e9
    )


def only(root: str, name: str) -> Table:
    """The one table of that name that `benchmark world` left in a root."""
    names = [n for n in storage.names(root, name) if n.endswith(".json")]
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
        stray_groups(root, c, p, model) for c, p in zip(found.clusters.shards, found.persons.shards, strict=True)
    )
    linked = np.minimum(sizes, LARGEST).astype(np.float64)
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


def _judged(labels: Table, truth: Table) -> list[dict[str, Any]]:
    """Precision and recall of what was removed or moved, and of copies, against the truth."""
    owner = owners(labels, truth)
    tally: Counter[str] = Counter()
    kinds: Counter[tuple[str, bool]] = Counter()
    for said, true in zip(labels.batches(["identity", "reason"]), truth.batches(["person", "kind"]), strict=True):
        kept = np.asarray(said["identity"].is_valid())
        names = np.asarray(said["identity"].to_numpy(), object)
        reason, kind = (np.asarray(c.to_numpy(), object) for c in (said["reason"], true["kind"]))
        person = true["person"].to_numpy()
        right = np.array([k and owner.get(n) == p for k, n, p in zip(kept, names, person.tolist(), strict=True)], bool)
        copied = reason == "duplicate"
        wrong = np.isin(kind, ("stranger", "flip", "companion"))
        stopped = wrong & (~kept | right)
        lost = (kind == "clean") & ~kept & ~copied
        tally.update(
            {
                "wrong": int(wrong.sum()),
                "stopped": int(stopped.sum()),
                "lost": int(lost.sum()),
                "clean": int((kind == "clean").sum()),
                "copies": int((kind == "copy").sum()),
                "copies found": int(((kind == "copy") & ~kept).sum()),
                "dropped as copies": int(copied.sum()),
                "kept": int(kept.sum()),
                "kept wrongly": int((kept & ~right).sum()),
            }
        )
        for k, s in zip(kind[wrong].tolist(), stopped[wrong].tolist(), strict=True):
            kinds[k, s] += 1
    precision = tally["stopped"] / max(1, tally["stopped"] + tally["lost"])
    recall = tally["stopped"] / max(1, tally["wrong"])
    rows: list[dict[str, Any]] = [
        {
            "wrong labels: precision": f"{precision:.4f}",
            "recall": f"{recall:.4f}",
            "F1": f"{2 * precision * recall / max(1e-12, precision + recall):.4f}",
        }
    ]
    rows += [
        {f"{k}: recall": f"{kinds[k, True] / max(1, kinds[k, True] + kinds[k, False]):.4f}"}
        for k in sorted({k for k, _ in kinds})
    ]
    rows.append(
        {
            "copies: recall": f"{tally['copies found'] / max(1, tally['copies']):.4f}",
            "clean photos lost": f"{tally['lost'] / max(1, tally['clean']):.4f}",
            "wrong among kept": f"{tally['kept wrongly'] / max(1, tally['kept']):.4f}",
        }
    )
    return rows + _names(labels, truth)


def _names(labels: Table, truth: Table) -> list[dict[str, Any]]:
    """Precision and recall of whole names: people under two of them who were united, and two under one who were parted.

    A name is known by its clean photos, its second person by theirs: whom they show, and the identity that most of
    them came to. Parting photos from a name is right where they show somebody else than those that stay.
    """
    shows: dict[tuple[str, str], int] = {}
    became: dict[tuple[str, str], str] = {}
    for said, true in zip(
        labels.batches(["identity", "reason"]), truth.batches(["identity", "person", "kind"]), strict=True
    ):
        rows = true.append_column("to", said["identity"])
        parted = pc.and_(pc.equal(said["reason"], "split"), rows["to"].is_valid())
        for kind, those in (
            ("clean", pc.equal(rows["kind"], "clean")),
            ("second", pc.equal(rows["kind"], "second")),
            ("parted", parted),
            ("stays", pc.and_not(rows["to"].is_valid(), parted)),
        ):
            counted = rows.filter(those).group_by(["identity", "person", "to"]).aggregate([([], "count_all")])
            for row in sorted(counted.to_pylist(), key=lambda row: (row["count_all"], row["to"] or "")):
                shows[row["identity"], kind] = row["person"]
                if row["to"] is not None:
                    became[row["identity"], kind] = row["to"]
    clean, second, gone = (
        {n: whose for (n, kind), whose in shows.items() if kind == k} for k in ("clean", "second", "parted")
    )
    same, united = _pairs(clean), _pairs({n: to for (n, kind), to in became.items() if kind == "clean"})
    planted = set(second) & set(clean)
    right = {n for n, whose in gone.items() if shows.get((n, "stays")) != whose}
    apart = {n for n in planted if len({became.get((n, kind)) for kind in ("clean", "second")} - {None}) == 2}
    return [
        {
            f"{what}: precision": f"{len(good) / max(1, len(said)):.4f}",
            "recall": f"{len(found) / len(of):.4f}",
            "planted": len(of),
        }
        for what, good, said, found, of in (
            ("people under two names", same & united, united, same & united, same),
            ("names of two people", right, gone, apart, planted),
        )
        if of
    ]


def _pairs(of: Mapping[str, Hashable]) -> set[tuple[str, str]]:
    """Pairs of names that are of one and the same."""
    names: dict[Hashable, list[str]] = {}
    for name in sorted(of):
        names.setdefault(of[name], []).append(name)
    return {pair for several in names.values() for pair in combinations(several, 2)}


def owners(labels: Table, truth: Table) -> dict[str, int]:
    """The person whom most photos of each identity that stays show."""
    votes: dict[str, Counter[int]] = {}
    for said, true in zip(labels.batches(["identity"]), truth.batches(["person"]), strict=True):
        for name, person in zip(said["identity"].to_pylist(), true["person"].to_pylist(), strict=True):
            if name is not None:
                votes.setdefault(name, Counter())[person] += 1
    return {name: count.most_common(1)[0][0] for name, count in votes.items()}
