"""Whether two faces were cut from the same picture, decided by their sketches (see faces/sketch.py).

The aligned faces of two duplicates are the same picture, slightly shifted. Two tests propose candidates: hashes that
differ in few bits (across a whole data set), and the correlation of coarse blocks (within an identity). A slower and
stricter test decides: the correlation after one sketch is registered on the other (ECC, Evangelidis and Psarakis, PAMI
2008). Duplicates reach 0.99; two shots from the same second hardly reach 0.98.
"""

from functools import cache
from itertools import combinations

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.faces.sketch import CHUNK, SIDE, Sketches
from pipeline.tables.columns import Mask, non_null

Floats = NDArray[np.float32]
MARGIN = 3  # pixels left out at each border, where the face of a cropped duplicate may be empty
BLUR = 0.8  # pixels, standard deviation; removes finer detail, which recompression and rescaling change
MAX_SHARED = 64  # hashes with two equal quarters; quarters that more hashes share are not compared, see near_hashes()
# bits of 64 in which hashes of one picture may differ: 80% of 225 cropped or shrunk duplicates pass, and of the other
# pairs with two equal quarters 3%
MAX_BITS = 10
BLOCKS = 8  # per side of a sketch, for the coarse comparison, which needs no registration
ROUNDS, QUICK_ROUNDS = 20, 5  # iterations of the registration at full size and at half size
# correlation at half size; 490 duplicates reach 0.992, and of other similar pairs of a person 1 in 500 passes
MIN_QUICK = 0.97
# correlation of blocks; 99.6% of 556 duplicates (cropped to 70%, shrunk to 30%, JPEG quality 40) reach it
MIN_COARSE = 0.75
# correlation at full size; these duplicates reach 0.993; different shots at most 0.979 (the 1,500 most similar pairs of
# 683 people)
SAME_PICTURE = 0.987


def picture_correlation(a: Sketches, b: Sketches) -> float:
    """The correlation, -1..1, of two sketches [SIDE * SIDE] after the affine registration that maximises it.

    Sketches are registered at half size first, which rejects most different pictures at a quarter of the cost.
    """
    one, two = (s.reshape(SIDE, SIDE).astype(np.float32) for s in (a, b))
    half = [cv2.resize(s, (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_AREA) for s in (one, two)]
    quick = _registered(*half, margin=MARGIN // 2 + 1, rounds=QUICK_ROUNDS)
    return quick if quick < MIN_QUICK else _registered(one, two, margin=MARGIN, rounds=ROUNDS)


def _registered(one: NDArray[np.generic], two: NDArray[np.generic], *, margin: int, rounds: int) -> float:
    one, two = (cv2.GaussianBlur(s, (0, 0), BLUR) for s in (one, two))
    inner = np.ascontiguousarray(one[margin:-margin, margin:-margin])
    start = np.array([[1, 0, margin], [0, 1, margin]], np.float32)
    until = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, rounds, 1e-4)
    try:
        correlation, _ = cv2.findTransformECC(inner, two, start, cv2.MOTION_AFFINE, until, None, 1)
    except cv2.error:  # no convergence: the pictures are different
        return -1.0
    return round(float(correlation), 4)


def sketch_rows(column: pa.ChunkedArray) -> tuple[Sketches, Mask]:
    """The sketches of a column [n, SIDE^2], zeros for null, and which rows have one [n]."""
    valid = np.asarray(column.is_valid())
    values = non_null(column)
    if not len(values):
        return np.zeros((len(valid), SIDE * SIDE), np.uint8), valid
    edges = np.frombuffer(values.buffers()[1], np.int32)[values.offset :][: len(values) + 1]
    sketches = np.frombuffer(values.buffers()[2], np.uint8)[edges[0] : edges[-1]].reshape(len(values), -1)
    if valid.all():
        return sketches, valid
    rows = np.zeros((len(valid), sketches.shape[1]), np.uint8)
    rows[valid] = sketches
    return rows, valid


def coarse_vectors(sketches: Sketches) -> Floats:
    """A unit vector [BLOCKS^2] for each sketch; the product of two is the correlation of the sketches' block means."""
    vectors = np.empty((len(sketches), BLOCKS**2), np.float32)
    for start in range(0, len(sketches), CHUNK):
        sums = (sketches[start : start + CHUNK].astype(np.float32) @ _block_sums()).astype(np.float64)  # exact integers
        sums -= sums.mean(1, keepdims=True)
        vectors[start : start + CHUNK] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    return vectors


@cache
def _block_sums() -> Floats:
    """The matrix [SIDE * SIDE, BLOCKS^2] that turns a flat sketch into the sums of its BLOCKS x BLOCKS blocks."""
    if SIDE % BLOCKS:
        raise ValueError(f"{SIDE} pixels do not divide into {BLOCKS} blocks")
    one = np.repeat(np.eye(BLOCKS, dtype=np.float32), SIDE // BLOCKS, axis=0)
    return np.ascontiguousarray(np.kron(one, one), np.float32)


def near_hashes(hashes: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows i < j of the pairs of 64-bit hashes [n] that may be one picture; sorted, each pair once.

    Two hashes are a pair if two of their four 16-bit quarters are equal and they differ in at most MAX_BITS bits.
    Hashes that differ in few bits nearly always have two equal quarters, other hashes hardly ever. Two quarters that
    more than MAX_SHARED hashes share, such as those of black pictures, make no pairs.
    """
    quarters = [((hashes >> np.uint64(16 * q)) & np.uint64(0xFFFF)).astype(np.uint16) for q in range(4)]
    orders = [np.argsort(quarter, kind="stable") for quarter in quarters]  # fast: 16-bit numbers are sorted by counting
    pairs: list[NDArray[np.int64]] = [np.empty((0, 2), np.int64)]
    for p, q in combinations(range(4), 2):
        order = orders[q]
        order = order[np.argsort(quarters[p][order], kind="stable")]
        new = np.logical_or(*(np.diff(quarters[n][order]) != 0 for n in (p, q)))
        start = np.flatnonzero(np.append(True, new)[: len(order)])
        size = np.diff(np.append(start, len(order)))
        for n in range(2, MAX_SHARED + 1):
            members = order[start[size == n][:, None] + np.arange(n)]
            candidates = (members[:, [a, b]] for a, b in combinations(range(n), 2)) if len(members) else ()
            pairs += [c[_differ_in_few_bits(hashes, c)] for c in candidates]
    distinct = np.unique(np.concatenate(pairs), axis=0)
    return distinct[:, 0], distinct[:, 1]


def _differ_in_few_bits(hashes: NDArray[np.uint64], pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For each pair [n, 2] of rows, whether its hashes differ in at most MAX_BITS bits."""
    return np.asarray(np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]) <= MAX_BITS)
