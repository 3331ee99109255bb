"""Registers many pairs of small pictures at once: finds the affine map under which two of them correlate most.

The method is that of Lucas and Kanade (inverse compositional: Baker and Matthews, IJCV 2004) on pictures of mean 0 and
deviation 1, so that brightness and contrast do not matter. For pictures this small it takes an eighth of the time of
OpenCV's findTransformECC, whose calls cost more than their arithmetic.

Convention: maps [n, 2, 3] take a pixel (x, y, 1) of the first picture, counted from the centre, to one of the second.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Pixels = NDArray[np.bool_]
Bounds = Sequence[float]
STEADY = 1e-3  # added to the diagonal of the normal equations, as a share of it: flat pictures have no solution
MAX_STEP = 0.2  # of a map's turns and scales in one round; a larger step has gone astray


def identity_maps(n: int) -> Floats:
    """n maps [n, 2, 3] that move nothing."""
    return np.tile(np.eye(2, 3, dtype=np.float32), (n, 1, 1))


def inverse_maps(maps: Floats) -> Floats:
    """The maps [n, 2, 3] that undo these."""
    return _inverse(maps.astype(np.float64)).astype(np.float32)


def register(
    pictures: tuple[Floats, Floats], valid: tuple[Pixels, Pixels], maps: Floats, *, rounds: int, least: Bounds = ()
) -> tuple[Floats, Floats]:
    """The correlation [n] of the first pictures with the second ones, registered on them, and the maps [n, 2, 3].

    pictures: two times [n, side, side]; valid: their pixels that are compared; maps: where the search begins. least:
    for the first rounds the correlation that a pair must have before the round; the search ends for a pair with less.
    """
    found, ends = np.empty(len(maps), np.float32), np.empty_like(maps)
    left, places = np.arange(len(maps)), maps.astype(np.float64)
    a, seconds = pictures[0], _corners(pictures[1], valid[1])
    compared = valid[0].astype(np.float32).reshape(len(a), -1)
    slopes: Floats | None = None
    for done in range(rounds + 1):
        two, weight = _sampled(seconds, left, places)
        weight *= compared
        one, two = _standardised(a.reshape(len(a), -1), weight), _standardised(two, weight)
        bound = least[done] if done < len(least) else None
        if done == rounds or bound is not None:
            found[left], ends[left] = _mean_product(one, two, weight), places
        if done == rounds:
            break
        if bound is not None:
            stay = found[left] >= bound
            if not stay.any():
                break
            left, places, a, one, two, weight, compared = (
                k[stay] for k in (left, places, a, one, two, weight, compared)
            )
            slopes = None if slopes is None else slopes[stay]
        if slopes is None:  # only now, as most pairs may be gone
            slopes = _slopes(a, compared)
        places = _moved(places, slopes, two - one, weight, most=a.shape[1] * MAX_STEP)
    return found, ends


def _slopes(pictures: Floats, weight: Floats) -> Floats:
    """How each pixel of pictures [n, side, side] changes with the six numbers of a map: [n, 6, side^2]."""
    flat = len(pictures), -1
    x, y = _coordinates(pictures.shape[1])
    even = _standardised(pictures.reshape(flat), weight).reshape(pictures.shape)
    down, across = (g.reshape(flat) for g in np.gradient(even, axis=(1, 2)))
    return np.stack([across * x, across * y, across, down * x, down * y, down], axis=1)


def _moved(
    places: NDArray[np.float64], slopes: Floats, error: Floats, weight: Floats, *, most: float
) -> NDArray[np.float64]:
    """The maps after a round. error [n, side^2]: of the pictures as the maps show them; most: pixels of a shift."""
    weighted = slopes * weight[:, None]
    normal = (weighted @ slopes.transpose(0, 2, 1)).astype(np.float64)
    diagonal = np.einsum("nii->ni", normal)
    diagonal *= 1 + STEADY
    diagonal += 1e-6
    step = np.linalg.solve(normal, (weighted @ error[:, :, None]).astype(np.float64)).reshape(-1, 2, 3)
    step[:, :, :2] = np.clip(step[:, :, :2], -MAX_STEP, MAX_STEP)
    step[:, :, 2] = np.clip(step[:, :, 2], -most, most)
    return _compose(places, _inverse(step + np.eye(2, 3)))


def warped(pictures: NDArray[Any], valid: Pixels, maps: Floats) -> tuple[Floats, Pixels]:
    """Pictures [n, side, side] as seen through maps, and where their valid pixels are seen; linear interpolation."""
    places = maps.astype(np.float64)
    pixels, weight = _sampled(_corners(pictures, valid), np.arange(len(pictures)), places)
    return pixels.reshape(pictures.shape), weight.reshape(pictures.shape) > 0


def correlations(a: Floats, b: Floats, weight: Floats) -> Floats:
    """The correlation [n] of the rows of a and b [n, m], with a weight for each number."""
    return _mean_product(_standardised(a, weight), _standardised(b, weight), weight)


def _mean_product(one: Floats, two: Floats, weight: Floats) -> Floats:
    return np.asarray((one * two * weight).sum(1) / np.maximum(weight.sum(1), 1e-6), np.float32)


def _coordinates(side: int) -> tuple[Floats, Floats]:
    """x and y [side^2] of the pixels, counted from the centre."""
    along = np.arange(side, dtype=np.float32) - (side - 1) / 2
    return np.tile(along, side), np.repeat(along, side)


def _standardised(x: Floats, weight: Floats) -> Floats:
    """Rows [n, m] with mean 0 and deviation 1 under these weights."""
    total = np.maximum(weight.sum(1, keepdims=True), 1e-6)
    x = x - (x * weight).sum(1, keepdims=True) / total
    deviation = np.sqrt((x * x * weight).sum(1, keepdims=True) / total)
    return np.asarray(x / np.maximum(deviation, 1e-3), np.float32)


class _Corners(NamedTuple):
    """What linear interpolation reads of n pictures: for each pixel two neighbours, and whether all four count."""

    side: int
    pairs: NDArray[np.complex64]  # [n * side^2]: the pixel and that on its right, as one number, for a single read
    valid: Floats  # [n * side^2]: 1 where the pixel, those on its right and below, and the fourth are valid, else 0


def _corners(pictures: NDArray[Any], valid: Pixels) -> _Corners:
    """The corners of pictures [n, side, side], of which pixels are valid."""
    pairs = np.zeros((*pictures.shape, 2), np.float32)
    pairs[..., 0] = pictures
    pairs[:, :, :-1, 1] = pictures[:, :, 1:]
    whole = np.zeros(pictures.shape, np.float32)
    rows = valid[:, :-1] & valid[:, 1:]
    whole[:, :-1, :-1] = rows[:, :, :-1] & rows[:, :, 1:]
    return _Corners(pictures.shape[1], pairs.reshape(-1).view(np.complex64), whole.reshape(-1))


def _sampled(corners: _Corners, rows: NDArray[np.int64], maps: NDArray[np.float64]) -> tuple[Floats, Floats]:
    """The pixels [n, side^2] of the pictures in these rows at the places of maps, and their weights.

    A weight is 1 where all pixels around the place are valid, else 0. The steps reuse their arrays, and take() gets
    64-bit places and no bounds to check: it is eight times as fast so, and this is the inner loop of all registrations.
    """
    side = corners.side
    x, y = _coordinates(side)
    places = maps.astype(np.float32)
    places[:, :, 2] += np.float32((side - 1) / 2)
    u, v = (places[:, k, :1] * x + places[:, k, 1:2] * y + places[:, k, 2:] for k in (0, 1))
    inside = (u >= 0) & (v >= 0) & (u <= side - 1) & (v <= side - 1)
    left, top = (np.clip(k, 0, side - 2).astype(np.int32) for k in (u, v))
    u, v = np.clip(u, 0, side - 1, out=u), np.clip(v, 0, side - 1, out=v)
    u -= left  # in place, as a 32-bit integer would make it a double
    v -= top
    top *= side
    top += left
    corner = top + (rows * side**2)[:, None]
    upper, lower = (corners.pairs.take(corner + below, mode="clip") for below in (0, side))
    pixels, further = (k.real + (k.imag - k.real) * u for k in (upper, lower))
    pixels += (further - pixels) * v
    weight = corners.valid.take(corner, mode="clip")
    weight *= inside
    return pixels, weight


def _compose(outer: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.float64]:
    """The maps that apply `inner` first and `outer` then."""
    product = outer[:, :, :2] @ inner
    product[:, :, 2] += outer[:, :, 2]
    return product


def _inverse(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = np.linalg.inv(maps[:, :, :2])
    return np.concatenate([linear, -(linear @ maps[:, :, 2:])], axis=2)
