"""Duplicates against lookalikes: correlations of sketches, and pairs of hashes that differ in few bits."""

import numpy as np
import pytest

from pipeline.faces.sketch import SIDE
from pipeline.noise.pictures.same_picture import (
    BLOCKS,
    MIN_COARSE,
    SAME_PICTURE,
    coarse_vectors,
    near_hashes,
    picture_correlation,
)
from tests.builders.photos.duplicates import duplicate_of, sketch_of
from tests.builders.tables.drawn_vectors import picture


@pytest.mark.parametrize("seed", range(8))
def test_a_duplicate_correlates_and_another_picture_does_not(seed):
    face = picture(seed)
    duplicate = sketch_of(duplicate_of(face, shift=2.5, scale=1.03))
    assert picture_correlation(sketch_of(face), duplicate) >= SAME_PICTURE
    assert picture_correlation(sketch_of(face), sketch_of(picture(seed + 100))) < SAME_PICTURE
    unregistered = coarse_vectors(np.stack([sketch_of(face), sketch_of(duplicate_of(face)), duplicate]))
    assert (unregistered @ unregistered.T >= MIN_COARSE)[0].all()


def test_a_picture_correlates_with_itself_and_not_with_a_flat_one():
    face = sketch_of(picture(0))
    assert picture_correlation(face, face) == pytest.approx(1, abs=1e-3)
    assert picture_correlation(face, np.full(SIDE * SIDE, 9, np.uint8)) < 0.5


def test_coarse_vectors_give_the_correlation_of_block_means():
    a, b = sketch_of(picture(0)), sketch_of(picture(1))
    blocks = [
        np.array(
            [s.reshape(SIDE, SIDE)[y : y + 5, x : x + 5].mean() for y in range(0, SIDE, 5) for x in range(0, SIDE, 5)]
        )
        for s in (a, b)
    ]
    vectors = coarse_vectors(np.stack([a, b]))
    assert vectors.shape == (2, BLOCKS**2)
    assert vectors[0] @ vectors[1] == pytest.approx(np.corrcoef(*blocks)[0, 1], abs=1e-6)


def test_near_hashes_share_two_quarters():
    base = 0x1234_5678_9ABC_DEF0
    hashes = np.array([base, base ^ 1, base ^ 0x1_0001, base ^ 0x1_0001_0001, 7], np.uint64)
    i, j = near_hashes(hashes)
    # 0 and 3 differ in three quarters; 1 and 3 in two, 2 and 3 in one
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]


def test_hashes_that_more_than_max_shared_faces_share_make_no_pairs():
    i, _ = near_hashes(np.zeros(65, np.uint64))
    assert len(i) == 0
    assert len(near_hashes(np.zeros(4, np.uint64))[0]) == 6


def test_hashes_with_two_equal_quarters_but_many_different_bits_are_no_pair():
    base, half = 0x1234_5678_9ABC_DEF0, 0x5555
    hashes = np.array([base, base ^ (half << 16) ^ 0x3, base ^ (half << 16) ^ half], np.uint64)
    i, j = near_hashes(hashes)  # differ in 10, 16 and 8 bits; each pair has two equal quarters
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == [(0, 1), (1, 2)]
