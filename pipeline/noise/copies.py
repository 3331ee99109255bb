"""The same picture, asked of a whole data set: twice under one name, under two names, in a test set.

Within a name pixels (the sketches) are compared pair by pair. Across names only digests travel: equal bytes, or nearly
equal hashes of the aligned face; the few pairs that agree are then looked at.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.faces.sketch import SIDE, sketch_hashes
from pipeline.noise.calibration import read_calibration
from pipeline.noise.same_picture import MIN_COARSE, coarse_vectors, picture_correlation
from pipeline.noise.score_norm import Seen, fuse, level, pairwise, seen
from pipeline.noise.search.neighbours import connected
from pipeline.tables.columns import non_null, read_vectors, runs
from pipeline.tables.table import Shard, read_shard

Sketches = NDArray[np.uint8]
Indices = NDArray[np.signedinteger[Any]]
COMPARED = 1 << 22  # pairs of one name compared at a time: 16 MB
ALIKE = 1e-3  # share of strangers that two faces must beat before they are looked at as one picture
COPIES = pa.schema(
    [
        ("face_id", pa.string()),
        ("identity", pa.string()),
        ("copy_of", pa.string()),  # the best of the copies; null for itself
        ("correlation", pa.float32()),  # with the likest of the copies; 1 for equal bytes
        ("hash", pa.uint64()),  # of the sketch
        ("norm", pa.float32()),  # of the first embedding: it falls with blur, and says which copy is best
        ("mean", pa.float64()),  # of the face's cosines to strangers, first embedder; worked out once for all stages
        ("deviation", pa.float64()),
        ("second_mean", pa.float64()),  # the same, second embedder
        ("second_deviation", pa.float64()),
    ]
)
STRANGERS = (("mean", "deviation"), ("second_mean", "second_deviation"))


def copy_shard(
    part: tuple[Shard, tuple[Shard, ...]], *, root: str, calibration: Shard, alike: float, least: float
) -> pa.Table:
    """The copies within each name of one shard; part: the faces' shard and the embedders'.

    alike: share of strangers that two faces must beat to come into question; least: correlation of the sketches.
    """
    faces, embeddings = part
    found = read_calibration(root, calibration)
    rows = read_shard(root, faces, ["face_id", "identity", "sha", "sketch"])
    norm = read_shard(root, embeddings[0], ["norm"])["norm"].to_numpy()
    x, there = read_vectors(root, embeddings)
    views = [seen(e, v) for e, v in zip(x, found.views, strict=True)]
    sketches, drawn = sketch_rows(rows["sketch"])
    usable, blocks, limit = there & drawn, coarse_vectors(sketches), level(found.tail, alike)
    sha = rows["sha"].combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy()
    pairs: list[tuple[Indices, Indices, NDArray[np.float64]]] = []
    for _, start, end in runs(rows["identity"]):
        at = start + np.flatnonzero(usable[start:end])
        if len(at) > 1:
            i, j = _candidates(blocks[at], sha[at])
            i, j = at[i], at[j]
            likely = (sha[i] == sha[j]) | (fuse(pairwise(views, i, views, j), found.weights) >= limit)
            pairs.append(_registered(sketches, sha, i[likely], j[likely], least))
    copy_of, correlation = np.full(len(there), -1, np.int64), np.full(len(there), np.nan)
    if pairs:
        i, j, r = (np.concatenate(column) for column in zip(*pairs, strict=True))
        best = _best(connected(len(there), i, j), norm)
        other = best != np.arange(len(there))
        copy_of[other] = best[other]
        np.fmax.at(correlation, np.concatenate([i, j]), np.concatenate([r, r]))
    strangers = [pa.array(c, pa.float64(), mask=~there) for v in views for c in v[1:]]
    strangers += [pa.nulls(len(there), pa.float64())] * (4 - len(strangers))
    return pa.table(
        [
            rows["face_id"],
            rows["identity"],
            rows["face_id"].take(pa.array(copy_of, mask=copy_of < 0)),
            pa.array(correlation, pa.float32(), from_pandas=True),
            pa.array(sketch_hashes(sketches), pa.uint64(), mask=~drawn),
            pa.array(norm, pa.float32(), from_pandas=True),
            *strangers,
        ],
        schema=COPIES,
    )


def against(embedders: int) -> list[str]:
    """The columns of COPIES that say how each of so many embedders sees a face against strangers."""
    return [column for names in STRANGERS[:embedders] for column in names]


def as_seen(x: Sequence[NDArray[Any]], rows: pa.Table) -> list[Seen]:
    """Faces x, for each embedder [n, d], as seen: with what rows of COPIES say of them."""
    return [
        Seen(e, *(rows[c].to_numpy(zero_copy_only=False) for c in names))
        for e, names in zip(x, STRANGERS, strict=False)
    ]


def _candidates(blocks: NDArray[np.float32], sha: Indices) -> tuple[Indices, Indices]:
    """Pairs i < j of one name that may be one picture: of equal bytes, or of like blocks."""
    found = []
    step = max(1, COMPARED // len(blocks))
    for at in range(0, len(blocks), step):
        alike = blocks[at : at + step] @ blocks.T >= MIN_COARSE
        alike |= sha[at : at + step, None] == sha[None]
        i, j = np.nonzero(alike)
        found.append(np.stack([i + at, j])[:, i + at < j])
    i, j = np.concatenate(found, axis=1)
    return i, j


def _registered(
    sketches: Sketches, sha: Indices, i: Indices, j: Indices, least: float
) -> tuple[Indices, Indices, NDArray[np.float64]]:
    """Those of the pairs that are one picture, and their correlation."""
    equal = (sha[i] == sha[j]).tolist()
    r = np.array(
        [1.0 if e else picture_correlation(sketches[a], sketches[b]) for a, b, e in zip(i, j, equal, strict=True)],
        np.float64,
    )
    return i[r >= least], j[r >= least], r[r >= least]


def sketch_rows(column: pa.ChunkedArray) -> tuple[Sketches, NDArray[np.bool_]]:
    """The sketches of a column [n, SIDE^2], zeros for null, and which are there [n]."""
    there = np.asarray(column.is_valid())
    found = non_null(column)
    if not len(found):
        return np.zeros((len(there), SIDE * SIDE), np.uint8), there
    edges = np.frombuffer(found.buffers()[1], np.int32)[found.offset :][: len(found) + 1]
    drawn = np.frombuffer(found.buffers()[2], np.uint8)[edges[0] : edges[-1]].reshape(len(found), -1)
    if there.all():
        return drawn, there
    rows = np.zeros((len(there), drawn.shape[1]), np.uint8)
    rows[there] = drawn
    return rows, there


def _best(group: NDArray[np.int64], norm: NDArray[Any]) -> NDArray[np.int64]:
    """For each row the row of its group with the largest norm, the first of equals."""
    order = np.lexsort((np.arange(len(group)), -norm, group))
    _, start = np.unique(group[order], return_index=True)
    best = np.empty(len(group), np.int64)
    best[order] = np.repeat(order[start], np.diff(np.append(start, len(group))))
    return best
