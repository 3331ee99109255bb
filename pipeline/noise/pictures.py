"""The same picture, asked of a whole data set: twice under one name, under two names, in a test set.

Within a name pixels (the sketches) are compared pair by pair. Across names only digests travel: equal bytes, or nearly
equal hashes of the aligned face; the few pairs that agree are then looked at.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.noise.calibration import read_calibration
from pipeline.noise.columns import runs, texts, views_of
from pipeline.noise.duplicates import MIN_COARSE, SAME_PICTURE, coarse, same_picture, sketch_hash
from pipeline.noise.likeness import fuse, level, pairwise
from pipeline.noise.neighbours import connected, pairs_above
from pipeline.table import Shard, read_shard

Sketches = NDArray[np.uint8]
ALIKE = 1e-3  # share of strangers that two faces must beat before they are looked at as one picture
COPIES = pa.schema(
    [
        ("face_id", pa.string()),
        ("identity", pa.string()),
        ("copy_of", pa.string()),  # the best of the copies; null for itself
        ("correlation", pa.float32()),  # with the likest of the copies; 1 for equal bytes
        ("hash", pa.uint64()),  # of the sketch
        ("norm", pa.float32()),  # of the first embedding: it falls with blur, and says which copy is best
    ]
)


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
    x, there = views_of(root, embeddings)
    sketches, drawn = sketch_rows(rows["sketch"])
    there &= drawn
    ids, sha = texts(rows["face_id"]), texts(rows["sha"])
    copy_of, correlation = np.full(len(ids), None, object), np.full(len(ids), np.nan)
    for _, start, end in runs(rows["identity"]):
        at = start + np.flatnonzero(there[start:end])
        i, j, r = _within([e[at] for e in x], sketches[at], sha[at], found, level(found.tail, alike), least)
        group = connected(len(at), i, j)
        best = _best(group, norm[at])
        other = best != np.arange(len(at))
        copy_of[at[other]] = ids[at[best[other]]]
        np.fmax.at(correlation, at[np.concatenate([i, j])], np.concatenate([r, r]))
    hashes = np.array([sketch_hash(s) if t else 0 for s, t in zip(sketches, drawn, strict=True)], np.uint64)
    return pa.table(
        [
            rows["face_id"],
            rows["identity"],
            pa.array(copy_of, pa.string()),
            pa.array(correlation, pa.float32(), from_pandas=True),
            pa.array(hashes, pa.uint64(), mask=~drawn),
            pa.array(norm, pa.float32(), from_pandas=True),
        ],
        schema=COPIES,
    )


def copies(
    sketches: Sketches,
    *,
    min_coarse: float = MIN_COARSE,
    least: float = SAME_PICTURE,
    likely: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pairs i < j of sketches [n, SIDE^2] and their registered correlation, where it is at least `least`.

    min_coarse: blocky correlation below which a pair is not registered, which costs 1 ms. likely: which of the pairs
    that reach it may be one picture at all, by what else is known of them.
    """
    blocks = coarse(sketches)
    i, j = pairs_above(blocks, min_cosine=min_coarse - 1e-4)
    look = np.round(np.einsum("nd,nd->n", blocks[i], blocks[j]), 9) >= min_coarse
    i, j = i[look], j[look]
    if likely is not None:
        look = likely(i, j)
        i, j = i[look], j[look]
    r = np.array([same_picture(sketches[a], sketches[b]) for a, b in zip(i, j, strict=True)], np.float64)
    return i[r >= least], j[r >= least], r[r >= least]


def sketch_rows(column: pa.ChunkedArray) -> tuple[Sketches, NDArray[np.bool_]]:
    """The sketches of a column [n, SIDE^2], zeros for null, and which are there [n]."""
    found = column.to_pylist()
    side = next((len(s) for s in found if s is not None), 0)
    rows = np.zeros((len(found), side), np.uint8)
    for i, raw in enumerate(found):
        if raw is not None:
            rows[i] = np.frombuffer(raw, np.uint8)
    return rows, np.array([s is not None for s in found], bool)


def _within(
    x: Sequence[NDArray[Any]], sketches: Sketches, sha: NDArray[Any], found: Any, alike: float, least: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pairs of one name that are one picture: i, j and the correlation."""
    if len(sha) < 2:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)

    def likely(i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.asarray(fuse(pairwise(x, i, x, j, found), found.weights) >= alike)

    i, j, r = copies(sketches, least=least, likely=likely)
    _, first, inverse = np.unique(sha.astype(str), return_index=True, return_inverse=True)
    same = np.flatnonzero(first[inverse] != np.arange(len(sha)))
    ones = np.ones(len(same))
    return (
        np.concatenate([i, first[inverse[same]]]),
        np.concatenate([j, same]),
        np.concatenate([r, ones]),
    )


def _best(group: NDArray[np.int64], norm: NDArray[Any]) -> NDArray[np.int64]:
    """For each row the row of its group with the largest norm, the first of equals."""
    order = np.lexsort((np.arange(len(group)), -norm, group))
    _, start = np.unique(group[order], return_index=True)
    best = np.empty(len(group), np.int64)
    best[order] = np.repeat(order[start], np.diff(np.append(start, len(group))))
    return best
