"""Which faces of one identity may be one picture: the most similar ones, by embedding and by the centre of the face.

Each face has few candidates, however many photos the identity has, so that the pixels of a fixed number of pairs are
compared for each photo.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.faces.sketch import SIDE_OF_TONES, Tones

Floats = NDArray[np.float32]
Indices = NDArray[np.signedinteger[Any]]
# rows and columns of the tones that every crop of a face shows, from the forehead to the mouth
ROWS, COLUMNS = slice(6, 18), slice(4, 16)
BLOCKS = 6  # per side of the centre, for the coarse comparison, which needs no registration
MIN_CENTRE = 0.5  # correlation of the blocks of two centres; 99.9% of 1,920 edited duplicates reach 0.57
# candidates of a face. Among 100 photos of a person, 99.4% of these duplicates are among the 5 most similar ones; of
# photos of low quality among thousands, fewer are
NEAREST = 16
BLOCK_PAIRS = 1 << 22  # pairs of one identity compared at a time: 16 MB


def centre_vectors(tones: Tones) -> Floats:
    """A unit vector [BLOCKS^2] for each face; the product of two is the correlation of their centres' block means."""
    centre = tones.reshape(-1, SIDE_OF_TONES, SIDE_OF_TONES)[:, ROWS, COLUMNS]
    side = centre.shape[1] // BLOCKS
    sums = centre.reshape(len(centre), BLOCKS, side, BLOCKS, side).sum((2, 4), dtype=np.int64).reshape(-1, BLOCKS**2)
    around_mean = (sums * BLOCKS**2 - sums.sum(1, keepdims=True)).astype(np.float64)  # exact integers
    lengths = np.linalg.norm(around_mean, axis=1, keepdims=True)
    return np.asarray(around_mean / np.maximum(lengths, 1e-9), np.float32)


def mirrored(vectors: Floats) -> Floats:
    """The vectors of the mirrored faces."""
    return np.ascontiguousarray(vectors.reshape(-1, BLOCKS, BLOCKS)[:, :, ::-1]).reshape(-1, BLOCKS**2)


def similar_pairs(x: Floats, centres: Floats) -> tuple[Indices, Indices]:
    """Pairs i < j of an identity's n faces that may be one picture: of each face those with the NEAREST most similar.

    x: unit vectors [n, d], the embeddings; centres: centre_vectors(). The similarity of two faces is the sum of their
    cosine and of the correlation of their centres, one of them mirrored if that is higher. Of the n^2 pairs only these
    numbers are computed.
    """
    n = len(x)
    flipped, nearest = mirrored(centres), min(NEAREST, n - 1)
    codes = [np.empty(0, np.int64)]
    step = max(1, BLOCK_PAIRS // max(n, 1))
    for start in range(0, n, step):
        block = slice(start, start + step)
        alike = centres[block] @ centres.T
        np.maximum(alike, centres[block] @ flipped.T, out=alike)
        near = alike >= MIN_CENTRE
        near[np.arange(len(near)), start + np.arange(len(near))] = False
        if near.any() and nearest < n - 1:
            alike += x[block] @ x.T
            # rounded, so that the order in which a BLAS adds decides nothing
            similarity = np.round(np.where(near, alike, np.float32(-9)), 4)
            best = np.argpartition(-similarity, nearest, axis=1)[:, :nearest]
            chosen = np.zeros_like(near)
            np.put_along_axis(chosen, best, values=True, axis=1)
            near &= chosen
        i, j = np.nonzero(near)
        i += start
        codes.append(np.minimum(i, j) * n + np.maximum(i, j))
    pairs = np.unique(np.concatenate(codes))
    return pairs // max(n, 1), pairs % max(n, 1)
