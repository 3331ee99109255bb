"""Drawn masks and objects: they cover the landmarks that they should, in faces of any size and channels."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.faces.align import TEMPLATE
from trainer.data.occlusion import LANDMARKS, NUMBERS, cover, draw_mask, draw_object

RANDOM = np.random.default_rng(4).random((200, NUMBERS))


def face(size: int = 112, channels: int = 3) -> NDArray[np.uint8]:
    return np.full((size, size, channels), 255, np.uint8)  # whiter than anything that is drawn


def covered(drawn: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return (drawn != 255).any(2)


def at_landmarks(mask: NDArray[np.bool_]) -> list[bool]:
    """Whether the eyes, the nose and the corners of the mouth are covered."""
    side = mask.shape[0] / 112
    return [bool(mask[int(y * side), int(x * side)]) for x, y in TEMPLATE]


def test_the_places_are_those_of_the_template() -> None:
    assert np.abs(LANDMARKS - TEMPLATE).max() < 0.01


@pytest.mark.parametrize(("size", "channels"), [(112, 3), (128, 1), (48, 3)])
def test_a_mask_covers_the_mouth_and_no_eye(size: int, channels: int) -> None:
    masks = [covered(draw_mask(face(size, channels), random[1:])) for random in RANDOM]
    places = np.array([at_landmarks(m) for m in masks])
    assert places[:, 3:].all()
    assert not places[:, :2].any()
    assert 0.6 < places[:, 2].mean() < 0.95, "some are worn below the nose"
    assert all(0.1 < m.mean() < 0.35 for m in masks)


def test_glasses_cover_both_eyes_and_an_object_lies_on_a_landmark() -> None:
    is_glasses = RANDOM[:, 1] < 1 / 3
    drawn = [covered(draw_object(face(), random[1:])) for random in RANDOM]
    places = np.array([at_landmarks(d) for d in drawn])
    assert (places[is_glasses] == [True, True, False, False, False]).all()
    assert places[~is_glasses].any(1).all()
    assert (places[~is_glasses].sum(0) > 10).all(), "each of the landmarks is covered in some faces"
    assert all(0.02 < d.mean() < 0.17 for d in drawn)


def test_a_share_of_the_faces_is_covered_and_the_others_stay() -> None:
    untouched = face()
    drawn = [cover(untouched, random, mask=0.2, occlusion=0.3) for random in RANDOM]
    kinds = np.array([not covered(d).any() for d in drawn])
    assert kinds.mean() == pytest.approx(0.5, abs=0.1)
    is_mask = RANDOM[:, 0] < 0.2
    assert all(at_landmarks(covered(d))[3:] == [True, True] for d, m in zip(drawn, is_mask, strict=True) if m)
    assert (untouched == 255).all()
    assert all(cover(untouched, random, mask=0, occlusion=0) is untouched for random in RANDOM)


def test_what_is_drawn_is_darker_in_a_dark_photo() -> None:
    bright, dark = (draw_mask(np.full((112, 112, 3), level, np.uint8), RANDOM[0, 1:])[100, 56] for level in (128, 20))
    assert (dark < 0.6 * bright).all()
