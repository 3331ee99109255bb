"""Copies against lookalikes, and hashes that survive what a copy goes through."""

import cv2
import numpy as np
import pytest

from pipeline.faces.sketch import (
    COARSE,
    HASHED,
    MIN_COARSE,
    SAME_PICTURE,
    SIDE,
    coarse,
    near_hashes,
    same_picture,
    sketch,
    sketch_hashes,
)
from tests.builders.drawn_vectors import picture


def drawn(face):
    return np.frombuffer(sketch(face), np.uint8)


def perceptual_hash(image):
    """Of a picture [h, w, 3], step by step: shrunk, transformed, and the signs taken."""
    small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (HASHED, HASHED), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small.astype(np.float32))[:9, :9].ravel()[1:65]
    return int(np.packbits(low > np.median(low)).view(">u8")[0])


def copied(face, *, shift=0.0, scale=1.0, quality=60):
    """The face cut from a smaller print of the photo: a little shifted and scaled, and compressed again."""
    matrix = np.array([[scale, 0, shift], [0, scale, -shift]], np.float32)
    moved = cv2.warpAffine(face, matrix, (112, 112), borderMode=cv2.BORDER_REPLICATE)
    small = cv2.resize(moved, (48, 48), interpolation=cv2.INTER_AREA)
    again = cv2.imdecode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    return cv2.resize(again, (112, 112), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("seed", range(8))
def test_a_copy_correlates_and_another_picture_does_not(seed):
    face = picture(seed)
    copy = drawn(copied(face, shift=2.5, scale=1.03))
    assert same_picture(drawn(face), copy) >= SAME_PICTURE
    assert same_picture(drawn(face), drawn(picture(seed + 100))) < SAME_PICTURE
    unmoved = coarse(np.stack([drawn(face), drawn(copied(face)), copy]))
    assert (unmoved @ unmoved.T >= MIN_COARSE)[0].all()


def test_a_picture_equals_itself_and_a_flat_one_equals_nothing():
    face = drawn(picture(0))
    assert same_picture(face, face) == pytest.approx(1, abs=1e-3)
    assert same_picture(face, np.full(SIDE * SIDE, 9, np.uint8)) < 0.5


def test_coarse_is_the_correlation_of_block_means():
    a, b = drawn(picture(0)), drawn(picture(1))
    blocks = [
        np.array(
            [s.reshape(SIDE, SIDE)[y : y + 5, x : x + 5].mean() for y in range(0, SIDE, 5) for x in range(0, SIDE, 5)]
        )
        for s in (a, b)
    ]
    found = coarse(np.stack([a, b]))
    assert found.shape == (2, COARSE**2)
    assert found[0] @ found[1] == pytest.approx(np.corrcoef(*blocks)[0, 1], abs=1e-6)


def test_hashes_of_a_copy_differ_in_few_bits():
    for seed in range(8):
        face, other = picture(seed), picture(seed + 50)
        differ = [bin(perceptual_hash(face) ^ perceptual_hash(p)).count("1") for p in (copied(face), other)]
        assert differ[0] <= 6 < 16 <= differ[1]
        one, two = sketch_hashes(np.stack([drawn(face), drawn(copied(face))])).tolist()
        assert bin(one ^ two).count("1") <= 8


def test_the_hash_of_a_sketch_is_the_perceptual_hash_of_it():
    faces = [drawn(picture(seed)) for seed in range(20)]
    apart = [
        bin(h ^ perceptual_hash(cv2.cvtColor(f.reshape(SIDE, SIDE), cv2.COLOR_GRAY2BGR))).count("1")
        for f, h in zip(faces, sketch_hashes(np.stack(faces)).tolist(), strict=True)
    ]
    assert max(apart) <= 4, "but for the rounding of the shrunken picture"
    assert np.mean(apart) < 1


def test_near_hashes_share_two_quarters():
    base = 0x1234_5678_9ABC_DEF0
    hashes = np.array([base, base ^ 1, base ^ 0x1_0001, base ^ 0x1_0001_0001, 7], np.uint64)
    i, j = near_hashes(hashes)
    # 0 and 3 differ in three quarters; 1 and 3 in two, 2 and 3 in one
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]


def test_a_hash_that_many_share_says_nothing():
    i, _ = near_hashes(np.zeros(65, np.uint64))
    assert len(i) == 0
    assert len(near_hashes(np.zeros(4, np.uint64))[0]) == 6


def test_hashes_that_meet_by_chance_are_too_far_apart():
    base, half = 0x1234_5678_9ABC_DEF0, 0x5555
    hashes = np.array([base, base ^ (half << 16) ^ 0x3, base ^ (half << 16) ^ half], np.uint64)
    i, j = near_hashes(hashes)  # 10, 16 and 8 bits apart, each pair with two quarters in common
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == [(0, 1), (1, 2)]
