"""A keyed hash knows a picture again after an edit, knows no other, and depends on the key."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.faces.tombstones.picture_hash import BITS, MAX_SHARE, is_near, is_plain, mirrored_hash, picture_hash

KEY, OTHER_KEY = b"k" * 32, b"j" * 32
Image = NDArray[np.uint8]


def drawn(seed: int) -> Image:
    """A picture [240, 200, 3] of smooth patches."""
    patches = np.random.default_rng(seed).integers(0, 255, (12, 10, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(patches, (200, 240), interpolation=cv2.INTER_CUBIC), np.uint8)


def share(one: Image, two: Image) -> float:
    bits = np.unpackbits(picture_hash(one, KEY) ^ picture_hash(two, KEY))
    return float(bits.mean())


def jpeg(picture: Image, quality: int) -> Image:
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


@pytest.mark.parametrize(
    "edit",
    [
        lambda p: jpeg(p, 30),
        lambda p: cv2.resize(p, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA),
        lambda p: cv2.resize(p, None, fx=1.7, fy=1.7),
        lambda p: np.clip(p * 0.8 + 30, 0, 255).astype(np.uint8),
    ],
    ids=["quality 30", "smaller", "larger", "brighter"],
)
def test_an_edited_picture_is_near_and_others_are_not(edit: object) -> None:
    pictures = [drawn(seed) for seed in range(12)]
    hashes = np.stack([picture_hash(p, KEY) for p in pictures])
    for i, picture in enumerate(pictures):
        edited = edit(picture)  # type: ignore[operator]
        assert share(picture, edited) < MAX_SHARE / 2
        assert is_near(picture_hash(edited, KEY), hashes)
        assert not is_near(picture_hash(edited, KEY), np.delete(hashes, i, axis=0))


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (12, 140, 90)])
def test_a_picture_of_one_colour_is_plain(colour: tuple[int, int, int]) -> None:
    picture = np.full((90, 70, 3), colour, np.uint8)
    assert is_plain(picture_hash(picture, KEY))
    assert is_plain(picture_hash(jpeg(picture, 40), KEY))
    assert not is_plain(picture_hash(drawn(1), KEY))


def test_the_mirrored_hash_is_that_of_the_mirrored_picture() -> None:
    picture = drawn(3)
    mirrored = np.ascontiguousarray(picture[:, ::-1])
    assert np.array_equal(mirrored_hash(mirrored, KEY), picture_hash(picture, KEY))
    assert not is_near(picture_hash(mirrored, KEY), picture_hash(picture, KEY)[None])


def test_with_another_key_the_hash_is_another_one() -> None:
    """About half of the bits differ, as if the pictures were different: the hash shows nothing without its key."""
    differ = [np.unpackbits(picture_hash(drawn(s), KEY) ^ picture_hash(drawn(s), OTHER_KEY)).mean() for s in range(20)]
    assert 0.4 < np.mean(differ) < 0.6
    assert picture_hash(drawn(0), KEY).shape == (BITS // 8,)
    assert not is_near(picture_hash(drawn(0), KEY), np.zeros((0, BITS // 8), np.uint8))
