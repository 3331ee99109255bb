import numpy as np
import pytest

from pipeline.faces.align import main_face
from pipeline.faces.protocols import DetectedFaces
from pipeline.sample.drawing.portraits import draw_people, draw_portrait
from pipeline.sample.measures import MAX_DEVIATION, MEASURES, Shape
from pipeline.sample.people import make_person, vary_looks


@pytest.fixture(scope="module")
def drawn():
    return list(draw_people(4, 2, seed=1))


@pytest.fixture(scope="module")
def groups():
    rng = np.random.default_rng
    return [
        draw_portrait(make_person(1, i), rng([1, i]), bystanders=[make_person(1, 90 + j) for j in range(1 + i % 2)])
        for i in range(8)
    ]


def test_a_seed_draws_the_same_photo_independently_of_other_photos(drawn):
    again = list(draw_people(2, 2, seed=1))
    assert all((a.photo == b.photo).all() for a, b in zip(drawn[:4], again, strict=True))
    other = next(draw_people(1, 1, seed=2))
    assert other.photo.shape != drawn[0].photo.shape or (other.photo != drawn[0].photo).any()
    assert make_person(1, 0).shape != make_person(2, 0).shape != make_person(2, 1).shape


def test_photos_are_larger_than_the_face_and_eight_bit(drawn):
    for portrait in drawn:
        assert portrait.photo.dtype == np.uint8
        assert all(250 <= side <= 400 for side in portrait.photo.shape[:2])
        assert 20 < portrait.photo.mean() < 235
        assert portrait.photo.std() > 15
        x1, y1, x2, y2 = portrait.boxes[0]
        assert 60 < x2 - x1 < 0.8 * portrait.photo.shape[1]
        assert 60 < y2 - y1 < 0.8 * portrait.photo.shape[0]
    assert [d.people for d in drawn] == [(i // 2,) for i in range(8)]


def test_landmarks_have_the_geometry_of_a_face(drawn, groups):
    for portrait in [*drawn, *groups]:
        assert portrait.landmarks.shape == (len(portrait.boxes), 5, 2)
        for (x1, y1, x2, y2), marks in zip(portrait.boxes, portrait.landmarks, strict=True):
            assert (marks > (x1, y1)).all()
            assert (marks < (x2, y2)).all()
            left, right, nose, corner, other = marks
            eyes, mouth = (left + right) / 2, (corner + other) / 2
            down, across = mouth - eyes, right - left
            assert across[0] > 0
            assert (other - corner)[0] > 0
            assert down[1] > 0.7 * np.linalg.norm(across)
            assert 0.2 < (nose - eyes) @ down / (down @ down) < 0.9


def test_the_skin_lies_between_the_landmarks(drawn):
    """The colour between the landmarks of the eyes is that of the skin, so the landmarks fit the drawing."""
    for portrait in drawn:
        left, right, nose, *_ = portrait.landmarks[0]
        x, y = ((left + right + nose) / 3).round().astype(int)
        blue, _, red = portrait.photo[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).mean(0)
        assert red > blue


def test_the_first_of_several_people_is_the_subject(groups):
    for portrait in groups:
        height, width = portrait.photo.shape[:2]
        faces = DetectedFaces(portrait.boxes, np.ones(len(portrait.boxes), np.float32), portrait.landmarks)
        assert main_face(faces, width=width, height=height) == 0
    assert [len(portrait.people) for portrait in groups] == [2, 3] * 4


def test_people_have_the_means_of_the_measures():
    shapes = np.array([make_person(3, i).shape for i in range(400)])
    mean, _, sd = np.array([MEASURES[name] for name in Shape._fields]).T
    assert list(MEASURES) == list(Shape._fields)
    np.testing.assert_allclose(shapes.mean(0), mean, atol=0.2 * sd.max(), rtol=0)
    assert (np.abs(shapes.mean(0) - mean) < 0.25 * sd).all()
    more = np.abs([MEASURES[name][1] for name in Shape._fields])
    assert (np.abs(shapes - mean) <= MAX_DEVIATION * sd + more + 1e-9).all()


def test_looks_vary_but_the_shape_of_the_head_does_not():
    person, rng = make_person(3, 5), np.random.default_rng(0)
    days = [vary_looks(person, rng) for _ in range(60)]
    assert len({(d.hair, d.beard, d.glasses) for d in days}) > 3
    soft = {"cheek", "hairline_y"}
    assert all(getattr(d.shape, f) == getattr(person.shape, f) for d in days for f in Shape._fields if f not in soft)
