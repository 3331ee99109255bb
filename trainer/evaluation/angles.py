"""Where a model puts people on the sphere, in degrees: ArcFace's Table 3, and the angles of its Figures 6 and 7.

Deng et al., "ArcFace" (CVPR 2019): how far classes' weights lie from the centres of their faces (W-EC) and from each
other (W-Inter), faces from their centre (Intra) and centres from each other (Inter).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError

AT_ONCE = 2048  # rows compared with all others at a time
Vectors = NDArray[np.float32]


class Angles(NamedTuple):
    """Mean angles in degrees; those that take the classifier's weights are nan without them."""

    faces: int
    classes: int
    w_ec: float
    w_inter: float  # to the nearest other weight
    intra: float
    inter: float  # to the nearest other centre


def angles(x: NDArray[Any], label: NDArray[np.integer], weights: NDArray[Any] | None = None) -> Angles:
    """The angles of unit rows x [n, d] with labels [n] 0..c-1, and of the classifier's weights [c, d].

    The centre of a class is the mean of its rows, made unit. Raises UserError for fewer than two classes, labels
    without a row, or weights of another shape.
    """
    x = _unit(np.asarray(x, np.float32))
    count = np.bincount(label)
    if len(count) < 2 or not count.all():
        raise UserError(f"{int((count > 0).sum())} of {len(count)} classes have a face: it takes two, and one of each")
    centres: Vectors = np.zeros((len(count), x.shape[1]), np.float32)
    np.add.at(centres, label, x)
    centres = _unit(centres)
    intra = float(_degrees(np.einsum("nd,nd->n", x, centres[label])).mean())
    w_ec = w_inter = float("nan")
    if weights is not None:
        if weights.shape != centres.shape:
            shapes = f"the weights are {list(weights.shape)}, the centres {list(centres.shape)}"
            raise UserError(f"{shapes}: give the weights of the same training")
        w = _unit(np.asarray(weights, np.float32))
        w_ec = float(_degrees(np.einsum("cd,cd->c", w, centres)).mean())
        w_inter = float(nearest(w).mean())
    return Angles(len(x), len(centres), w_ec, w_inter, intra, float(nearest(centres).mean()))


def nearest(x: Vectors) -> NDArray[np.float64]:
    """The angle [n] in degrees of each unit row [n, d] to the nearest other row."""
    found = []
    for start in range(0, len(x), AT_ONCE):
        cosines = x[start : start + AT_ONCE] @ x.T
        here = np.arange(len(cosines))
        cosines[here, start + here] = -2
        found.append(cosines.max(1))
    return _degrees(np.concatenate(found))


def angle_histogram(
    x: NDArray[Any], label: NDArray[np.integer], *, bins: int = 180, pairs: int = 2_000_000, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Edges [bins + 1] in degrees, and counts [bins] of the angles of pairs of one person, and of two.

    All pairs where there are no more than `pairs`, else so many that are drawn.
    """
    x = _unit(np.asarray(x, np.float32))
    edges: NDArray[np.float64] = np.linspace(0, 180, bins + 1, dtype=np.float64)
    same, different = np.zeros(bins, np.int64), np.zeros(bins, np.int64)
    for i, j in _drawn(len(x), pairs, seed):
        found = _degrees(np.einsum("nd,nd->n", x[i], x[j]))
        one = label[i] == label[j]
        same += np.histogram(found[one], edges)[0]
        different += np.histogram(found[~one], edges)[0]
    return edges, same, different


def _drawn(n: int, pairs: int, seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    step = 1 << 16
    if n * (n - 1) // 2 <= pairs:
        i, j = np.triu_indices(n, 1)
        for start in range(0, len(i), step):
            yield i[start : start + step], j[start : start + step]
        return
    rng = np.random.default_rng(seed)
    for start in range(0, pairs, step):
        many = min(step, pairs - start)
        i = rng.integers(0, n, many)
        yield i, (i + rng.integers(1, n, many)) % n


def _unit(x: Vectors) -> Vectors:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12), np.float32)


def _degrees(cosine: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(np.degrees(np.arccos(np.clip(cosine.astype(np.float64), -1, 1))))
