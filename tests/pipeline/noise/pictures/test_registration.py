"""The affine map between two pictures, found again; and what lies outside of them."""

import cv2
import numpy as np
import pytest

from pipeline.noise.pictures.registration import correlations, identity_maps, register, warped
from tests.builders.tables.drawn_vectors import picture

SIDE = 40


def small(seed):
    grey = cv2.cvtColor(picture(seed), cv2.COLOR_BGR2GRAY)
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)


def test_a_known_map_is_found_again_and_undone():
    inner = np.zeros((6, SIDE, SIDE), bool)
    inner[:, 4:-4, 4:-4] = True
    true = np.tile(np.array([[1.02, 0.03, 1.2], [-0.02, 0.97, -0.8]], np.float32), (6, 1, 1))
    first = np.stack([small(seed) for seed in range(6)])
    a, _ = warped(first, np.ones_like(inner), true)
    r, maps = register((3 * a + 20, first), (inner, np.ones_like(inner)), identity_maps(6), rounds=12)
    assert r.min() > 0.9999
    assert np.abs(maps - true).max() < 0.02


def test_a_pair_is_given_up_below_a_bound_and_changes_nothing_for_the_others():
    first = np.stack([small(seed) for seed in range(6)])
    everywhere = np.ones((6, SIDE, SIDE), bool)
    shifted, _ = warped(first, everywhere, identity_maps(6) + np.array([[0, 0, 1.2], [0, 0, -0.8]], np.float32))
    shifted[3:] = first[[4, 5, 3]]  # other pictures
    pictures, valid = (shifted, first), (everywhere, everywhere)
    r, maps = register(pictures, valid, identity_maps(6), rounds=4)
    bounded, ends = register(pictures, valid, identity_maps(6), rounds=4, least=(0.6, 0.9))
    assert (bounded[:3] == r[:3]).all()
    assert (ends[:3] == maps[:3]).all()
    assert bounded[:3].min() > 0.9 > bounded[3:].max()
    assert (ends[3:] == identity_maps(3)).all(), "no round was made for them"
    assert (register(pictures, valid, identity_maps(6), rounds=4, least=(2.0,))[0] < 1).all(), "all are given up"


def test_pixels_that_are_not_valid_do_not_count():
    first = small(0)
    broken = first.copy()
    broken[:, 28:] = 255
    valid = np.ones((1, SIDE, SIDE), bool)
    valid[:, :, 28:] = False
    everywhere = np.ones((1, SIDE, SIDE), bool)
    r, maps = register((first[None], broken[None]), (everywhere, valid), identity_maps(1), rounds=6)
    assert r[0] == pytest.approx(1, abs=1e-5)
    assert np.abs(maps - identity_maps(1)).max() < 1e-4
    assert register((first[None], broken[None]), (everywhere, everywhere), identity_maps(1), rounds=6)[0][0] < 0.9


def test_what_a_map_takes_from_outside_the_picture_is_not_seen():
    shift = np.array([[[1, 0, 3], [0, 1, 0]]], np.float32)
    pixels, seen = warped(small(1)[None], np.ones((1, SIDE, SIDE), bool), shift)
    assert seen[0, :, : SIDE - 3].all()
    assert not seen[0, :, SIDE - 3 :].any()
    assert np.allclose(pixels[0, :, : SIDE - 3], small(1)[:, 3:], atol=1e-3)


def test_weighted_correlations_are_those_of_numpy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 50)).astype(np.float32)
    weight = (rng.random((3, 50)) < 0.6).astype(np.float32)
    expected = [np.corrcoef(x[w > 0], y[w > 0])[0, 1] for x, y, w in zip(a, b, weight, strict=True)]
    assert correlations(a, b, weight).tolist() == pytest.approx(expected, abs=1e-5)
