"""Who the data set is about: the persons found under each name, and which of them are one.

A person is a name's largest group, or a further group large enough to be somebody and not company: a name that two
people carry gives two persons. One person under two names gives two persons that look like one.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.noise.calibration import read_calibration
from pipeline.noise.clusters import centres, to_centre
from pipeline.noise.columns import Mask, runs, texts, vectors, views_of
from pipeline.noise.likeness import (
    DECIMALS,
    Calibration,
    Floats,
    Seen,
    fuse,
    level,
    likeness,
    pairwise,
    some,
    together,
    views,
)
from pipeline.noise.neighbours import nearest
from pipeline.table import Shard, read_shard

SECOND_FACES = 3  # of a further group before it may be a second person: two photos can be one lookalike's
SECOND_SHARE = 0.5  # of the largest group's size; smaller ones are company (a spouse, a co-star)
DOUBT = 1e-4  # share of strangers that a person's faces must be more alike than, else people are asked if it is one
NEIGHBOURS = 10  # nearest persons that are looked at; one person has not more names than that
Centres = list[NDArray[np.float32]]  # for each embedder [persons, d], unit rows


class Persons(NamedTuple):
    """The persons of a data set, row by row: see persons_schema()."""

    person: NDArray[np.object_]
    identity: NDArray[np.object_]
    cluster: NDArray[np.int64]
    size: NDArray[np.int64]
    centres: Centres
    means: Centres  # not unit: the length is the mean cosine of the person's faces to the centre


def persons_schema(dims: Sequence[int]) -> pa.Schema:
    """The columns of a persons table for embedders of the given dimensions."""
    return pa.schema(
        [
            ("person", pa.string()),  # the identity's name; a second person: name~the first letters of its medoid
            ("identity", pa.string()),
            ("cluster", pa.int32()),
            ("size", pa.int32()),  # faces that are no copies
            ("of", pa.int32()),  # such faces under the name
            ("medoid", pa.string()),  # the face likest to the centre
            (
                "cohesion",
                pa.float32(),
            ),  # mean likeness of a face to the others' centre; alone: of the name's likest pair
            ("cohesion_second", pa.float32()),  # the same, second embedder
            ("likeness", pa.float32()),  # of a further person to the name's first
            ("second", pa.float32()),  # the same, second embedder
            *((f"length{e}", pa.float32()) for e in range(len(dims))),  # mean cosine of the faces to the centre
            *((f"x{e}", pa.list_(pa.float32(), d)) for e, d in enumerate(dims)),  # the centre
        ]
    )


def person_shard(
    part: tuple[tuple[Shard, ...], Shard, Shard], *, root: str, calibration: Shard, faces: int, share: float
) -> pa.Table:
    """The persons of one shard; part: the embedders' shards, the copies' and the clusters'.

    faces and share: how many faces, and which share of the largest group, a further group needs to be a person.
    """
    embeddings, copies, clusters = part
    found = read_calibration(root, calibration)
    x, _ = views_of(root, embeddings)
    rows = read_shard(root, clusters, ["face_id", "identity", "cluster"])
    group = rows["cluster"].fill_null(-1).to_numpy().astype(np.int64)
    group[read_shard(root, copies, ["copy_of"])["copy_of"].is_valid().to_numpy(zero_copy_only=False)] = -1
    ids = texts(rows["face_id"])
    made = [
        row
        for name, start, end in runs(rows["identity"])
        for row in _persons(name, ids[start:end], [e[start:end] for e in x], group[start:end], found, faces, share)
    ]
    return pa.Table.from_pylist(made, schema=persons_schema([e.shape[1] for e in x]))


def _persons(
    name: str, ids: NDArray[np.object_], x: Sequence[NDArray[Any]], group: NDArray[np.int64], found: Calibration,
    faces: int, share: float,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """The rows of one name; group [n]: of its faces, -1 for those that do not count."""
    voters = group >= 0
    ids, group, seen = ids[voters], group[voters], views([e[voters] for e in x], found)
    sizes = np.bincount(group)
    large = [g for g, size in enumerate(sizes.tolist()) if g == 0 or size >= max(faces, share * sizes[0])]
    members = [group == g for g in large] if len(group) else []
    middles = [centres(s, members) for s in seen]
    for row, member in enumerate(members):
        at, own = np.flatnonzero(member), [some(m, np.array([row])) for m in middles]
        medoid = ids[at[together([some(s, at) for s in seen], own, found)[:, 0].argmax()]]
        like = [float(likeness(o, m)[0, 0]) for o, m in zip(own, middles, strict=True)] if row else []
        yield {
            "person": f"{name}~{medoid[:8]}" if row else name, "identity": name, "cluster": large[row],
            "size": len(at), "of": len(group), "medoid": medoid,
            **dict(zip(("cohesion", "cohesion_second"), _cohesion(seen, member, found), strict=False)),
            **dict(zip(("likeness", "second"), like, strict=False)),
            **{f"length{e}": float((s.x[at] @ o.x[0]).mean()) for e, (s, o) in enumerate(zip(seen, own, strict=True))},
            **{f"x{e}": o.x[0].astype(np.float32) for e, o in enumerate(own)},
        }  # fmt: skip


def _cohesion(seen: Sequence[Seen], member: Mask, found: Calibration) -> list[float | None]:
    """How alike a person's faces are, in each embedder's view; of a lone one, the name's two likest. None: one face."""
    if member.sum() > 1:
        own = [some(s, member) for s in seen]
        return [float(np.round(z.mean(), DECIMALS)) for z in to_centre(own, np.ones(int(member.sum()), bool))]
    if len(member) < 2:
        return [None] * len(seen)
    few = [some(s, np.arange(min(len(member), 500))) for s in seen]  # none are alike: the first are as good as any
    pairs = together(few, few, found)
    np.fill_diagonal(pairs, -np.inf)
    i, j = np.unravel_index(pairs.argmax(), pairs.shape)
    return [float(likeness(some(s, np.array([i])), some(s, np.array([j])))[0, 0]) for s in few]


def read_persons(root: str, shards: Sequence[Shard], found: Calibration) -> Persons:
    """All persons that others can be compared with: whose faces are alike beyond DOUBT, or who have but one face."""
    rows = pa.concat_tables(read_shard(root, shard) for shard in shards)
    rows = rows.filter(pa.array(comparable(rows, found)))
    centres = [vectors(rows[c])[0].astype(np.float32) for c in rows.schema.names if c.startswith("x")]
    means = [c * rows[f"length{e}"].to_numpy()[:, None] for e, c in enumerate(centres)]
    number = rows["cluster"].to_numpy().astype(np.int64)
    return Persons(texts(rows["person"]), texts(rows["identity"]), number, rows["size"].to_numpy(), centres, means)


def comparable(rows: pa.Table, found: Calibration) -> Mask:
    """Which rows of persons are somebody: a doubtful person's centre is nobody's."""
    size, of = rows["size"].to_numpy(), rows["of"].to_numpy()
    z = [rows[c].to_numpy(zero_copy_only=False) for c in ("cohesion", "cohesion_second")[: len(found.views)]]
    with np.errstate(invalid="ignore"):
        sound = fuse(z, found.weights) >= level(found.tail, DOUBT)
    return np.asarray(((size > 1) & sound) | (of == 1))


def likest(
    queries: Sequence[NDArray[Any]], gallery: Sequence[NDArray[Any]], calibration: Calibration, *, k: int = NEIGHBOURS
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Query and gallery rows (i, j) that are among each other's k nearest in any embedder; sorted, each once.

    queries and gallery: for each embedder [n, d] and [m, d] unit rows. Candidates only: compare them with pairwise().
    """
    found = []
    for q, g, v in zip(queries, gallery, calibration.views, strict=True):
        _, rows = nearest(_centred(q, v.mean), _centred(g, v.mean), k)
        i = np.repeat(np.arange(len(q)), k)
        found.append(np.stack([i, rows.ravel()], 1)[rows.ravel() >= 0])
    pairs = np.unique(np.concatenate(found), axis=0) if found else np.empty((0, 2), np.int64)
    return pairs[:, 0], pairs[:, 1]


def _centred(x: NDArray[Any], mean: Floats) -> NDArray[np.float32]:
    """Unit rows about the mean of strangers: what all faces have in common tells nobody apart."""
    x = np.asarray(x, np.float32) - mean.astype(np.float32)
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9), np.float32)


def one_person(persons: Persons, calibration: Calibration) -> tuple[NDArray[np.int64], NDArray[np.int64], list[Floats]]:
    """Pairs of persons i < j that may be one, and their likeness in each embedder's view."""
    i, j = likest(persons.centres, persons.centres, calibration, k=NEIGHBOURS + 1)
    pairs = np.unique(np.sort(np.stack([i, j], 1)[i != j], axis=1), axis=0).reshape(-1, 2)
    i, j = pairs[:, 0], pairs[:, 1]
    return i, j, pairwise(persons.centres, i, persons.centres, j, calibration)
