"""Which faces of one identity may be one picture: the most similar ones, by embedding and by the centre of the face.

Each face has few candidates, however many photos the identity has, so that the pixels of a fixed number of pairs are
compared for each photo.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.faces.sketch import SIDE_OF_TONES, Tones

Floats = NDArray[np.float32]
Indices = NDArray[np.signedinteger[Any]]
# rows and columns of the tones that every crop of a face shows, from the forehead to the mouth
ROWS, COLUMNS = slice(6, 18), slice(4, 16)
BLOCK_SIDE = 2  # pixels
BLOCKS = 6  # per side of the centre, for the coarse comparison, which needs no registration
MIN_CENTRE = 0.55  # correlation of the blocks of two centres; 99.9% of 1,920 edited duplicates reach 0.57
# the same where the second centre is shifted by up to a pixel, whichever way is best; 99.9% of them reach 0.69
MIN_SHIFTED = 0.68
SHIFTS = [(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1)]
# candidates of a face. Among 100 photos of a person, 99.4% of these duplicates are among the 5 most similar ones; of
# photos of low quality among thousands, fewer are
NEAREST = 16
BLOCK_PAIRS = 1 << 22  # pairs of one identity compared at a time: 16 MB
BLOCK_SHIFTED = 1 << 16  # pairs whose centres are shifted at a time: 20 MB


def centre_vectors(tones: Tones, down: int = 0, across: int = 0) -> Floats:
    """A unit vector [BLOCKS^2] for each face; the product of two is the correlation of their centres' block means.

    down, across: by how many pixels the centre is shifted.
    """
    pictures = tones.reshape(-1, SIDE_OF_TONES, SIDE_OF_TONES)
    sums = np.zeros((len(tones), BLOCKS, BLOCKS), np.uint16)
    for row in range(ROWS.start + down, ROWS.start + down + BLOCK_SIDE):
        for column in range(COLUMNS.start + across, COLUMNS.start + across + BLOCK_SIDE):
            sums += pictures[:, row::BLOCK_SIDE, column::BLOCK_SIDE][:, :BLOCKS, :BLOCKS]
    vectors = sums.reshape(-1, BLOCKS**2).astype(np.float32)
    vectors = vectors * BLOCKS**2 - vectors.sum(1, keepdims=True)  # exact: all are integers below 2^24
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), np.float32)


def mirrored(vectors: Floats) -> Floats:
    """The vectors of the mirrored faces."""
    return np.ascontiguousarray(vectors.reshape(-1, BLOCKS, BLOCKS)[:, :, ::-1]).reshape(-1, BLOCKS**2)


def centre_correlations(tones: Tones, i: Indices, j: Indices) -> tuple[Floats, Floats]:
    """The highest correlations [n] of the centres of faces i with shifted centres of faces j, and of those mirrored."""
    plain, flipped = np.full((2, len(i)), -1, np.float32)
    centres = centre_vectors(tones)
    for down, across in SHIFTS:
        shifted = centre_vectors(tones, down, across)
        turned = mirrored(shifted)
        for start in range(0, len(i), BLOCK_SHIFTED):
            pairs = slice(start, start + BLOCK_SHIFTED)
            one, two = centres[i[pairs]], j[pairs]
            np.maximum(plain[pairs], np.einsum("nd,nd->n", one, shifted[two]), out=plain[pairs])
            np.maximum(flipped[pairs], np.einsum("nd,nd->n", one, turned[two]), out=flipped[pairs])
    return plain, flipped


class FacePairs(NamedTuple):
    """Pairs of rows of faces, and how alike their centres are, see centre_correlations()."""

    i: Indices  # the face of which more is to be seen; of equal ones the first row
    j: Indices
    as_is: Floats
    mirrored: Floats

    def are_alike(self) -> NDArray[np.bool_]:
        """Which pairs [n] have centres that are alike where one is shifted by up to a pixel, mirrored or not."""
        return np.asarray(np.maximum(self.as_is, self.mirrored) >= MIN_SHIFTED)

    def part(self, which: NDArray[np.bool_]) -> Self:
        """Those of a mask [n]."""
        return type(self)(self.i[which], self.j[which], self.as_is[which], self.mirrored[which])


def face_pairs(tones: Tones, area: Indices, i: Indices, j: Indices) -> FacePairs:
    """Pairs i, j [n], in either order, of faces with tones [m, SIDE_OF_TONES^2] of which `area` [m] pixels are seen."""
    one, two = np.minimum(i, j), np.maximum(i, j)
    one, two = np.where(area[one] >= area[two], (one, two), (two, one))
    rows, inverse = np.unique(np.concatenate([one, two]), return_inverse=True)
    return FacePairs(one, two, *centre_correlations(tones[rows], *np.split(inverse, 2)))


def near_pairs(x: Callable[[], Floats], centres: Floats) -> tuple[Indices, Indices]:
    """Pairs i < j of an identity's n faces whose centres are alike: of each face those with the NEAREST most similar.

    x: gives unit vectors [n, d], the embeddings; it is called where a face has more alike ones. centres: of the faces,
    centre_vectors(). The similarity of two faces is the sum of their cosine and of the correlation of their centres,
    one of them mirrored if that is higher. Of the n^2 pairs only these numbers are computed.
    """
    n, flipped = len(centres), mirrored(centres)
    nearest = min(NEAREST, n - 1)
    codes = [np.empty(0, np.int64)]
    step = max(1, BLOCK_PAIRS // max(n, 1))
    for start in range(0, n, step):
        block = slice(start, start + step)
        alike = centres[block] @ centres.T
        np.maximum(alike, centres[block] @ flipped.T, out=alike)
        near = alike >= MIN_CENTRE
        near[np.arange(len(near)), start + np.arange(len(near))] = False
        many = np.flatnonzero(np.count_nonzero(near, axis=1) > nearest)
        if len(many):
            vectors = x()
            # rounded, so that the order in which a BLAS adds decides nothing
            similarity = np.round(alike[many] + vectors[block][many] @ vectors.T, 4)
            similarity[~near[many]] = -9
            best = np.argpartition(-similarity, nearest, axis=1)[:, :nearest]
            chosen = np.zeros((len(many), n), bool)
            np.put_along_axis(chosen, best, values=True, axis=1)
            near[many] &= chosen
        if step >= n:  # all rows are here, in which a pair may be near in either order
            i, j = np.nonzero(np.triu(near | near.T))
            return i, j
        i, j = np.nonzero(near)
        if len(i):
            i += start
            codes.append(np.minimum(i, j) * n + np.maximum(i, j))
    if len(codes) == 1:
        return codes[0], codes[0]
    pairs = np.unique(np.concatenate(codes))
    return pairs // n, pairs % n
