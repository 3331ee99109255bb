"""A keyed perceptual hash of a picture: it recognises the picture after it was re-encoded, resized or made brighter.

The hash is made of the signs of projections that are drawn from the key. So without the key it says nothing about the
picture, and two roots with other keys have other hashes for one photo. One idea: the picture's grey values are taken at
SIDE x SIDE pixels and less the mean of their neighbourhood, because pictures share the coarse light and dark.
"""

from functools import lru_cache
from hashlib import shake_256

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 24  # pixels
WINDOW = 5  # pixels, of the neighbourhood whose mean is taken off
BITS = 256
# share of bits in which two hashes of one picture may differ. Of 150 LFW photos saved at JPEG quality 30, at half or at
# one and a half times the size or brighter, none differs by more than 0.04; of 500 photos no two differ by less than
# 0.24
MAX_SHARE = 0.12
Hash = NDArray[np.uint8]  # [BITS / 8]


def picture_hash(picture: NDArray[np.uint8], key: bytes) -> Hash:
    """The hash [BITS / 8] of a picture [h, w, 3] in BGR, or grey [h, w]. key: secret bytes."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if picture.ndim == 3 else picture
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    # whole numbers below 2^24, so that every processor gives the same bits
    around = cv2.boxFilter(small, -1, (WINDOW, WINDOW), normalize=False, borderType=cv2.BORDER_REPLICATE)
    detail = (WINDOW**2 * small - around).astype(np.int64).reshape(-1)
    return np.packbits(detail @ _signs(key) > 0)


def is_plain(of_picture: Hash) -> bool:
    """Whether a hash is of a picture without detail, such as one of a single colour: all such pictures share it."""
    return not of_picture.any()


def mirrored_hash(picture: NDArray[np.uint8], key: bytes) -> Hash:
    """The hash of the mirrored picture."""
    return picture_hash(np.ascontiguousarray(picture[:, ::-1]), key)


def is_near(one: Hash, hashes: NDArray[np.uint8]) -> bool:
    """Whether a hash is one of these [n, BITS / 8], but for MAX_SHARE of the bits."""
    if not len(hashes):
        return False
    return bool(np.unpackbits(hashes ^ one, axis=1).sum(1).min() <= MAX_SHARE * BITS)


@lru_cache(maxsize=4)
def _signs(key: bytes) -> NDArray[np.int64]:
    """The projections [SIDE^2, BITS] of a key: as many 1 as -1 in each, so that a picture's brightness is in no bit."""
    signs = np.ones((SIDE**2, BITS), np.int64)
    for bit in range(BITS):
        words = shake_256(key + bit.to_bytes(4, "big")).digest(8 * SIDE**2)
        order = np.argsort(np.frombuffer(words, ">u8"), kind="stable")
        signs[order[: SIDE**2 // 2], bit] = -1
    return signs
