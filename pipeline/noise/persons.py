"""The persons table: which clusters of an identity are persons of the data set.

The largest cluster of an identity is a person. So is any further cluster of nearly that size, or of many faces: then
two people share the identity. Smaller clusters show people who were in the same photos. One human being under two
identities is two persons here; relations.py finds such pairs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.noise.copies import impostor_columns, stored_face_vectors
from pipeline.noise.face_quality.quality import founding_faces, weak_faces
from pipeline.noise.groups.calibrations import read_calibrations
from pipeline.noise.scores.centres import MANY_FACES, robust_centres
from pipeline.noise.scores.far_curve import DECIMALS
from pipeline.noise.scores.fusion import Calibration, fuse, fused_scores
from pipeline.noise.scores.score_norm import (
    FaceVectors,
    Floats,
    as_double,
    leave_one_out_scores,
    score_matrix,
    take_rows,
)
from pipeline.tables.columns import read_vectors, runs, texts
from pipeline.tables.table import Shard, read_shard

# faces, and share of the largest cluster's size, that a further cluster needs to be a second person: two photos may
# show one lookalike, and smaller clusters a spouse or a co-star
SECOND_PERSON = (3, 0.5)
# or so many faces and this share: a parent of the same name, say, whose photos are worth an identity of their own
LARGE_SECOND_PERSON = (30, 0.1)
MAX_LONE = 500  # faces of an identity without any cluster among which the most similar pair is searched
PERSON_COLUMNS = (
    "person",
    "identity",
    "cluster",
    "size",
    "of",
    "medoid",
    "cohesion",
    "cohesion_second",
    "likeness",
    "second",
)  # all but lengths and centres


@dataclass(frozen=True)
class Person:
    """One row of the persons table: see persons_schema(). Tuples hold a number or a vector for each embedder."""

    person: str
    identity: str
    cluster: int
    size: int
    of: int
    medoid: str
    cohesion: tuple[float | None, ...]
    likeness: tuple[float, ...]  # score with the identity's first person; () for the first person itself
    lengths: tuple[float, ...]
    centres: tuple[NDArray[np.float32], ...]


def persons_schema(dims: Sequence[int]) -> pa.Schema:
    """The columns of a persons table for embedders of the given dimensions."""
    return pa.schema(
        [
            # the identity's name; for a further person with ~ and the first 8 characters of its medoid
            ("person", pa.string()),
            ("identity", pa.string()),
            ("cluster", pa.int32()),  # its number in the clusters table
            ("size", pa.int32()),  # faces of the person, without duplicates and weak faces
            ("of", pa.int32()),  # faces of the identity, without duplicates
            ("medoid", pa.string()),  # the face_id with the highest score with the centre
            # mean score of the person's faces, each with the centre of the others; of a person with one face: the
            # highest score of two faces of the identity; null: the identity has a single face
            ("cohesion", pa.float32()),
            ("cohesion_second", pa.float32()),  # the same, second embedder
            ("likeness", pa.float32()),  # of a further person: its score with the first person of the identity
            ("second", pa.float32()),  # the same, second embedder
            *((f"length{e}", pa.float32()) for e in range(len(dims))),  # mean cosine of the faces to the centre
            *((f"x{e}", pa.list_(pa.float32(), d)) for e, d in enumerate(dims)),  # the robust centre
        ]
    )


def person_shard(
    part: tuple[tuple[Shard, ...], Shard, Shard, *tuple[Shard, ...]],
    *,
    root: str,
    calibration: Shard,
    few: tuple[int, float],
    many: tuple[int, float],
    groups: Sequence[Shard] | None = None,
) -> pa.Table:
    """The persons of one shard; part: the shards of each embedder's embeddings, of copies, of clusters, and perhaps of
    qualities.

    few, many: two rules by which a further cluster is a person: faces that it needs, and the share of the largest size.
    No person is made of weak faces (face_quality/quality.py): an identity of them alone has no row. groups: the
    GroupShards, if identities have groups.
    """
    embeddings, copies, clusters, *quality = part
    calibrations = read_calibrations(root, calibration, groups)
    x, _ = read_vectors(root, embeddings)
    rows = read_shard(root, clusters, ["face_id", "identity", "cluster"])
    stored = read_shard(root, copies, ["copy_of", *impostor_columns(len(x))])
    labels = rows["cluster"].fill_null(-1).to_numpy().astype(np.int64)
    labels[np.asarray(stored["copy_of"].is_valid())] = -1
    weak = weak_faces(root, quality, faces=len(rows))
    group = calibrations.numbers(rows["identity"])
    ids, vectors = texts(rows["face_id"]), calibrations.vectors(stored_face_vectors(x, stored), group)
    persons: list[Person] = []
    for identity, start, end in runs(rows["identity"]):
        clustered = start + np.flatnonzero(labels[start:end] >= 0)
        founds = founding_faces(weak[clustered])
        if founds.any():
            sizes = np.bincount(labels[clustered], founds)
            least = min(max(count, share * sizes[0]) for count, share in (few, many))
            person_clusters = [c for c, n in enumerate(sizes.tolist()) if c == 0 or n >= least]
            of_identity = [as_double(take_rows(v, clustered)) for v in vectors]
            persons += _persons(
                identity,
                ids[clustered],
                of_identity,
                [(labels[clustered] == c) & founds for c in person_clusters],
                person_clusters,
                calibrations.of(int(group[start])),
            )
    return _table(persons, [e.shape[1] for e in x])


def _table(persons: Sequence[Person], dims: Sequence[int]) -> pa.Table:
    schema = persons_schema(dims)
    if not persons:
        return schema.empty_table()

    def numbers(name: str, of_embedder: int) -> list[float | None]:
        values = [getattr(p, name) for p in persons]
        return [v[of_embedder] if of_embedder < len(v) else None for v in values]

    columns: dict[str, Any] = {
        **{name: [getattr(p, name) for p in persons] for name in PERSON_COLUMNS[:6]},
        **{name: numbers("cohesion", e) for e, name in enumerate(("cohesion", "cohesion_second"))},
        **{name: numbers("likeness", e) for e, name in enumerate(("likeness", "second"))},
        **{f"length{e}": numbers("lengths", e) for e in range(len(dims))},
    }
    for e, d in enumerate(dims):
        flat = pa.array(np.concatenate([p.centres[e] for p in persons]), pa.float32())
        columns[f"x{e}"] = pa.FixedSizeListArray.from_arrays(flat, d)
    return pa.table([columns[field.name] for field in schema], schema=schema)


def _persons(
    identity: str,
    ids: NDArray[np.object_],
    vectors: Sequence[FaceVectors],
    members: Sequence[NDArray[np.bool_]],
    person_clusters: Sequence[int],
    calibration: Calibration,
) -> Iterator[Person]:
    """The persons of one identity; ids, vectors: face_id and vector of each of its n faces; members, person_clusters:
    for each person which faces [n] it is made of, and the number of its cluster."""
    centres = [robust_centres(v, members, m) for v, m in zip(vectors, calibration.impostors, strict=True)]
    for number, member in enumerate(members):
        rows, centre = np.flatnonzero(member), [take_rows(c, np.array([number])) for c in centres]
        faces = [take_rows(v, rows) for v in vectors]
        z = [score_matrix(f, c)[:, 0] for f, c in zip(faces, centre, strict=True)]
        medoid = ids[rows[fuse(z, calibration.weights).argmax()]]
        with_persons = [score_matrix(c, every)[0] for c, every in zip(centre, centres, strict=True)] if number else []
        yield Person(
            person=f"{identity}~{medoid[:8]}" if number else identity,
            identity=identity,
            cluster=person_clusters[number],
            size=len(rows),
            of=len(ids),
            medoid=medoid,
            cohesion=tuple(_cohesion(vectors, faces, z, calibration)),
            likeness=tuple(float(scores[0]) for scores in with_persons),
            lengths=tuple(float((f.x @ c.x[0]).mean()) for f, c in zip(faces, centre, strict=True)),
            centres=tuple(c.x[0].astype(np.float32) for c in centre),
        )


def _cohesion(
    all_faces: Sequence[FaceVectors], faces: Sequence[FaceVectors], z: Sequence[Floats], calibration: Calibration
) -> list[float | None]:
    """How similar a person's faces are, for each embedder: see persons_schema().

    all_faces: those of the identity; faces: those of the person; z: their scores with the centre of all of them, used
    from MANY_FACES faces on, where one face hardly moves the centre. None: the identity has a single face.
    """
    if len(z[0]) > 1:
        if len(z[0]) < MANY_FACES:
            z = [leave_one_out_scores(f, m) for f, m in zip(faces, calibration.impostors, strict=True)]
        return [float(np.round(scores.mean(), DECIMALS)) for scores in z]
    n = len(all_faces[0].x)
    if n < 2:
        return [None] * len(all_faces)
    sample = [
        take_rows(f, np.arange(min(n, MAX_LONE))) for f in all_faces
    ]  # none are similar: the first are as good as any
    pairs = fused_scores(sample, sample, calibration)
    np.fill_diagonal(pairs, -np.inf)
    i, j = np.unravel_index(pairs.argmax(), pairs.shape)
    return [float(score_matrix(take_rows(f, np.array([i])), take_rows(f, np.array([j])))[0, 0]) for f in sample]
