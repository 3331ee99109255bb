"""Degradations of a face: what each step leaves of it."""

import numpy as np
import pytest

from pipeline.faces.face_quality.degradations import ORIGINAL, STEPS, shuffled_tiles, visor
from pipeline.faces.quality import sharpness
from tests.builders.photos.encoded_pictures import textured

FACE = textured(112, 112)


@pytest.mark.parametrize("step", STEPS)
def test_every_step_gives_a_face_of_the_same_size_and_leaves_the_original_as_it_is(step):
    face = FACE.copy()
    degraded = STEPS[step](face)
    assert degraded.shape == (112, 112, 3)
    assert degraded.dtype == np.uint8
    assert np.array_equal(face, FACE)
    assert np.array_equal(degraded, FACE) is (step == ORIGINAL)


def test_stronger_steps_leave_less_sharpness():
    for way in ("thumbnail", "blur"):
        left = [sharpness(FACE), *(sharpness(degrade(FACE)) for step, degrade in STEPS.items() if step.startswith(way))]
        assert left == sorted(left, reverse=True)
        assert left[-1] < left[0] / 10


def test_a_visor_covers_the_upper_share_in_one_colour():
    covered = visor(FACE, share=0.5)
    assert (covered[:56] == covered[0, 0]).all()
    assert np.array_equal(covered[56:], FACE[56:])


def test_tiles_change_their_places_and_nothing_else():
    shuffled = shuffled_tiles(FACE)
    tiles = [
        sorted(picture[y : y + 28, x : x + 28].tobytes() for y in range(0, 112, 28) for x in range(0, 112, 28))
        for picture in (FACE, shuffled)
    ]
    assert tiles[0] == tiles[1]
