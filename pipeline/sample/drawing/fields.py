"""Smooth curves and noise on grids: the strokes everything here is drawn with.

Convention: x to the right, y down, z towards the viewer, all in millimetres, the origin between the eyes.
"""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Field = NDArray[np.floating]  # float32 wherever there are pixels


def bell(at: ArrayLike, centre: ArrayLike = 0.0, width: ArrayLike = 1.0) -> Field:
    """A Gaussian of height 1, its standard deviation `width`; the inputs are broadcast."""
    away = (np.asarray(at, np.float32) - np.asarray(centre, np.float32)) / np.asarray(width, np.float32)
    return np.asarray(np.exp(-0.5 * away * away), np.float32)


def step(at: ArrayLike, low: ArrayLike, high: ArrayLike) -> Field:
    """A smooth rise from 0 at `low` to 1 at `high` (a fall when high < low); the inputs are broadcast."""
    low, high = np.asarray(low, np.float32), np.asarray(high, np.float32)
    t = np.clip((np.asarray(at, np.float32) - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def mottle(
    rng: np.random.Generator, size: tuple[float, float], grain: tuple[float, float], to: tuple[int, int]
) -> Field:
    """Smooth noise [rows, columns] `to` of about unit variance over an area of `size` mm, lumps as large as `grain` mm.

    The lumps are drawn on a grid of their own, so they are the same whatever the resolution.
    """
    rows, columns = (int(s / g) + 3 for s, g in zip(size, grain, strict=True))
    lumps = rng.standard_normal((rows, columns), np.float32)
    return np.asarray(cv2.resize(lumps, to[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def stretch(grid: Field, to: tuple[int, int]) -> Field:
    """A grid [h, w(, c)] resampled to [rows, columns(, c)] with corner on corner."""
    down, right = ((n - 1) / (m - 1) for n, m in zip(grid.shape[:2], to, strict=True))
    matrix = np.array([[right, 0, 0], [0, down, 0]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(grid, matrix, to[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32)


def over(below: Field, colour: ArrayLike, share: Field) -> None:
    """Paint a colour [3] or [h, w, 3] over a picture [h, w, 3] in place, as much as `share` [h, w] says."""
    below += (np.asarray(colour, np.float32) - below) * share[..., None]


def darken(below: Field, share: Field) -> None:
    """Take a share [h, w] of the light from a picture [h, w, 3] in place."""
    below *= (1 - share)[..., None]
