"""Duplicates against lookalikes: correlations of sketches, and pairs of hashes that differ in few bits."""

import cv2
import numpy as np
import pytest

from pipeline.faces.sketch import SIDE
from pipeline.noise.pictures.same_picture import SAME_PICTURE, near_hashes, picture_correlations
from tests.builders.photos.duplicates import duplicate_of, sketch_of
from tests.builders.tables.drawn_vectors import picture


def correlation(a, b):
    return picture_correlations(np.stack([sketch_of(a), sketch_of(b)]), np.array([0]), np.array([1]))[0]


def face_of(seed):
    """A picture whose colours are as weak as a face's: of strong ones a tone curve changes which is the darker."""
    grey = cv2.cvtColor(picture(seed), cv2.COLOR_BGR2GRAY)[..., None]
    return (0.3 * picture(seed) + 0.7 * grey).astype(np.uint8)


def out_of_frame(face, left=16, top=20):
    """The face as cut from a photo that ended within it: the alignment made the rest black."""
    cut = face.copy()
    cut[:top], cut[:, :left] = 0, 0
    return cut


EDITS = {
    "cropped": lambda face: duplicate_of(face, shift=2.5, scale=1.03),
    "mirrored": lambda face: duplicate_of(face[:, ::-1], shift=1.5),
    "darkened": lambda face: (face * (face / 255.0) ** 1.5 * 0.6).astype(np.uint8),
    "brightened": lambda face: np.minimum(face * 1.4 + 10, 255).astype(np.uint8),
    "out of frame": lambda face: out_of_frame(duplicate_of(face, shift=2.0)),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_duplicate_correlates_and_another_picture_does_not(edit):
    for seed in range(4):
        face, other = face_of(seed), face_of(seed + 100)
        assert correlation(face, EDITS[edit](face)) >= SAME_PICTURE
        assert correlation(other, EDITS[edit](face)) < SAME_PICTURE


def test_two_faces_that_are_both_cut_off_are_compared_where_both_show_the_photo():
    face = picture(3)
    assert correlation(out_of_frame(face, 20, 4), out_of_frame(face, 4, 24)) >= SAME_PICTURE
    assert correlation(out_of_frame(face, 100, 4), out_of_frame(face, 4, 100)) == -1  # they share nothing


def test_another_expression_is_another_picture():
    """Half of the face is moved by four pixels of 112, as the mouth is in the next frame of a film."""
    rows, columns = np.mgrid[:112, :112].astype(np.float32)
    for seed in range(4):
        face = picture(seed)
        moved = cv2.remap(face, columns + 4 * np.sin(rows / 9), rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        assert correlation(face, moved) < SAME_PICTURE
        grey = [sketch_of(p).astype(float) for p in (face, moved)]
        assert np.corrcoef(*grey)[0, 1] > 0.8, "the grey values alone hardly differ"


def test_a_picture_correlates_with_itself_and_not_with_a_flat_one():
    face = picture(0)
    assert correlation(face, face) == pytest.approx(1, abs=1e-3)
    assert correlation(face, np.full_like(face, 9)) < 0.5


def test_the_pairs_of_a_batch_do_not_depend_on_each_other():
    faces = [picture(seed) for seed in range(5)]
    sketches = np.stack([sketch_of(f) for f in [*faces, *(duplicate_of(f, shift=1.0) for f in faces)]])
    i, j = np.array([0, 1, 2, 3, 4, 0]), np.array([5, 6, 7, 8, 9, 7])
    together = picture_correlations(sketches, i, j)
    alone = [picture_correlations(sketches, i[[n]], j[[n]])[0] for n in range(len(i))]
    assert together.tolist() == pytest.approx(alone, abs=2e-4)
    assert (together[:5] >= SAME_PICTURE).all()
    assert together[5] < SAME_PICTURE
    assert len(picture_correlations(sketches, i[:0], j[:0])) == 0
    assert sketches.shape[1] == SIDE * SIDE


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
