"""Degradations of an aligned face, in steps from untouched to unrecognisable: they teach what lost information does.

The steps imitate what makes faces useless in photo collections: enlarged thumbnails, blur, visors and helmets, and
things that a detector takes for a face.
"""

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from pipeline.faces.align import SIZE
from pipeline.faces.picture import Image

ORIGINAL = "original"  # the name of the first step, which changes nothing
TILES = 4  # sides of a face of which the tiles are put in another order


def thumbnail(face: Image, *, side_px: int) -> Image:
    """The face [112, 112, 3] after it was reduced to side_px pixels and enlarged again."""
    small = cv2.resize(face, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC), np.uint8)


def blur(face: Image, *, sigma_px: float) -> Image:
    """The face [112, 112, 3] out of focus; sigma_px: of the Gaussian, in pixels of the face."""
    return np.asarray(cv2.GaussianBlur(face, (0, 0), sigma_px), np.uint8)


def visor(face: Image, *, share: float) -> Image:
    """The face [112, 112, 3] with its upper share covered in one dark colour, as by a helmet."""
    covered = face.copy()
    covered[: round(SIZE * share)] = (0.3 * face.reshape(-1, 3).mean(0)).astype(np.uint8)
    return covered


def shuffled_tiles(face: Image) -> Image:
    """The face [112, 112, 3] with its TILES x TILES tiles in another order: sharp, and not a face."""
    side = SIZE // TILES
    tiles = face.reshape(TILES, side, TILES, side, 3).transpose(0, 2, 1, 3, 4).reshape(TILES * TILES, side, side, 3)
    tiles = tiles[(np.arange(TILES * TILES) * 7 + 3) % (TILES * TILES)]
    return np.ascontiguousarray(tiles.reshape(TILES, TILES, side, side, 3).transpose(0, 2, 1, 3, 4)).reshape(face.shape)


# by name; with these sides and sigmas the score of a real face with its own original falls evenly from 10 to 0
STEPS: dict[str, Callable[[Image], Image]] = {
    ORIGINAL: np.asarray,
    **{f"thumbnail {side}": partial(thumbnail, side_px=side) for side in (24, 18, 14, 10, 7)},
    **{f"blur {sigma:g}": partial(blur, sigma_px=sigma) for sigma in (3.0, 4.5, 6.5)},
    **{f"visor {share:g}": partial(visor, share=share) for share in (0.45, 0.6, 0.75)},
    "shuffled tiles": shuffled_tiles,
}
