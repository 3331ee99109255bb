"""The perceptual hash is the one of its definition, and copies of a photo keep nearly all of its bits."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.refined.patches.picture_hash import picture_hash
from tests.builders.tables.drawn_vectors import picture


def reference_hash(image: NDArray[np.uint8]) -> int:
    """The hash as its definition says, frequency by frequency."""
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (32, 32), interpolation=cv2.INTER_AREA).astype(float)
    place = np.arange(32)
    low = np.empty((8, 8))
    for down in range(8):
        for across in range(8):
            waves = [np.cos(np.pi * (2 * place + 1) * f / 64) * np.sqrt((2 if f else 1) / 32) for f in (down, across)]
            low[down, across] = np.round(waves[0] @ grey @ waves[1], 1)
    bits = (low > np.median(low)).ravel()
    return int("".join("1" if bit else "0" for bit in bits), 2)


def test_the_hash_is_that_of_the_definition() -> None:
    for seed in range(5):
        assert (picture_hash(picture(seed)) ^ reference_hash(picture(seed))).bit_count() <= 1  # rounding may turn a bit


@pytest.mark.parametrize(("scale", "quality"), [(0.6, 75), (1.4, 90), (1.0, 60)])
def test_a_scaled_and_compressed_copy_keeps_nearly_all_bits(scale: float, quality: int) -> None:
    for seed in range(10):
        image = picture(seed)
        resized = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        data = cv2.imencode(".jpg", resized, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        copy = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
        assert (picture_hash(image) ^ picture_hash(copy)).bit_count() <= 4
        assert (picture_hash(image) ^ picture_hash(picture(seed + 100))).bit_count() > 10


def test_pictures_of_one_colour_have_one_hash() -> None:
    grey = [picture_hash(np.full((side, side + 9, 3), value, np.uint8)) for side, value in ((40, 10), (200, 240))]
    assert grey[0] == grey[1] == 1 << 63  # only the mean is above the median
