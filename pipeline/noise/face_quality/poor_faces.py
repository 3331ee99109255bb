"""Findings about faces that hold too little information to say whom they show."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.noise.findings import findings_table
from pipeline.tables.columns import texts

Rows = NDArray[np.signedinteger[Any]]


def poor_faces(
    faces: pa.Table, clusters: pa.Table, persons: pa.Table, quality: pa.Table | None, *, min_px: float
) -> Iterator[pa.Table]:
    """Faces smaller than min_px in their photos, and other weak faces in no cluster of a person of their identity.

    faces, clusters, quality (None: no face is weak): the same n rows; persons: those of the shard. The score of a small
    face is its size; a weak face has its quality in the column `second`, and no score.
    """
    ids, size = texts(faces["face_id"]), faces["size_px"].to_numpy(zero_copy_only=False).astype(np.float64)
    small = np.flatnonzero(size < min_px)
    evidence = [f"the face is {s:.0f} pixels wide" for s in size[small]]
    yield findings_table("poor", ids[small], [None] * len(small), [size[small]], evidence)
    if quality is None:
        return
    rows = _without_person(clusters, persons, np.flatnonzero(np.asarray(quality["weak"]) & ~(size < min_px)))
    z = quality["quality"].to_numpy(zero_copy_only=False)[rows]
    evidence = [f"too little to see: {v:.0%} of what a sharp face scores" for v in np.maximum(z, 0)]
    yield findings_table("poor", ids[rows], [None] * len(rows), [np.full(len(rows), np.nan), z], evidence)


def _without_person(clusters: pa.Table, persons: pa.Table, rows: Rows) -> Rows:
    """Those of these rows of clusters whose face has an identity, and is in no cluster of a person of several faces."""
    several = persons.filter(pc.greater(persons["size"], 1))
    person_clusters = set(zip(*(several[c].to_pylist() for c in ("identity", "cluster")), strict=True))
    columns = (clusters[c].take(pa.array(rows)).to_pylist() for c in ("identity", "cluster"))
    alone = [key[0] is not None and key not in person_clusters for key in zip(*columns, strict=True)]
    return np.asarray(rows[np.array(alone, bool)])
