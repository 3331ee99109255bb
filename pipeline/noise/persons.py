"""Who the data set is about: the persons found under each name, and which of them are one.

A person is a name's largest group, or a further group large enough to be somebody and not company: a name that two
people carry gives two persons. One person under two names gives two persons that look like one.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.noise.calibration import read_calibration
from pipeline.noise.clusters import MANY, centres
from pipeline.noise.copies import against, as_seen
from pipeline.noise.score_norm import (
    DECIMALS,
    Calibration,
    Floats,
    Seen,
    View,
    doubled,
    fuse,
    level,
    likeness,
    pairwise,
    seen,
    some,
    to_others,
    together,
)
from pipeline.noise.search.neighbours import Index, indexed, nearest
from pipeline.tables.columns import Mask, read_vectors, runs, texts, vectors
from pipeline.tables.table import Shard, read_shard

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
    shard: NDArray[np.int64]  # the number of the shard that says so
    centres: list[Seen]
    around: list[Index]  # the centres about the mean of strangers: see likest()
    lengths: list[NDArray[np.float32]]  # for each embedder the mean cosine of the person's faces to the centre

    def means(self, rows: NDArray[np.int64]) -> Centres:
        """For each embedder the means [n, d] of the faces of some persons [n]: unlike the centres no unit vectors."""
        return [c.x[rows] * n[rows, None] for c, n in zip(self.centres, self.lengths, strict=True)]


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
    x, _ = read_vectors(root, embeddings)
    rows = read_shard(root, clusters, ["face_id", "identity", "cluster"])
    known = read_shard(root, copies, ["copy_of", *against(len(x))])
    group = rows["cluster"].fill_null(-1).to_numpy().astype(np.int64)
    group[np.asarray(known["copy_of"].is_valid())] = -1
    ids, faces_seen = texts(rows["face_id"]), as_seen(x, known)
    made: list[dict[str, Any]] = []
    for name, start, end in runs(rows["identity"]):
        at = start + np.flatnonzero(group[start:end] >= 0)
        of_name = [doubled(some(s, at)) for s in faces_seen]
        made += _persons(name, ids[at], of_name, group[at], found, faces, share) if len(at) else []
    columns = persons_schema([e.shape[1] for e in x])
    if not made:
        return columns.empty_table()
    return pa.table([_column([row.get(field.name) for row in made], field.type) for field in columns], schema=columns)


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(values), kind.value_type), kind.list_size)
    return pa.array(values, kind)


def _persons(
    name: str,
    ids: NDArray[np.object_],
    seen: Sequence[Seen],
    group: NDArray[np.int64],
    found: Calibration,
    faces: int,
    share: float,
) -> Iterator[dict[str, Any]]:
    """The rows of one name; group [n]: of its faces."""
    sizes = np.bincount(group)
    large = [g for g, size in enumerate(sizes.tolist()) if g == 0 or size >= max(faces, share * sizes[0])]
    members = [group == g for g in large]
    middles = [centres(s, members, v) for s, v in zip(seen, found.views, strict=True)]
    for row, member in enumerate(members):
        at, own = np.flatnonzero(member), [some(m, np.array([row])) for m in middles]
        faces_of = [some(s, at) for s in seen]
        z = [likeness(s, o)[:, 0] for s, o in zip(faces_of, own, strict=True)]
        medoid = ids[at[fuse(z, found.weights).argmax()]]
        like = [float(likeness(o, m)[0, 0]) for o, m in zip(own, middles, strict=True)] if row else []
        yield {
            "person": f"{name}~{medoid[:8]}" if row else name,
            "identity": name,
            "cluster": large[row],
            "size": len(at),
            "of": len(group),
            "medoid": medoid,
            **dict(zip(("cohesion", "cohesion_second"), _cohesion(seen, faces_of, z, found), strict=False)),
            **dict(zip(("likeness", "second"), like, strict=False)),
            **{f"length{e}": float((s.x @ o.x[0]).mean()) for e, (s, o) in enumerate(zip(faces_of, own, strict=True))},
            **{f"x{e}": o.x[0].astype(np.float32) for e, o in enumerate(own)},
        }


def _cohesion(
    seen: Sequence[Seen], faces: Sequence[Seen], z: Sequence[Floats], found: Calibration
) -> list[float | None]:
    """How alike a person's faces are, in each embedder's view; of a lone one, the name's two likest. None: one face.

    seen: all faces of the name; z: the likeness of the person's to their centre, which many faces do not move.
    """
    if len(z[0]) > 1:
        alike = z if len(z[0]) >= MANY else [to_others(f, v) for f, v in zip(faces, found.views, strict=True)]
        return [float(np.round(a.mean(), DECIMALS)) for a in alike]
    if len(seen[0].mean) < 2:
        return [None] * len(seen)
    first = np.arange(min(len(seen[0].mean), 500))  # none are alike: the first are as good as any
    few = [some(s, first) for s in seen]
    pairs = together(few, few, found)
    np.fill_diagonal(pairs, -np.inf)
    i, j = np.unravel_index(pairs.argmax(), pairs.shape)
    return [float(likeness(some(s, np.array([i])), some(s, np.array([j])))[0, 0]) for s in few]


def read_persons(root: str, shards: Sequence[Shard], model: Shard) -> Persons:
    """All persons that others can be compared with: whose faces are alike beyond DOUBT, or who have but one face.

    model: the shard of the calibration. A process keeps the last ones it read: every shard of a stage asks for them.
    """
    return _read_persons(root, tuple(shards), model)


@lru_cache(maxsize=1)
def _read_persons(root: str, shards: tuple[Shard, ...], model: Shard) -> Persons:
    found = read_calibration(root, model)
    of_shards = [_comparable(read_shard(root, shard), found) for shard in shards]
    rows, shard = pa.concat_tables(of_shards), np.repeat(np.arange(len(shards)), [len(r) for r in of_shards])
    names = [c for c in rows.schema.names if c.startswith("x")]
    centres = [seen(vectors(rows[c])[0], v) for c, v in zip(names, found.views, strict=True)]
    lengths = [rows[f"length{e}"].to_numpy() for e in range(len(centres))]
    number = rows["cluster"].to_numpy().astype(np.int64)
    around = [indexed(about_strangers(c.x, v)) for c, v in zip(centres, found.views, strict=True)]
    columns = texts(rows["person"]), texts(rows["identity"]), number, rows["size"].to_numpy(), shard
    return Persons(*columns, centres, around, lengths)


def _comparable(rows: pa.Table, found: Calibration) -> pa.Table:
    return rows.filter(pa.array(comparable(rows, found)))


def comparable(rows: pa.Table, found: Calibration) -> Mask:
    """Which rows of persons are somebody: a doubtful person's centre is nobody's."""
    size, of = rows["size"].to_numpy(), rows["of"].to_numpy()
    z = [rows[c].to_numpy(zero_copy_only=False) for c in ("cohesion", "cohesion_second")[: len(found.views)]]
    with np.errstate(invalid="ignore"):
        sound = fuse(z, found.weights) >= level(found.tail, DOUBT)
    return np.asarray(((size > 1) & sound) | (of == 1))


def likest(
    queries: Sequence[NDArray[np.float32]],
    gallery: Sequence[Index],
    *,
    k: int = NEIGHBOURS,
    memory_bytes: int | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Query and gallery rows (i, j) of which j is among the k nearest to i in any embedder; sorted, each once.

    queries and gallery: for each embedder rows [n, d] that about_strangers() gave. Candidates only: compare them with
    pairwise(). memory_bytes: of the blocks of the search.
    """
    found = []
    for q, g in zip(queries, gallery, strict=True):
        _, rows = nearest(q, g, k, memory_bytes=memory_bytes)
        i = np.repeat(np.arange(len(rows)), k)
        found.append((i * len(g) + rows.ravel())[rows.ravel() >= 0])
    pairs = np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
    i, j = np.divmod(pairs, max(1, len(gallery[0])))
    return i, j


def about_strangers(x: NDArray[Any], view: View) -> NDArray[np.float32]:
    """Unit rows about the mean of strangers: what all faces have in common tells nobody apart."""
    x = np.asarray(x, np.float32) - view.mean.astype(np.float32)
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), np.float32(1e-9))
    return x


def one_person(
    persons: Persons, mine: NDArray[np.int64], *, memory_bytes: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[Floats]]:
    """Pairs of persons i < j that may be one, one of the two among some rows, and their likeness in each embedder's
    view."""
    i, j = likest([a.x[mine] for a in persons.around], persons.around, k=NEIGHBOURS + 1, memory_bytes=memory_bytes)
    i = mine[i]
    pairs = np.unique(np.sort(np.stack([i, j], 1)[i != j], axis=1), axis=0).reshape(-1, 2)
    i, j = pairs[:, 0], pairs[:, 1]
    return i, j, pairwise(persons.centres, i, persons.centres, j)
