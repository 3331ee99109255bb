"""How the time of the noise stages grows with the photos of one identity: each size twice that before.

The identity is drawn without pixels, as the worlds of `benchmark world` are, but its sketches look like those of one
person's photos, so that many pairs are candidates for duplicates. Some photos are duplicates, some show others.
"""

import math
import tempfile
import time
from dataclasses import dataclass
from typing import Annotated, Any

import cv2
import numpy as np
import pyarrow as pa
import typer
from numpy.typing import NDArray

from flows.benchmark.drawn.identities import PHOTO_NOISE, PHOTO_SPREAD, spectrum
from flows.benchmark.speed.measured_process import run_in_own_process
from flows.cli.options import Dim, Seed
from flows.cli.result import Result
from pipeline import schema
from pipeline.faces.sketch import SIDE
from pipeline.noise.stages import find_noise
from pipeline.tables.build import build
from pipeline.tables.columns import vector_column
from pipeline.tables.table import Table

SIZES = 4  # of the identity, the last one the largest
OTHERS, OTHERS_PHOTOS = 300, 3  # identities by which the thresholds are calibrated, and photos of each
DUPLICATES, OUTLIERS = 0.02, 0.15  # shares of the photos
SMALL = 7  # side in pixels of the pictures that are enlarged to sketches
COMMON = 0.55  # weight of the person's look in a sketch; the rest is the photo's own


@dataclass(frozen=True)
class Growth(Result):
    """Seconds of each noise stage for each number of photos of one identity."""

    sizes: list[dict[str, Any]]
    exponents: dict[str, float]  # of each stage between the last two sizes: 1 is linear, 2 quadratic
    found: str

    def rows(self) -> list[dict[str, Any]]:
        """One row for each number of photos."""
        return self.sizes

    def lines(self) -> list[str]:
        """The order of growth of each stage that takes a second or more."""
        orders = ", ".join(f"{stage} {order:.1f}" for stage, order in self.exponents.items())
        return [f"exponent of growth at the largest size: {orders}", self.found]


class _CpuTimedBuild:
    """The function build, with the CPU seconds of each table."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, root: str, name: str, *arguments: Any, **options: Any) -> Table:
        start = time.process_time()
        table = build(root, name, *arguments, **options)
        self.seconds[name] = time.process_time() - start
        return table


def growth(
    most_photos: Annotated[int, typer.Option(min=80, help="Photos of the identity at the largest size.")] = 10_000,
    *,
    dim: Dim = 512,
    seed: Seed = 0,
) -> Growth:
    """Measure the CPU seconds of every noise stage for one identity of more and more photos."""
    sizes, seconds, found = [most_photos >> k for k in range(SIZES - 1, -1, -1)], [], ""
    for size in sizes:
        by_stage, found = run_in_own_process(_measure, size, dim, seed).result
        seconds.append(by_stage)
    last, before = seconds[-1], seconds[-2]
    exponents = {s: math.log2(last[s] / max(before[s], 1e-3)) for s in last if last[s] >= 1}
    rows = [
        {"photos": size, **{s: f"{v:.1f}" for s, v in by_stage.items()}, "all": f"{sum(by_stage.values()):.1f}"}
        for size, by_stage in zip(sizes, seconds, strict=True)
    ]
    return Growth(rows, exponents, found)


def _measure(photos: int, dim: int, seed: int) -> tuple[dict[str, float], str]:
    """The CPU seconds of each stage, and how many of the planted duplicates were found."""
    with tempfile.TemporaryDirectory() as root:
        drawn = draw_identity(photos, dim, seed)
        faces = _build(root, "faces", drawn.faces)
        embeddings = _build(root, "embeddings", drawn.embeddings)
        timed = _CpuTimedBuild()
        noise = find_noise(root, faces, [embeddings], build=timed)
        copies = noise.copies.read(["identity", "copy_of"])
        found = len(copies) - copies["copy_of"].null_count
    return timed.seconds, f"{found} duplicates found, {drawn.duplicates} planted"


@dataclass(frozen=True)
class DrawnIdentity:
    """The tables faces and embeddings of one large identity and of many small ones."""

    faces: pa.Table
    embeddings: pa.Table
    duplicates: int


def draw_identity(photos: int, dim: int, seed: int) -> DrawnIdentity:
    """One identity with so many photos, and OTHERS small ones; drawn from the seed."""
    rng = np.random.default_rng([83, seed])
    person = np.concatenate([np.zeros(photos, np.int64), 1 + np.repeat(np.arange(OTHERS), OTHERS_PHOTOS)])
    shown = np.where((rng.random(len(person)) < OUTLIERS) & (person == 0), OTHERS + 1 + np.arange(len(person)), person)
    of = np.arange(len(person))
    duplicates = 1 + np.flatnonzero(rng.random(photos - 1) < DUPLICATES)
    of[duplicates] = rng.integers(0, duplicates)
    of[duplicates] = of[of[duplicates]]  # of a duplicate's duplicate the first one
    x, sketches = _vectors(shown, dim, rng)[of], _sketches(shown, rng)[of]
    x[duplicates] += 0.1 * x[duplicates].std() * rng.standard_normal((len(duplicates), dim), np.float32)
    grain = rng.integers(0, 3, (len(duplicates), SIDE * SIDE), np.uint8)
    sketches[duplicates] = np.minimum(sketches[duplicates], 252) + grain
    ids = [schema.digest("growth", str(seed), str(n)) for n in range(len(person))]
    base = {"face_id": ids, "identity": [f"m.{p:04}" for p in person.tolist()]}
    flat = pa.py_buffer(np.ascontiguousarray(sketches))
    offsets = pa.py_buffer(np.arange(len(ids) + 1, dtype=np.int32) * SIDE * SIDE)
    columns = {
        **base,
        "sha": [schema.digest(i, size=32) for i in ids],
        "sketch": pa.Array.from_buffers(pa.binary(), len(ids), [None, offsets, flat]),
        "size_px": np.full(len(ids), 80.0, np.float32),
    }
    nulls = {f.name: pa.nulls(len(ids), f.type) for f in schema.FACES}
    faces = pa.table([pa.array((nulls | columns)[f.name], f.type) for f in schema.FACES], schema=schema.FACES)
    unit = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float16)
    norms = pa.array(rng.uniform(15, 25, len(ids)), pa.float32())
    embeddings = pa.table([*base.values(), vector_column(unit), norms], schema=schema.embeddings(dim))
    return DrawnIdentity(faces, embeddings, len(duplicates))


def _vectors(shown: NDArray[np.int64], dim: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """The embeddings [n, dim] of photos that show these persons [n]."""
    persons, row = np.unique(shown, return_inverse=True)
    directions = rng.standard_normal((len(persons), dim), np.float32)
    length = PHOTO_NOISE * np.exp(rng.normal(0, PHOTO_SPREAD, (len(shown), 1))).astype(np.float32)
    return np.asarray((directions[row] + length * rng.standard_normal((len(shown), dim), np.float32)) * spectrum(dim))


def _sketches(shown: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The sketches [n, SIDE^2] of photos that show these persons [n]; all of one person look similar."""
    persons, row = np.unique(shown, return_inverse=True)
    looks, own = (rng.uniform(0, 255, (n, SMALL, SMALL)) for n in (len(persons), len(shown)))
    small = (COMMON * looks[row] + (1 - COMMON) * own).astype(np.float32)
    large = [cv2.resize(s, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC).ravel() for s in small]
    return np.clip(np.array(large), 0, 252).astype(np.uint8)


def _build(root: str, name: str, rows: pa.Table) -> Table:
    return build(root, name, _given, [name], schema=rows.schema, unhashed={"rows": rows})


def _given(part: str, *, rows: pa.Table) -> pa.Table:
    del part
    return rows
