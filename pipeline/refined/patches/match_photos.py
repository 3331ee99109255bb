"""Which photo of a copy is which photo of a patch, and which identity is which.

A photo is matched by its key if its bytes or its picture agree, else by its bytes, else by its picture. Where several
photos may be the same one, as with duplicates, the one under the same identity is taken, or none: identities are
matched by the majority of the photos that are matched without doubt, as copies may call them otherwise.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.refined.patches.candidate_pairs import (
    SURE_BITS,
    Rows,
    cosines,
    distances,
    equal_pairs,
    mutual_best,
    near_pairs,
    near_vectors,
    only_pairs,
)
from pipeline.refined.patches.indexed_photos import IndexedPhotos

NONE, KEY_AND_BYTES, KEY_AND_PICTURE, BYTES, PICTURE, PICTURE_AND_FACE = range(6)
WAYS = {
    KEY_AND_BYTES: "key and bytes",
    KEY_AND_PICTURE: "key and picture",
    BYTES: "bytes",
    PICTURE: "picture",
    PICTURE_AND_FACE: "picture and face",
}
# bits of 64: of LFW photos that were scaled and compressed in two ways 99.9% differ in at most 4
# (flows/benchmark/results/patches.md), the bits within which a hash alone counts (SURE_BITS)
KEY_BITS = 10  # where the key is the same, or the faces' embeddings agree
MIN_COSINE = 0.5  # of one photo's embeddings in two copies: other people's hardly reach it


@dataclass(frozen=True)
class Matches:
    """For each of n photos of a patch: the row of the same photo in the copy (-1: none), and how it was found.

    other_picture, not_compared: the copy's photo of the same key is another picture, or has nothing to compare it by;
    erased: it was erased on request.
    several: several photos of the copy may be the same one. identity: for each identity of the patch that of the copy.
    """

    row: Rows
    way: NDArray[np.int8]
    other_picture: NDArray[np.bool_]
    not_compared: NDArray[np.bool_]
    erased: NDArray[np.bool_]
    several: NDArray[np.bool_]
    identity: NDArray[np.int32]

    def by_way(self) -> dict[str, int]:
        """How many photos were found in each way."""
        return {words: int((self.way == way).sum()) for way, words in WAYS.items()}


@dataclass(frozen=True)
class _Pairs:
    """Pairs of rows that may be one photo, the way by which each is one, and what decides between several."""

    i: Rows
    j: Rows
    way: NDArray[np.int8]
    cost: NDArray[np.float32]

    def __getitem__(self, chosen: NDArray[np.bool_]) -> "_Pairs":
        return _Pairs(self.i[chosen], self.j[chosen], self.way[chosen], self.cost[chosen])


# the pairs of these rows of a patch with these rows of a copy that may be one photo
_Candidates = Callable[[IndexedPhotos, IndexedPhotos, Rows, Rows], _Pairs]


def match_photos(
    patch: IndexedPhotos, copy: IndexedPhotos, *, by_key: bool = True, erased: NDArray[np.bool_] | None = None
) -> Matches:
    """Match the photos of a patch with those of a copy of its data. by_key: whether the same key may say so.

    erased: which photos of the copy were erased on request, [len(copy)]; None: none was. Vectors count where both have
    them; they must be by the same model.
    """
    matching = _Matching(patch, copy)
    other_picture, not_compared, was_erased = np.zeros((3, len(patch)), bool)
    if by_key:
        pairs = _same_keys(patch, copy)
        matching.take(pairs[pairs.way > NONE])
        differ = pairs[pairs.way == NONE]
        if erased is not None:
            was_erased[differ.i] = erased[differ.j]
            differ = differ[~erased[differ.j]]
        comparable = patch.has_hash[differ.i] | copy.has_hash[differ.j]
        comparable &= patch.has_hash.any() & copy.has_hash.any()
        other_picture[differ.i[comparable]] = True
        not_compared[differ.i[~comparable]] = True
    matching.take_sure(_same_bytes)
    matching.take_sure(_same_pictures)
    several = np.zeros(len(patch), bool)
    for candidates in (_same_bytes, _same_pictures):
        left = matching.left(candidates)
        several[left.i] = True
        identity = matching.identities(left)
        matching.take(_under_same_identity(left, patch, copy, identity))
    unmatched = matching.row < 0
    return Matches(
        matching.row,
        matching.way,
        other_picture & unmatched,
        not_compared & unmatched,
        was_erased & unmatched,
        several & unmatched,
        matching.identities(),
    )


class _Matching:
    """The pairs that were taken so far; each photo is in one pair at most."""

    def __init__(self, patch: IndexedPhotos, copy: IndexedPhotos) -> None:
        self.patch, self.copy = patch, copy
        self.row, self.way = np.full(len(patch), -1, np.int64), np.zeros(len(patch), np.int8)
        self.taken = np.zeros(len(copy), bool)

    def take(self, pairs: _Pairs) -> None:
        """Take pairs, no two of which share a photo."""
        self.row[pairs.i], self.way[pairs.i], self.taken[pairs.j] = pairs.j, pairs.way, True

    def left(self, candidates: _Candidates) -> _Pairs:
        """The candidates among photos that are in no pair."""
        return candidates(self.patch, self.copy, np.flatnonzero(self.row < 0), np.flatnonzero(~self.taken))

    def take_sure(self, candidates: _Candidates) -> None:
        """Take the candidates of which each photo is in one alone."""
        pairs = self.left(candidates)
        self.take(pairs[only_pairs(pairs.i, pairs.j)])

    def identities(self, candidates: _Pairs | None = None) -> NDArray[np.int32]:
        """For each identity of the patch that of more than half of its photos in the copy; -1: there is none.

        candidates: those of photos that are not matched, which count where no photo of an identity is.
        """
        found = np.flatnonzero(self.row >= 0)
        count, a, b = len(self.patch.names), self.patch.identity, self.copy.identity
        identity = majority_identities(a[found], b[self.row[found]], count)
        if candidates is None:
            return identity
        pairs = np.unique(np.stack([candidates.i, b[candidates.j]]), axis=1)  # each photo counts once an identity
        likely = majority_identities(a[pairs[0]], pairs[1].astype(np.int32), count)
        has_match = np.isin(np.arange(count), a[found])
        return np.where(has_match, identity, likely)


def majority_identities(a: NDArray[np.int32], b: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """For each of `count` identities the one that more than half of its photos have in the other copy, -1: none.

    a, b [n]: the identities of n photos that are matched, in either copy; those without an identity are passed over.
    """
    named = (a >= 0) & (b >= 0)
    pairs, photos = np.unique(np.stack([a[named], b[named]], axis=1), axis=0, return_counts=True)
    all_photos = np.bincount(a[named], minlength=count)
    most = pairs[2 * photos > all_photos[pairs[:, 0]]]
    identity = np.full(count, -1, np.int32)
    identity[most[:, 0]] = most[:, 1]
    return identity


def _same_keys(patch: IndexedPhotos, copy: IndexedPhotos) -> _Pairs:
    """The pairs of photos whose key no other photo has; the way is NONE where neither bytes nor picture agree."""
    i, j = equal_pairs(patch.keys, copy.keys)
    alone = only_pairs(i, j)
    i, j = i[alone], j[alone]
    same_bytes = (patch.shas[i] == copy.shas[j]) & (patch.shas[i] > 0)
    bits = distances(patch.hashes, copy.hashes, i, j)
    same_picture = patch.has_hash[i] & copy.has_hash[j] & (bits <= KEY_BITS)
    way = np.where(same_bytes, KEY_AND_BYTES, np.where(same_picture, KEY_AND_PICTURE, NONE)).astype(np.int8)
    return _Pairs(i, j, way, bits.astype(np.float32))


def _same_bytes(patch: IndexedPhotos, copy: IndexedPhotos, rows: Rows, others: Rows) -> _Pairs:
    """The pairs of photos with the same bytes, among these rows of either."""
    rows, others = rows[patch.shas[rows] > 0], others[copy.shas[others] > 0]
    i, j = equal_pairs(patch.shas[rows], copy.shas[others])
    return _Pairs(rows[i], others[j], np.full(len(i), BYTES, np.int8), np.zeros(len(i), np.float32))


def _same_pictures(patch: IndexedPhotos, copy: IndexedPhotos, rows: Rows, others: Rows) -> _Pairs:
    """The pairs of photos whose hashes are near, and whose vectors are if they have any, among these rows of either.

    Of photos with vectors the hashes may differ in more bits.
    """
    rows, others = rows[patch.has_hash[rows]], others[copy.has_hash[others]]
    i, j = near_pairs(patch.hashes[rows], copy.hashes[others], SURE_BITS)
    i, j = rows[i], others[j]
    bits = distances(patch.hashes, copy.hashes, i, j).astype(np.float32)
    if patch.x is None or copy.x is None:
        return _Pairs(i, j, np.full(len(i), PICTURE, np.int8), bits)
    by_vector = near_vectors(patch.x[rows], copy.x[others])
    both = np.concatenate([np.stack([i, j]), np.stack([rows[by_vector[0]], others[by_vector[1]]])], axis=1)
    i, j = np.unique(both, axis=1)
    bits = distances(patch.hashes, copy.hashes, i, j).astype(np.float32)
    compared = patch.x[i].any(axis=1) & copy.x[j].any(axis=1)
    cosine = cosines(patch.x, copy.x, i, j)
    same = np.where(compared, (bits <= KEY_BITS) & (cosine >= MIN_COSINE), bits <= SURE_BITS)
    way = np.where(compared, PICTURE_AND_FACE, PICTURE).astype(np.int8)
    return _Pairs(i, j, way, bits)[same]


def _under_same_identity(
    pairs: _Pairs, patch: IndexedPhotos, copy: IndexedPhotos, identity: NDArray[np.int32]
) -> _Pairs:
    """Of several candidates of a photo the best one under the same identity; none where two are equally good.

    identity: for each identity of the patch that of the copy.
    """
    claimed = patch.identity[pairs.i]
    same = (claimed >= 0) & (identity[claimed] >= 0) & (identity[claimed] == copy.identity[pairs.j])
    pairs = pairs[same]
    return pairs[mutual_best(pairs.i, pairs.j, pairs.cost)]
