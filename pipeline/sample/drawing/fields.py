"""Smooth curves, smooth noise and painting on grids: the tools that the other modules draw with.

Convention: x to the right, y down, z towards the viewer, all in millimetres, the origin between the eyes.
"""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Field = NDArray[np.floating]  # float32 for pictures and grids


def gaussian(x: ArrayLike, centre: ArrayLike = 0.0, width: ArrayLike = 1.0) -> Field:
    """A Gaussian of height 1, its standard deviation `width`; the inputs are broadcast."""
    z = (np.asarray(x, np.float32) - np.asarray(centre, np.float32)) / np.asarray(width, np.float32)
    return np.asarray(np.exp(-0.5 * z * z), np.float32)


def smooth_step(x: ArrayLike, low: ArrayLike, high: ArrayLike) -> Field:
    """A smooth rise from 0 at `low` to 1 at `high` (a fall when high < low); the inputs are broadcast."""
    low, high = np.asarray(low, np.float32), np.asarray(high, np.float32)
    t = np.clip((np.asarray(x, np.float32) - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def smooth_noise(
    rng: np.random.Generator, size: tuple[float, float], grain: tuple[float, float], shape: tuple[int, int]
) -> Field:
    """Smooth noise [rows, columns] of about unit variance over an area of `size` mm, with lumps of `grain` mm.

    shape: rows and columns. The random numbers are drawn on a coarse grid of the lumps' size, so that the noise is the
    same at any resolution.
    """
    rows, columns = (int(s / g) + 3 for s, g in zip(size, grain, strict=True))
    lumps = rng.standard_normal((rows, columns), np.float32)
    return np.asarray(cv2.resize(lumps, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def resample(grid: Field, shape: tuple[int, int]) -> Field:
    """A grid [h, w(, c)] resampled to `shape` [rows, columns(, c)]; corner points stay corner points."""
    down, right = ((n - 1) / (m - 1) for n, m in zip(grid.shape[:2], shape, strict=True))
    matrix = np.array([[right, 0, 0], [0, down, 0]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(grid, matrix, shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32
    )


def paint_over(image: Field, colour: ArrayLike, share: Field) -> None:
    """Paint a colour [3] or [h, w, 3] over a picture [h, w, 3] in place; share [h, w]: the colour's opacity, 0 to 1."""
    image += (np.asarray(colour, np.float32) - image) * share[..., None]


def darken(image: Field, share: Field) -> None:
    """Darken a picture [h, w, 3] in place by a share [h, w] of its light, 0 to 1."""
    image *= (1 - share)[..., None]
