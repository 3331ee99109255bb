"""A world of embeddings without pixels, as large as one likes, with the noise of web data planted and known.

A person is a direction, a photo that direction and noise; names are persons with what the web adds: strangers, a
companion's photos, photos under another name, one person under two names, two persons under one, copies. Everything is
drawn from the seed and a number (of a name, of a person), so shards are made apart, in any order, and again the same.
"""

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, NamedTuple

import cv2
import numpy as np
import pyarrow as pa
import typer
from numpy.typing import NDArray

from flows.cli.result import Result
from flows.refine.take_out import parse_workers
from pipeline import schema
from pipeline.errors import UserError
from pipeline.faces.sketch import SIDE
from pipeline.schema import digest
from pipeline.tables.build import build
from pipeline.tables.columns import packed
from pipeline.tables.table import Table

STRANGER, FLIP, COMPANION, COPY = 0.15, 0.03, 0.3, 0.02  # of photos, of photos, of photos of such a name, of photos
WITH_COMPANION, SPLIT, TWICE = 0.05, 0.01, 0.01  # of names: a companion, two persons, a person who has another name
# How photos of LFW lie about their person as MobileFaceNet (MS1M) sees them, measured: the length of what a photo adds
# to its person is .83 in the middle, and 5, 1 and .1 in a hundred photos add 1.7, 2.2 and 3.2 times as much.
ADDED, OF_PERSON, OF_PHOTO = 0.83, 0.20, 0.29  # the middle; deviations of its logarithm, person by person and photo
KNEE = 48  # dimensions over which faces spread most: two strangers' cosines deviate by .09, not by 1/sqrt(512)
SIZES = 0.8  # deviation of the logarithm of a name's photos: of 100 on average one name in a hundred has 500
FACES_A_SHARD = 1 << 15
SMALL = 7  # pixels of what a sketch is enlarged from: smooth, as faces are
TRUTH = pa.schema([("face_id", pa.string()), ("identity", pa.string()), ("person", pa.int64()), ("kind", pa.string())])
Ints = NDArray[np.int64]


class Plan(NamedTuple):
    """What a world is drawn from."""

    identities: int
    faces: int
    dim: int
    seed: int


@dataclass(frozen=True)
class World(Result):
    """Where a world's tables lie: as those of a refinement, and the truth beside them."""

    root: str
    photos: Table
    faces: Table
    embeddings: Table
    truth: Table

    def rows(self) -> list[dict[str, Any]]:
        """How many photos of each kind there are."""
        kinds: dict[str, int] = {}
        for rows in self.truth.batches(["kind"]):
            for entry in rows["kind"].value_counts().to_pylist():
                kinds[entry["values"]] = kinds.get(entry["values"], 0) + entry["counts"]
        return [{"kind": kind, "photos": n} for kind, n in sorted(kinds.items())]

    def lines(self) -> list[str]:
        """What to do with it."""
        return [
            f"{len(self.photos)} photos without pixels in {self.root}",
            f"next: refinery benchmark noise {self.root}",
        ]


def world(
    root: Annotated[str, typer.Argument(metavar="OUT", help="A folder for its tables.")],
    identities: Annotated[int, typer.Option(help="Names.")] = 1000,
    faces: Annotated[int, typer.Option(help="Photos, about.")] = 100_000,
    dim: Annotated[int, typer.Option(help="Length of the vectors.")] = 512,
    seed: Annotated[int, typer.Option(help="Of everything.")] = 0,
    workers: Annotated[str, typer.Option(help="Processes, or the address of a Dask scheduler; default: threads.")] = "",
) -> World:
    """Draw embeddings of noisy names, with the truth, in bounded memory."""
    if identities < 2 or faces < 2 * identities or dim < 8:
        raise UserError(
            f"--identities {identities} --faces {faces} --dim {dim}: give 2 names, 2 photos a name, 8 numbers"
        )
    plan, many = Plan(identities, faces, dim, seed), parse_workers(workers)
    parts = [(i, max(1, -(-faces // FACES_A_SHARD))) for i in range(max(1, -(-faces // FACES_A_SHARD)))]
    made = {
        name: build(root, name, shard, parts, schema=columns, workers=many, plan=list(plan))
        for name, shard, columns in (
            ("photos", photos_shard, schema.PHOTOS),
            ("faces", faces_shard, schema.FACES),
            ("embeddings", embeddings_shard, schema.embeddings(dim)),
            ("truth", truth_shard, TRUTH),
        )
    }
    return World(root, **made)


class Drawn(NamedTuple):
    """One name's photos: whom each shows, its kind, and of which earlier photo it is a copy (-1: none)."""

    name: int
    person: Ints
    kind: NDArray[np.object_]
    copy_of: Ints


def _names(part: tuple[int, int], plan: Plan) -> list[Drawn]:
    i, of = part
    sizes = _sizes(plan)
    return [_draw(name, int(sizes[name]), plan) for name in range(i, plan.identities, of)]


def _sizes(plan: Plan) -> Ints:
    weight = np.exp(np.random.default_rng([plan.seed, 1]).normal(0, SIZES, plan.identities))
    return np.asarray(np.maximum(2, np.round(weight / weight.sum() * plan.faces)), np.int64)


def _draw(name: int, n: int, plan: Plan) -> Drawn:
    """Persons 0..identities-1 are the names' own; companions and second persons follow, strangers are below zero."""
    rng = np.random.default_rng([plan.seed, 2, name])
    twice = name > 0 and rng.random() < TWICE
    own = name - 1 if twice else name
    person, kind = np.full(n, own, np.int64), np.full(n, "clean", object)
    if rng.random() < SPLIT and n >= 8:
        second = rng.random(n) < 0.4
        person[second], kind[second] = plan.identities + name, "second"
    elif rng.random() < WITH_COMPANION and n >= 20:
        companion = rng.random(n) < COMPANION * rng.random()
        person[companion], kind[companion] = 2 * plan.identities + name, "companion"
    flip = rng.random(n) < FLIP
    person[flip] = rng.integers(0, plan.identities, int(flip.sum()))
    kind[flip & (person != own)] = "flip"
    stranger = rng.random(n) < STRANGER
    person[stranger] = -1 - (name * 100_000 + np.flatnonzero(stranger))
    kind[stranger] = "stranger"
    copy_of = np.full(n, -1, np.int64)
    for at in np.flatnonzero(rng.random(n) < COPY).tolist():
        if at and copy_of[first := int(rng.integers(0, at))] < 0:
            person[at], kind[at], copy_of[at] = person[first], "copy", first
    return Drawn(name, person, kind, copy_of)


def _id(drawn: Drawn, plan: Plan) -> list[str]:
    return [digest("drawn", str(plan.seed), str(drawn.name), str(k)) for k in range(len(drawn.person))]


def _named(drawn: Drawn) -> str:
    return f"m.{drawn.name:07}"


def _called(drawn: Drawn) -> list[str]:
    return [_named(drawn)] * len(drawn.person)


def _filled(columns: dict[str, pa.Array], rows: int, kinds: pa.Schema) -> pa.Table:
    """A table of these columns; the others are null."""
    return pa.table([columns.get(f.name, pa.nulls(rows, f.type)) for f in kinds], schema=kinds)


def photos_shard(part: tuple[int, int], *, plan: list[int]) -> pa.Table:
    """The photos of one shard: no files, for nobody reads them."""
    of, found = Plan(*plan), _names(part, Plan(*plan))
    keys = [f"{_named(d)}/{k:05}.jpg" for d in found for k in range(len(d.person))]
    zero = pa.array(np.zeros(len(keys), np.int64))
    columns = {
        "face_id": pa.array([f for d in found for f in _id(d, of)], pa.string()),
        "identity": pa.array([n for d in found for n in _called(d)], pa.string()),
        "source": pa.array(["drawn"] * len(keys), pa.string()),
        "key": pa.array(keys, pa.string()),
        "file": pa.array([""] * len(keys), pa.string()),
        **dict.fromkeys(("offset", "length", "modified"), zero),
    }
    return _filled(columns, len(keys), schema.PHOTOS)


def faces_shard(part: tuple[int, int], *, plan: list[int]) -> pa.Table:
    """The faces of one shard: sketches and digests to find copies by, half of the copies recompressed; no pictures."""
    of, found = Plan(*plan), _names(part, Plan(*plan))
    sketches, sha = [], []
    for drawn in found:
        rng = np.random.default_rng([of.seed, 3, drawn.name])
        small = rng.integers(0, 255, (len(drawn.person), SMALL * SMALL), np.uint8)
        first = np.where(drawn.copy_of >= 0, drawn.copy_of, np.arange(len(small)))
        pictures = np.clip(small[first].astype(np.float32) @ _enlarge(), 0, 255).astype(np.uint8)
        recompressed = np.flatnonzero((drawn.copy_of >= 0) & (np.arange(len(small)) % 2 == 1))
        grain = rng.integers(0, 3, (len(recompressed), SIDE * SIDE), np.uint8)
        pictures[recompressed] = np.clip(pictures[recompressed].astype(np.int16) + grain, 0, 255)
        first[recompressed] = recompressed
        ids = _id(drawn, of)
        sketches.append(pictures)
        sha += [digest("sha", ids[k], size=32) for k in first.tolist()]
    flat = np.concatenate(sketches) if sketches else np.zeros((0, SIDE * SIDE), np.uint8)
    edges = pa.array(np.arange(len(flat) + 1, dtype=np.int32) * SIDE * SIDE)
    columns = {
        "face_id": pa.array([f for d in found for f in _id(d, of)], pa.string()),
        "identity": pa.array([n for d in found for n in _called(d)], pa.string()),
        "sha": pa.array(sha, pa.string()),
        "sketch": pa.Array.from_buffers(pa.binary(), len(flat), [None, edges.buffers()[1], pa.py_buffer(flat)]),
        "score": pa.array(np.full(len(flat), 0.9), pa.float32()),
        "size_px": pa.array(np.full(len(flat), 80.0), pa.float32()),
    }
    return _filled(columns, len(flat), schema.FACES)


@cache
def _enlarge() -> NDArray[np.float32]:
    """What a small flat picture is multiplied by to give a sketch [SMALL^2, SIDE^2]."""
    one = cv2.resize(np.eye(SMALL, dtype=np.float32), (SMALL, SIDE), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(np.kron(one, one).T, np.float32)


def embeddings_shard(part: tuple[int, int], *, plan: list[int]) -> pa.Table:
    """The vectors of one shard."""
    of = Plan(*plan)
    ids, names, x = [], [], []
    for drawn in _names(part, of):
        ids += _id(drawn, of)
        names += _called(drawn)
        x.append(_vectors(drawn, of))
    flat = np.concatenate(x).astype(np.float16) if x else np.zeros((0, of.dim), np.float16)
    return pa.table(
        [pa.array(ids), pa.array(names), packed(flat), pa.array(np.full(len(ids), 20.0), pa.float32())],
        schema=schema.embeddings(of.dim),
    )


def _vectors(drawn: Drawn, of: Plan) -> NDArray[np.float32]:
    rng = np.random.default_rng([of.seed, 4, drawn.name])
    noise = rng.standard_normal((len(drawn.person), of.dim), np.float32)
    photo = np.exp(rng.normal(0, OF_PHOTO, len(drawn.person))).astype(np.float32)
    people, inverse = np.unique(drawn.person, return_inverse=True)
    centres, added = np.zeros((len(people), of.dim), np.float32), np.ones(len(people), np.float32)
    for row, person in enumerate(people.tolist()):
        if person >= 0:
            one = np.random.default_rng([of.seed, 5, person])
            centres[row] = one.standard_normal(of.dim, np.float32)
            added[row] = ADDED * np.exp(one.normal(0, OF_PERSON))
    x = (centres[inverse] + (added[inverse] * photo)[:, None] * noise) * spectrum(of.dim)
    copies = np.flatnonzero(drawn.copy_of >= 0)
    x[copies] = x[drawn.copy_of[copies]] + 0.1 * noise[copies] * spectrum(of.dim)
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), np.float32)


@cache
def spectrum(dim: int) -> NDArray[np.float32]:
    """How far faces spread in each dimension."""
    return np.asarray(1 / (1 + np.arange(dim) / KNEE), np.float32)


def truth_shard(part: tuple[int, int], *, plan: list[int]) -> pa.Table:
    """Whom each photo of one shard shows, and what kind it is."""
    of, found = Plan(*plan), _names(part, Plan(*plan))
    columns = [
        [f for d in found for f in _id(d, of)],
        [n for d in found for n in _called(d)],
        np.concatenate([d.person for d in found]) if found else [],
        [str(k) for d in found for k in d.kind],
    ]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, TRUTH, strict=True)], schema=TRUTH)
