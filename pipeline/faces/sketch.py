"""A sketch: a 40x40 grey picture of an aligned face, kept in the faces table, and its 64-bit perceptual hash.

Duplicates of a photo may be cropped, rescaled or recompressed, but their aligned faces are nearly the same picture. So
duplicates are searched among the sketches and hashes of faces (noise/pictures/same_picture.py), not among photos.
"""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces.picture import Image

Sketches = NDArray[np.uint8]  # [n, SIDE * SIDE]
SIDE = 40  # pixels; the smallest sketch that separates duplicates from lookalikes (32 is too small, 56 no better)
HASH_SIDE = 32  # pixels; the hash is made of the lowest frequencies of a picture of this side
CHUNK = 256  # sketches in a matrix product: 2 MB; other numbers are not faster


def sketch(face: Image) -> bytes:
    """The sketch of an aligned face [h, w, 3]: the SIDE x SIDE bytes of a grey picture."""
    grey = cv2.cvtColor(face, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8).tobytes()


def sketch_hashes(sketches: Sketches) -> NDArray[np.uint64]:
    """The perceptual hash [n] of each sketch [n, SIDE * SIDE]; as a hash of the face, it survives a crop of the photo.

    It has 64 bits: for each of the 64 lowest frequencies of a 32x32 version, whether it is above their median (Zauner
    2010, "pHash"). Shrinking and cosine transform are linear, so one matrix product computes both for all sketches.
    """
    hashes = np.empty(len(sketches), np.uint64)
    for start in range(0, len(sketches), CHUNK):
        low = np.round(sketches[start : start + CHUNK].astype(np.float32) @ _lowest_frequencies(), 2)
        bits = low > np.median(low, axis=1, keepdims=True)
        hashes[start : start + CHUNK] = np.packbits(bits, axis=1).view(">u8")[:, 0]
    return hashes


@cache
def _lowest_frequencies() -> NDArray[np.float32]:
    """The matrix [SIDE * SIDE, 64] that turns a flat sketch into its 64 lowest frequencies, without the mean."""
    shrink = cv2.resize(np.eye(SIDE, dtype=np.float32), (SIDE, HASH_SIDE), interpolation=cv2.INTER_AREA)
    lowest = cv2.dct(np.eye(HASH_SIDE, dtype=np.float32), flags=cv2.DCT_ROWS).T[:9] @ shrink
    return np.ascontiguousarray(np.kron(lowest, lowest)[1:65].T, np.float32)
