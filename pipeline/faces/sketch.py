"""A sketch: a 40x40 grey picture of an aligned face, kept in the faces table, and its 64-bit perceptual hash.

Duplicates of a photo may be cropped, rescaled, recoloured, mirrored or recompressed, but their aligned faces are nearly
the same picture. So duplicates are searched among the sketches and hashes of faces (noise/pictures/same_picture.py),
not among photos. Sketches are compared by tones, not by grey values, and without pixels that the alignment invented.
"""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces.picture import Image

Sketches = NDArray[np.uint8]  # [n, SIDE * SIDE]
Tones = NDArray[np.uint8]  # [n, SIDE_OF_TONES * SIDE_OF_TONES]
Pixels = NDArray[np.bool_]  # a mask [n, side, side]
SIDE = 40  # pixels; the smallest sketch that separates duplicates from lookalikes (32 is too small, 56 no better)
SIDE_OF_TONES = SIDE // 2
BLACK = 4  # grey values up to this are black, after a JPEG as well
FEW_BLACK = (
    0.02  # share of a picture; less black at its borders is dark hair or shadow, not a missing part of the photo
)
CHUNK = 512  # sketches at a time: 4 MB; with 256 it takes a sixth longer, with 2,048 as well


def sketch(face: Image) -> bytes:
    """The sketch of an aligned face [h, w, 3], or of its grey values [h, w]: SIDE x SIDE bytes of a grey picture."""
    small = cv2.resize(grey_values(face), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8).tobytes()


def grey_values(face: Image) -> Image:
    """The grey values [h, w] of a picture [h, w, 3]; one that is grey already stays as it is."""
    return face if face.ndim == 2 else np.asarray(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), np.uint8)


def invented_pixels(pictures: NDArray[np.uint8]) -> Pixels:
    """Which pixels of grey pictures [n, side, side] lie outside the photo that the face was cut from.

    The alignment makes them black. A pixel counts if it and all pixels between it and a border are black.
    """
    black = pictures <= BLACK
    few = FEW_BLACK * pictures[:1].size
    invented = np.zeros_like(black)
    some = np.flatnonzero(np.count_nonzero(black, axis=(1, 2)) > few)
    if len(some):
        outside = _joined_to_border(black[some])
        invented[some] = outside & (np.count_nonzero(outside, axis=(1, 2)) > few)[:, None, None]
    return invented


def _joined_to_border(black: Pixels) -> Pixels:
    """Which pixels [n, side, side] are black, as are all from them to a border, straight up, down, left or right."""
    lines = np.ascontiguousarray(black.transpose(1, 2, 0))  # a pixel of all pictures at a time: six times as fast
    joined = np.zeros_like(lines)
    for rows, marked in ((lines, joined), (lines.swapaxes(0, 1), joined.swapaxes(0, 1))):
        for step in (1, -1):
            so_far = np.ones_like(rows[0])
            for row, marks in zip(rows[::step], marked[::step], strict=True):
                so_far &= row
                marks |= so_far
    return joined.transpose(2, 0, 1)


def tone_ranks(pictures: NDArray[np.uint8], valid: Pixels) -> NDArray[np.uint8]:
    """Grey pictures [n, side, side] with each pixel replaced by its rank, 0 to 255, among the valid pixels.

    A picture that was made darker, brighter or sepia keeps its ranks. Pixels that are not valid get the middle rank.
    """
    shape = len(pictures), pictures.shape[1] * pictures.shape[2]  # rows are faster than squares
    flat, counted = pictures.reshape(shape), valid.reshape(shape)
    code = flat + (np.arange(len(flat)) * 256)[:, None]
    whole = bool(counted.all())
    counts = np.bincount(code.ravel() if whole else code[counted], minlength=len(flat) * 256).reshape(-1, 256)
    double = 2 * np.cumsum(counts, axis=1) - counts  # twice the number of pixels below, and half of the equal ones
    # in float32, as integers are divided slowly; the quotients' whole parts are exact for up to 128 pixels a side
    share = (double * 255).astype(np.float32) / np.maximum(2 * counts.sum(1, keepdims=True), 1).astype(np.float32)
    ranks = np.take(share.astype(np.uint8), code)
    return (ranks if whole else np.where(counted, ranks, np.uint8(127))).reshape(pictures.shape)


def sketch_tones(sketches: Sketches) -> Tones:
    """The tones [n, SIDE_OF_TONES^2] of sketches [n, SIDE^2]: at half size, as ranks, invented pixels in the middle."""
    tones = np.empty((len(sketches), SIDE_OF_TONES**2), np.uint8)
    for start in range(0, len(sketches), CHUNK):
        halves = half_size(sketches[start : start + CHUNK].reshape(-1, SIDE, SIDE))
        tones[start : start + CHUNK] = tone_ranks(halves, ~invented_pixels(halves)).reshape(len(halves), -1)
    return tones


def half_size(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey pictures [n, side, side] with half the side: the means of 2x2 pixels."""
    sums = pictures[:, ::2].astype(np.uint16) + pictures[:, 1::2]
    return ((sums[:, :, ::2] + sums[:, :, 1::2] + 2) // 4).astype(np.uint8)


def tone_hashes(tones: Tones) -> NDArray[np.uint64]:
    """The perceptual hash [n] of the tones [n, SIDE_OF_TONES^2] of a face; it survives a crop of the photo.

    It has 64 bits: for each of the 64 lowest frequencies, in the order of their sum, whether it is positive (after
    Zauner 2010, "pHash", who compares with their median). One matrix product computes the frequencies of all faces.
    """
    hashes = np.empty(len(tones), np.uint64)
    for start in range(0, len(tones), CHUNK):
        low = np.round(tones[start : start + CHUNK].astype(np.float32) @ _lowest_frequencies(), 1)
        hashes[start : start + CHUNK] = np.packbits(low > 0, axis=1).view(">u8")[:, 0]
    return hashes


def mirrored_hashes(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The hashes [n] of the mirrored faces: frequencies that are odd from left to right change their sign."""
    odd = np.packbits([across % 2 for _, across in _frequencies()]).view(">u8")[0]
    return hashes ^ np.uint64(odd)


@cache
def _frequencies() -> tuple[tuple[int, int], ...]:
    """The 64 lowest pairs of a vertical and a horizontal frequency without the mean, lowest sum first."""
    pairs = [(down, across) for down in range(12) for across in range(12)]
    return tuple(sorted(pairs, key=lambda pair: (sum(pair), pair))[1:65])


@cache
def _lowest_frequencies() -> NDArray[np.float32]:
    """The matrix [SIDE_OF_TONES^2, 64] that turns flat tones into their 64 lowest frequencies."""
    waves = cv2.dct(np.eye(SIDE_OF_TONES, dtype=np.float32), flags=cv2.DCT_ROWS).T
    return np.stack([np.outer(waves[down], waves[across]).ravel() for down, across in _frequencies()], axis=1)
