"""Whether two faces were cut from the same picture, decided by their sketches (see faces/sketch.py).

The aligned faces of two duplicates are the same picture, slightly shifted, perhaps mirrored, with other tones. So one
sketch is registered on the other, and their local contrasts are correlated: each pixel less the mean around it, divided
by the deviation around it. Light and colour hardly change local contrast, but another expression does, so that two
shots of one scene, which look the same otherwise, are told apart.
"""

from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.faces.sketch import SIDE, Sketches, invented_pixels, tone_ranks
from pipeline.noise.pictures.half_size import (
    ComparedTones,
    alike_at_half_size,
    compared_tones,
    half_size_pictures,
)
from pipeline.noise.pictures.local_contrast import AROUND, BLUR, blurred, contrast_correlation, eroded, frame
from pipeline.noise.pictures.registration import inverse_maps, register, warped
from pipeline.noise.pictures.similar_faces import MIN_SHIFTED, FacePairs, face_pairs
from pipeline.tables.columns import Mask, non_null

Floats = NDArray[np.float32]
Pictures = NDArray[np.uint8]  # [n, side, side]
BURNT = (3, 248)  # grey values below and above which a picture that was made darker or brighter has lost its contrast
MIN_AREA = 0.25  # share of a sketch that two faces must have in common to be compared
# Of a face that was cut off less can differ, so what does differ counts more: 1 less the correlation is divided by the
# share of the sketch that is in common, to this power. The middle of a face changes least from one shot to the next
PART = 1.5
MAX_SHARED = 64  # hashes with two equal quarters; quarters that more hashes share are not compared, see near_hashes()
MAX_BITS = 10  # bits of 64 in which hashes with two equal quarters may differ
# of the registration at full size, which begins where that at half size ended; with 3 to 8 rounds the same 1,914 of
# 1,920 edited duplicates are found
ROUNDS = 4
PAIRS = 128  # registered at a time: 40 MB
NEARLY = 0.03  # below SAME_PICTURE, where the other order of the two pictures is tried
# correlation of local contrasts at full size; 1,920 edited duplicates reach 0.9558, and of 14,134 pairs of similar
# photos of LFW's people the highest has 0.950 (flows/benchmark/results/duplicates.md)
SAME_PICTURE = 0.955


def picture_correlations(sketches: Sketches, i: NDArray[Any], j: NDArray[Any]) -> Floats:
    """The correlation [n], -1..1, of sketches i [n] with sketches j [n] after registration, mirrored or not.

    sketches [m, SIDE^2]. A pair that differs at half size gets -1. The order of the two sketches does not matter.
    """
    rows, inverse = np.unique(np.concatenate([i, j]), return_inverse=True)
    sketches = sketches[rows]
    compared = compared_tones(sketches)
    return pair_correlations(sketches, compared, face_pairs(*compared, *np.split(inverse, 2)))


def pair_correlations(sketches: Sketches, compared: ComparedTones, pairs: FacePairs) -> Floats:
    """As picture_correlations(), of pairs whose centres are compared already; compared: of the sketches."""
    alike = pairs.are_alike()
    r = np.full(len(alike), -1.0, np.float32)
    r[alike] = _registered_correlations(sketches, compared, pairs.part(alike))
    return np.asarray(np.round(r, 4), np.float32)


def _registered_correlations(sketches: Sketches, compared: ComparedTones, pairs: FacePairs) -> Floats:
    rows, inverse = np.unique(np.concatenate([pairs.i, pairs.j]), return_inverse=True)
    one, two = np.split(inverse, 2)
    pictures = sketches[rows].reshape(-1, SIDE, SIDE)
    halves = half_size_pictures(sketches[rows], ComparedTones(compared.tones[rows], compared.area[rows]))
    area = halves.valid.sum((1, 2))
    r = np.full(len(one), -1.0, np.float32)
    for correlation, side, swap in (
        (pairs.as_is, 1, False),
        (pairs.mirrored, -1, False),
        (pairs.as_is, 1, True),
        (pairs.mirrored, -1, True),
    ):
        tried = (correlation >= MIN_SHIFTED) & (r < SAME_PICTURE)
        if swap:  # of a face that was cut off, the registration may succeed in one order only
            tried &= area[one] > area[two]
        a, b = (two, one) if swap else (one, two)
        alike, maps = alike_at_half_size(halves, a[tried], b[tried], side)
        alike = np.flatnonzero(tried)[alike]
        for start in range(0, len(alike), PAIRS):
            some, begin = alike[start : start + PAIRS], maps[start : start + PAIRS]
            found = _symmetric_correlations(pictures[a[some]], pictures[b[some]][:, :, ::side], begin)
            r[some] = np.maximum(r[some], found)
    return r


def _symmetric_correlations(a: Pictures, b: Pictures, maps: Floats) -> Floats:
    """The correlation [n] of b registered on a or, where that nearly reaches SAME_PICTURE, of a registered on b."""
    r = _full_size_correlations(a, b, maps)
    near = np.flatnonzero((r >= SAME_PICTURE - NEARLY) & (r < SAME_PICTURE))
    if len(near):
        r[near] = np.maximum(r[near], _full_size_correlations(b[near], a[near], inverse_maps(maps[near])))
    return r


def _full_size_correlations(a: Pictures, b: Pictures, maps: Floats) -> Floats:
    """The correlation [n] of the local contrasts of a and b; maps: where the registration begins."""
    present = ~invented_pixels(a), ~invented_pixels(b)
    both = present[0] & present[1]
    tones = blurred(tone_ranks(a, both), BLUR), blurred(tone_ranks(b, both), BLUR)
    valid = eroded(present[0]) & frame(SIDE), eroded(present[1])
    r, maps = register(tones, valid, maps, rounds=ROUNDS)
    grey_a, (grey_b, seen) = blurred(a, BLUR), warped(blurred(b, BLUR), valid[1], maps)
    inner = valid[0] & seen
    lasting = inner & (np.minimum(grey_a, grey_b) >= BURNT[0]) & (np.maximum(grey_a, grey_b) <= BURNT[1])
    shared = np.where(lasting.mean((1, 2), keepdims=True) >= MIN_AREA, lasting, inner)
    x, y = (tone_ranks(np.rint(p).astype(np.uint8), shared) for p in (grey_a, grey_b))
    found = contrast_correlation(x, y, shared, AROUND)
    common = np.maximum(inner.mean((1, 2)), MIN_AREA) / frame(SIDE).mean()
    found = np.maximum(1 - (1 - found) / common**PART, -1)
    return np.where((r > 0) & (shared.mean((1, 2)) >= MIN_AREA), found, np.float32(-1))


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
