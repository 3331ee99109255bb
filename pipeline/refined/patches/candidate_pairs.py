"""Pairs of photos of two copies that may be the same: equal digests, near hashes, and near vectors.

Pairs come as two arrays of rows, i of the first copy and j of the second one.
"""

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.noise.search.neighbours import nearest

Rows = NDArray[np.int64]
Words = NDArray[np.uint64]
CHUNKS = 6  # of a hash: of two that differ in 4 bits, two chunks at least are equal
SURE_BITS = CHUNKS - 2
MAX_SHARED = 256  # values that more photos share, such as those of black pictures, make no pairs
BLOCK_ROWS = 16384  # of the first copy that are compared at a time: at most 4 million pairs
NEAREST = 4  # vectors of the second copy that are compared with one of the first


def equal_pairs(a: NDArray[Any], b: NDArray[Any]) -> tuple[Rows, Rows]:
    """Rows (i, j) with a[i] = b[j], but those of values that more than MAX_SHARED rows of either share."""
    order = np.argsort(b, kind="stable")
    pairs = [_joined(a, b[order], order, start) for start in range(0, len(a), BLOCK_ROWS)]
    return _concatenated(pairs)


def near_pairs(a: Words, b: Words, bits: int = SURE_BITS) -> tuple[Rows, Rows]:
    """Rows (i, j) of the hashes a and b that differ in at most `bits` bits; each pair once, ordered by i.

    Two hashes are compared if two of six chunks are equal, so that no pair with SURE_BITS is missed.
    """
    chunks_a, chunks_b = _chunks(a), _chunks(b)
    found: list[Rows] = [np.zeros(0, np.int64)]
    for p, q in combinations(range(CHUNKS), 2):
        of_a, of_b = (chunks[:, p].astype(np.int64) << 16 | chunks[:, q] for chunks in (chunks_a, chunks_b))
        order = np.argsort(of_b, kind="stable")
        of_b = of_b[order]
        for start in range(0, len(a), BLOCK_ROWS):
            i, j = _joined(of_a, of_b, order, start)
            near = distances(a, b, i, j) <= bits
            found.append(i[near] * max(1, len(b)) + j[near])
    pairs = np.unique(np.concatenate(found))
    return pairs // max(1, len(b)), pairs % max(1, len(b))


def near_vectors(a: NDArray[np.float16], b: NDArray[np.float16]) -> tuple[Rows, Rows]:
    """Rows (i, j) of unit vectors a [n, d] and those of b [m, d] that are nearest to each, NEAREST of them."""
    rows_a, rows_b = np.flatnonzero(a.any(axis=1)), np.flatnonzero(b.any(axis=1))
    if not len(rows_a) or not len(rows_b):
        return rows_a[:0], rows_b[:0]
    _, found = nearest(a[rows_a], b[rows_b], NEAREST)
    i, k = np.nonzero(found >= 0)
    return rows_a[i], rows_b[found[i, k]]


def distances(a: Words, b: Words, i: Rows, j: Rows) -> NDArray[np.uint8]:
    """In how many bits the hashes a[i] and b[j] differ, for each pair."""
    return np.asarray(np.bitwise_count(a[i] ^ b[j]), np.uint8)


def cosines(a: NDArray[np.float16], b: NDArray[np.float16], i: Rows, j: Rows) -> NDArray[np.float32]:
    """The cosines of the unit vectors a[i] and b[j], for each pair; rounded, so that no order of adding decides."""
    found = np.zeros(len(i), np.float32)
    for start in range(0, len(i), BLOCK_ROWS):
        pairs = slice(start, start + BLOCK_ROWS)
        found[pairs] = np.einsum("nd,nd->n", a[i[pairs]].astype(np.float64), b[j[pairs]].astype(np.float64))
    return np.round(found, 4)


def mutual_best(i: Rows, j: Rows, cost: NDArray[Any]) -> NDArray[np.bool_]:
    """Which pairs cost less than every other pair of the same i and every other pair of the same j."""
    return _best(i, cost) & _best(j, cost)


def only_pairs(i: Rows, j: Rows) -> NDArray[np.bool_]:
    """Which pairs are the only ones of their i and of their j."""
    return _best(i, np.zeros(len(i))) & _best(j, np.zeros(len(j)))


def _best(rows: Rows, cost: NDArray[Any]) -> NDArray[np.bool_]:
    """Which pairs cost less than every other pair of the same row."""
    order = np.lexsort((cost, rows))
    rows, cost = rows[order], cost[order]
    first = np.append(True, rows[1:] != rows[:-1])[: len(rows)]
    tied = np.append((rows[1:] == rows[:-1]) & (cost[1:] == cost[:-1]), np.zeros(min(1, len(rows)), bool))
    best = np.zeros(len(rows), bool)
    best[order] = first & ~tied
    return best


def _chunks(hashes: Words) -> NDArray[np.uint16]:
    """Six numbers [n, 6] of each hash; chunk c has its bits c, c + 6, c + 12, ..."""
    bits = np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1)
    chunks = [np.packbits(bits[:, c::CHUNKS], axis=1, bitorder="little") for c in range(CHUNKS)]
    return np.stack([c[:, 0] | c[:, 1].astype(np.uint16) << 8 for c in chunks], axis=1)


def _joined(a: NDArray[Any], sorted_b: NDArray[Any], order: Rows, start: int) -> tuple[Rows, Rows]:
    """The pairs of equal values of a[start : start + BLOCK_ROWS] and of b; order: sorts b."""
    values, row, count = np.unique(a[start : start + BLOCK_ROWS], return_inverse=True, return_counts=True)
    low = np.asarray(np.searchsorted(sorted_b, values, "left"))
    shared = np.asarray(np.searchsorted(sorted_b, values, "right")) - low
    shared[(shared > MAX_SHARED) | (count > MAX_SHARED)] = 0
    pairs = shared[row]
    i = np.repeat(np.arange(len(row)), pairs)
    place = np.arange(len(i)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    return i + start, order[np.repeat(low[row], pairs) + place]


def _concatenated(pairs: list[tuple[Rows, Rows]]) -> tuple[Rows, Rows]:
    empty = np.zeros(0, np.int64)
    return np.concatenate([empty, *(i for i, _ in pairs)]), np.concatenate([empty, *(j for _, j in pairs)])
