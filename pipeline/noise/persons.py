"""The persons table: which clusters are human beings that the data set is about.

A person is an identity's largest cluster, or a further one large enough to be somebody and not company: an identity
that two people share gives two persons. One human being under two identities gives two persons that look alike.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.noise.calibration import read_calibration
from pipeline.noise.clusters import MANY_FACES, centres
from pipeline.noise.copies import impostor_columns, stored_face_vectors
from pipeline.noise.scores.far_curve import DECIMALS
from pipeline.noise.scores.fusion import Calibration, fuse, fused_scores
from pipeline.noise.scores.score_norm import (
    FaceVectors,
    Floats,
    as_double,
    leave_one_out_scores,
    score_matrix,
    take,
)
from pipeline.tables.columns import read_vectors, runs, texts
from pipeline.tables.table import Shard, read_shard

SECOND_FACES = 3  # of a further cluster before it may be a second person: two photos can be one lookalike's
SECOND_SHARE = 0.5  # of the largest cluster's size; smaller ones are company (a spouse, a co-star)
FEW_LONE = 500  # faces of an identity without any cluster, among which the most similar pair is looked for
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
)  # all but the vectors


@dataclass(frozen=True)
class Person:
    """One row of the persons table: see persons_schema(). The tuples hold a number or a vector for each embedder."""

    person: str
    identity: str
    cluster: int
    size: int
    of: int
    medoid: str
    cohesion: tuple[float | None, ...]
    likeness: tuple[float, ...]  # () for the identity's first person
    lengths: tuple[float, ...]
    centres: tuple[NDArray[np.float32], ...]


def persons_schema(dims: Sequence[int]) -> pa.Schema:
    """The columns of a persons table for embedders of the given dimensions."""
    return pa.schema(
        [
            ("person", pa.string()),  # the identity's name; a second person: name~the first letters of its medoid
            ("identity", pa.string()),
            ("cluster", pa.int32()),
            ("size", pa.int32()),  # faces that are no duplicates
            ("of", pa.int32()),  # such faces of the identity
            ("medoid", pa.string()),  # the face with the highest score with the centre
            # mean score of a face with the centre of the others; of a lone face: the identity's highest pair
            ("cohesion", pa.float32()),
            ("cohesion_second", pa.float32()),  # the same, second embedder
            ("likeness", pa.float32()),  # of a further person: score with the identity's first
            ("second", pa.float32()),  # the same, second embedder
            *((f"length{e}", pa.float32()) for e in range(len(dims))),  # mean cosine of the faces to the centre
            *((f"x{e}", pa.list_(pa.float32(), d)) for e, d in enumerate(dims)),  # the centre
        ]
    )


def person_shard(
    part: tuple[tuple[Shard, ...], Shard, Shard], *, root: str, calibration: Shard, faces: int, share: float
) -> pa.Table:
    """The persons of one shard; part: each embedder's embeddings, the copies and the clusters.

    faces and share: how many faces, and which share of the largest cluster, a further cluster needs to be a person.
    """
    embeddings, copies, clusters = part
    score_calibration = read_calibration(root, calibration)
    x, _ = read_vectors(root, embeddings)
    rows = read_shard(root, clusters, ["face_id", "identity", "cluster"])
    stored = read_shard(root, copies, ["copy_of", *impostor_columns(len(x))])
    labels = rows["cluster"].fill_null(-1).to_numpy().astype(np.int64)
    labels[np.asarray(stored["copy_of"].is_valid())] = -1
    ids, vectors = texts(rows["face_id"]), stored_face_vectors(x, stored)
    persons: list[Person] = []
    for identity, start, end in runs(rows["identity"]):
        at = start + np.flatnonzero(labels[start:end] >= 0)
        if len(at):
            sizes = np.bincount(labels[at])
            large = [c for c, n in enumerate(sizes.tolist()) if c == 0 or n >= max(faces, share * sizes[0])]
            of_identity = [as_double(take(v, at)) for v in vectors]
            persons += _persons(identity, ids[at], of_identity, labels[at], large, score_calibration)
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
    labels: NDArray[np.int64],
    large: Sequence[int],
    calibration: Calibration,
) -> Iterator[Person]:
    """The persons of one identity; ids, vectors, labels: of its faces [n]; large: the clusters that are persons."""
    members = [labels == c for c in large]
    middles = [centres(v, members, m) for v, m in zip(vectors, calibration.impostors, strict=True)]
    for row, member in enumerate(members):
        at, own = np.flatnonzero(member), [take(m, np.array([row])) for m in middles]
        faces = [take(v, at) for v in vectors]
        z = [score_matrix(f, o)[:, 0] for f, o in zip(faces, own, strict=True)]
        medoid = ids[at[fuse(z, calibration.weights).argmax()]]
        likeness = [float(score_matrix(o, m)[0, 0]) for o, m in zip(own, middles, strict=True)] if row else []
        yield Person(
            f"{identity}~{medoid[:8]}" if row else identity,
            identity,
            large[row],
            len(at),
            len(labels),
            medoid,
            tuple(_cohesion(vectors, faces, z, calibration)),
            tuple(likeness),
            tuple(float((f.x @ o.x[0]).mean()) for f, o in zip(faces, own, strict=True)),
            tuple(o.x[0].astype(np.float32) for o in own),
        )


def _cohesion(
    all_faces: Sequence[FaceVectors], faces: Sequence[FaceVectors], z: Sequence[Floats], calibration: Calibration
) -> list[float | None]:
    """How similar a person's faces are, for each embedder; of a lone face, the identity's two most similar ones.

    all_faces: of the identity; z: the scores of the person's faces with their centre, which is enough where there are
    so many that one does not move it. None: the identity has but one face.
    """
    if len(z[0]) > 1:
        if len(z[0]) < MANY_FACES:
            z = [leave_one_out_scores(f, m) for f, m in zip(faces, calibration.impostors, strict=True)]
        return [float(np.round(scores.mean(), DECIMALS)) for scores in z]
    n = len(all_faces[0].x)
    if n < 2:
        return [None] * len(all_faces)
    sample = [take(f, np.arange(min(n, FEW_LONE))) for f in all_faces]  # none are similar: the first are as good as any
    pairs = fused_scores(sample, sample, calibration)
    np.fill_diagonal(pairs, -np.inf)
    i, j = np.unravel_index(pairs.argmax(), pairs.shape)
    return [float(score_matrix(take(f, np.array([i])), take(f, np.array([j])))[0, 0]) for f in sample]
