"""Local contrasts of faces' sketches, by which two pictures are compared whatever their light and colour.

A pixel's local contrast is its value less the mean around it, divided by the deviation around it. Pixels that the
alignment invented, and those around them, do not count.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from pipeline.faces.sketch import SIDE
from pipeline.noise.pictures.registration import correlations
from pipeline.tables.columns import Mask

Floats = NDArray[np.float32]
MARGIN = 2  # pixels left out at each border, where a registered sketch may be empty
BORDER = 2  # pixels of a sketch around invented ones, into which blurring spreads their black
BLUR = 0.8  # pixels, standard deviation; removes finer detail, which recompression and rescaling change
AROUND = 4.0  # pixels, standard deviation of the surroundings that local contrast is measured in
NOISE = 8.0  # ranks, deviation that JPEG leaves in a flat area: weaker contrast does not count


def eroded(valid: Mask) -> Mask:
    """The valid pixels [n, side, side] all of whose neighbours within BORDER are valid."""
    side = valid.shape[1]
    reach = BORDER * side // SIDE
    inner = np.ones_like(valid)
    some = np.flatnonzero(~valid.all((1, 2)))
    framed = np.pad(valid[some], ((0, 0), (reach, reach), (reach, reach)), constant_values=True)
    shifts = range(2 * reach + 1)
    rows = np.logical_and.reduce([framed[:, y : y + side] for y in shifts])
    inner[some] = np.logical_and.reduce([rows[:, :, x : x + side] for x in shifts])
    return inner


@cache
def frame(side: int) -> Mask:
    """The pixels [side, side] but those at the margins."""
    inner = np.zeros((side, side), bool)
    inner[MARGIN : side - MARGIN, MARGIN : side - MARGIN] = True
    return inner


def blurred(pictures: NDArray[Any], deviation: float) -> Floats:
    """Pictures [n, side, side] blurred by a Gaussian of this standard deviation in pixels.

    Two products with a matrix are for pictures this small up to seven times as fast as filters.
    """
    along = _gaussian(pictures.shape[1], deviation)
    return np.asarray(along @ (pictures.astype(np.float32) @ along.T))


@cache
def _gaussian(side: int, deviation: float) -> Floats:
    """The matrix [side, side] that blurs a column of pixels, which is continued beyond its ends as in a mirror."""
    return np.asarray(gaussian_filter1d(np.eye(side), deviation, axis=0, mode="mirror"), np.float32)


def contrast_correlation(a: NDArray[Any], b: NDArray[Any], shared: Mask, around: float) -> Floats:
    """The correlation [n] of the local contrasts of pictures a and b, within their shared pixels [n, side, side]."""
    weight = shared.astype(np.float32)
    near = np.maximum(blurred(weight, around), 1e-3)
    x, y = (_local_contrast(p, weight, near, around).reshape(len(a), -1) for p in (a, b))
    return correlations(x, y, weight.reshape(len(a), -1))


def _local_contrast(pictures: NDArray[Any], weight: Floats, near: Floats, around: float) -> Floats:
    """Each pixel less the mean of the pixels around it, weighted, divided by their deviation; near: blurred weights."""
    weighted = pictures * weight
    mean = blurred(weighted, around) / near
    square = blurred(pictures * weighted, around) / near
    return np.asarray((pictures - mean) / np.sqrt(np.maximum(square - mean * mean, 0) + NOISE**2), np.float32)
