"""Sketches without the light and without invented pixels, and their hashes, which duplicates nearly share."""

import numpy as np
import pytest

from pipeline.faces.sketch import (
    SIDE,
    SIDE_OF_TONES,
    half_size,
    invented_pixels,
    mirrored_hashes,
    sketch_tones,
    tone_hashes,
    tone_ranks,
)
from tests.builders.photos.duplicates import duplicate_of, sketch_of
from tests.builders.tables.drawn_vectors import picture


def hash_of(flat):
    return int(tone_hashes(sketch_tones(flat[None]))[0])


def test_hashes_of_a_duplicate_differ_in_few_bits():
    for seed in range(8):
        face = picture(seed)
        duplicate, dark, other = (
            hash_of(sketch_of(p)) for p in (duplicate_of(face), (face / 3).astype(np.uint8), picture(seed + 50))
        )
        differ = [(hash_of(sketch_of(face)) ^ h).bit_count() for h in (duplicate, dark, other)]
        assert max(differ[:2]) <= 7 < 14 <= differ[2]


def test_a_hash_has_a_bit_for_each_wave_that_the_tones_hold():
    x = (2 * np.arange(SIDE_OF_TONES) + 1) * np.pi / (2 * SIDE_OF_TONES)
    for down, across in ((0, 1), (1, 0), (2, 3), (4, 1)):
        wave = np.outer(np.cos(down * x), np.cos(across * x))
        tones = np.rint(127 + 120 * wave).astype(np.uint8).reshape(1, -1)
        minus = np.rint(127 - 120 * wave).astype(np.uint8).reshape(1, -1)
        differ = int(tone_hashes(tones)[0] ^ tone_hashes(minus)[0])
        assert differ.bit_count() >= 1
        flipped = np.ascontiguousarray(tones.reshape(SIDE_OF_TONES, SIDE_OF_TONES)[:, ::-1]).reshape(1, -1)
        assert (tone_hashes(flipped) == (tone_hashes(minus) if across % 2 else tone_hashes(tones))).all()


def test_the_hash_of_a_mirrored_face_follows_from_its_hash():
    faces = np.stack([sketch_of(picture(seed)) for seed in range(20)])
    flipped = np.ascontiguousarray(faces.reshape(-1, SIDE, SIDE)[:, :, ::-1]).reshape(len(faces), -1)
    computed = mirrored_hashes(tone_hashes(sketch_tones(faces)))
    assert np.bitwise_count(computed ^ tone_hashes(sketch_tones(flipped))).mean() < 1  # a rank may be rounded


def test_ranks_do_not_depend_on_a_tone_curve():
    face = np.arange(100, dtype=np.uint8).reshape(1, 10, 10)
    everywhere = np.ones(face.shape, bool)
    ranks = tone_ranks(face, everywhere)
    assert (ranks == tone_ranks(face * 2 + 3, everywhere)).all()
    assert ranks.ravel().tolist() == [(2 * k + 1) * 255 // 200 for k in range(100)]


@pytest.mark.parametrize("side", [SIDE_OF_TONES, SIDE, 128])
def test_ranks_are_whole_numbers_of_a_division_without_rounding(side):
    rng = np.random.default_rng(side)
    faces = rng.integers(0, rng.integers(1, 257, (40, 1, 1)), (40, side, side)).astype(np.uint8)
    counted = rng.random(faces.shape) < rng.random((40, 1, 1))
    expected = np.full(faces.shape, 127)
    for ranks, face, of in zip(expected, faces, counted, strict=True):
        counts = np.bincount(face[of], minlength=256)
        twice_below = 2 * np.cumsum(counts) - counts
        ranks[of] = (twice_below * 255 // max(2 * counts.sum(), 1))[face[of]]
    assert np.array_equal(tone_ranks(faces, counted), expected)


def test_black_at_the_borders_is_invented_and_black_within_the_face_is_not():
    face = np.full((3, SIDE, SIDE), 90, np.uint8)
    face[0, :, :6] = 1  # the photo ended left of the face
    face[1, 20:28, 16:24] = 0  # a black pupil
    face[2, 0, :3] = 0  # a dark corner of a few pixels
    invented = invented_pixels(face)
    assert invented[0].sum() == 6 * SIDE
    assert invented[0, :, :6].all()
    assert not invented[1:].any()


def test_invented_pixels_get_the_middle_rank():
    face = np.full((1, SIDE * SIDE), 200, np.uint8).reshape(1, SIDE, SIDE)
    face[0, :, :6] = 0
    face[0, :20, 6:] = 50
    tones = sketch_tones(face.reshape(1, -1)).reshape(SIDE_OF_TONES, SIDE_OF_TONES)
    assert (tones[:, :3] == 127).all()
    assert set(tones[:, 3:].ravel().tolist()) == {63, 191}  # a quarter and three quarters of 255


def test_half_size_is_the_mean_of_four_pixels():
    assert half_size(np.array([[[1, 2, 9, 9], [3, 4, 9, 9]]], np.uint8)).tolist() == [[[3, 9]]]
