"""Scenes: landmarks move with the picture, faces are not cut off, and the same seed gives the same scene."""

import numpy as np
import pytest

from tests.builders.photos.marked_photo import COLOURS, marked_photo
from trainer.sample_detector.scenes import make_scene, mirror, place_on_canvas, remove_faces


def centre_of(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    near = np.abs(picture.astype(int) - colour).sum(2) < 200
    return np.argwhere(near).mean(0)[::-1]


@pytest.mark.parametrize("face", [30, 80, 160])
def test_landmarks_move_with_the_picture(face: int) -> None:
    for seed in range(8):
        placed = place_on_canvas(
            marked_photo(face=face), 128, np.random.default_rng(seed), colour=np.zeros(3, np.uint8)
        )
        if np.ptp(placed.boxes[0, ::2]) < 40:
            continue  # too small to see where a disc's centre is
        for mark, colour in zip(placed.landmarks[0], COLOURS, strict=True):
            assert np.abs(centre_of(placed.picture, colour) - mark).max() < 0.75


def test_a_mirror_swaps_left_and_right() -> None:
    before = marked_photo()
    after = mirror(before)
    for i, earlier in enumerate([1, 0, 2, 4, 3]):  # the left eye's landmark is now at the disc of the right eye
        assert np.abs(centre_of(after.picture, COLOURS[earlier]) - after.landmarks[0, i]).max() < 0.75
    again = mirror(after)
    np.testing.assert_array_equal(again.picture, before.picture)
    np.testing.assert_allclose(again.boxes, before.boxes, atol=1e-4)
    np.testing.assert_allclose(again.landmarks, before.landmarks)


def test_faces_are_whole_and_neither_tiny_nor_huge() -> None:
    photos = [marked_photo(face=f) for f in (30, 80, 160)]
    sides = []
    for seed in range(60):
        drawn = make_scene(photos, 192, np.random.default_rng(seed))
        assert drawn.picture.shape == (192, 192, 3)
        assert len(drawn.boxes) == len(drawn.landmarks) <= 9
        assert (drawn.landmarks > -1).all()
        assert (drawn.landmarks < 193).all()
        sides += list(drawn.boxes[:, 2] - drawn.boxes[:, 0])
    assert min(sides) >= 15
    assert max(sides) > 100


def test_the_same_seed_gives_the_same_scene() -> None:
    a, b = (make_scene([marked_photo()], 128, np.random.default_rng(5)) for _ in range(2))
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert not np.array_equal(a.picture, make_scene([marked_photo()], 128, np.random.default_rng(6)).picture)


def test_removing_a_face_changes_nothing_around_it() -> None:
    before = marked_photo()
    for seed in range(4):
        after = remove_faces(before, np.random.default_rng(seed))
        assert after.boxes.shape == (0, 4)
        assert after.landmarks.shape == (0, 5, 2)
        x1, y1, x2, y2 = before.boxes[0].astype(int)
        assert np.abs(after.picture[y1:y2, x1:x2].astype(int) - before.picture[y1:y2, x1:x2]).max() > 50
        after.picture[y1:y2, x1:x2] = before.picture[y1:y2, x1:x2]
        np.testing.assert_array_equal(after.picture, before.picture)
