"""The candidates of each face: the most similar faces of an identity, however many there are."""

import numpy as np
import pytest

from pipeline.faces.sketch import SIDE, SIDE_OF_TONES, sketch_tones
from pipeline.noise.pictures import similar_faces
from pipeline.noise.pictures.similar_faces import (
    BLOCKS,
    COLUMNS,
    MIN_CENTRE,
    MIN_SHIFTED,
    ROWS,
    centre_correlations,
    centre_vectors,
    face_pairs,
    mirrored,
    near_pairs,
)
from tests.builders.photos.duplicates import duplicate_of, sketch_of
from tests.builders.tables.drawn_vectors import person, photos_of, picture


def similar_pairs(x, tones):
    """The pairs of an identity's faces that are compared by their pixels."""
    i, j = near_pairs(lambda: x, centre_vectors(tones))
    pairs = face_pairs(tones, np.full(len(tones), 400), i, j)
    alike = pairs.part(pairs.are_alike())
    return alike.i, alike.j


def tones_of(pictures):
    return sketch_tones(np.stack([sketch_of(p) for p in pictures]))


def test_centre_vectors_give_the_correlation_of_block_means():
    tones = tones_of([picture(0), picture(1)])
    blocks = []
    for face in tones.reshape(-1, SIDE_OF_TONES, SIDE_OF_TONES)[:, ROWS, COLUMNS]:
        side = len(face) // BLOCKS
        starts = range(0, len(face), side)
        blocks.append([face[y : y + side, x : x + side].mean() for y in starts for x in starts])
    vectors = centre_vectors(tones)
    assert vectors[0] @ vectors[1] == pytest.approx(np.corrcoef(*blocks)[0, 1], abs=1e-6)


def test_the_vector_of_a_mirrored_face_follows_from_its_vector():
    faces = [picture(seed) for seed in range(4)]
    tones = tones_of(faces).reshape(-1, SIDE_OF_TONES, SIDE_OF_TONES)
    flipped = np.ascontiguousarray(tones[:, :, ::-1]).reshape(len(faces), -1)
    assert np.allclose(mirrored(centre_vectors(tones.reshape(len(faces), -1))), centre_vectors(flipped), atol=1e-6)


def test_a_mirrored_and_a_plain_duplicate_are_candidates_and_each_face_has_few(monkeypatch):
    monkeypatch.setattr(similar_faces, "NEAREST", 3)
    monkeypatch.setattr(similar_faces, "BLOCK_PAIRS", 700)  # several blocks
    rng = np.random.default_rng(0)
    look = picture(999).astype(float)  # all photos look somewhat alike, as those of a person do
    faces = [np.clip(0.6 * look + 0.4 * picture(seed), 0, 255).astype(np.uint8) for seed in range(40)]
    faces += [duplicate_of(faces[5], shift=1.0), duplicate_of(faces[6][:, ::-1])]
    x = photos_of(person(rng), 42, rng).astype(np.float32)
    x[[40, 41]] = x[[5, 6]]
    tones = tones_of(faces)
    i, j = similar_pairs(x, tones)
    pairs = set(zip(i.tolist(), j.tolist(), strict=True))
    assert {(5, 40), (6, 41)} <= pairs
    assert all(a < b for a, b in pairs)
    assert len(pairs) == len(i) <= 3 * 42
    monkeypatch.setattr(similar_faces, "BLOCK_PAIRS", 42 * 42)
    assert np.array_equal(similar_pairs(x, tones), (i, j)), "in one block as in several"
    every = similar_pairs(x[:4], tones[:4])  # few faces: all pairs whose centres are alike
    centres, turned = centre_vectors(tones[:4]), mirrored(centre_vectors(tones[:4]))
    a, b = np.triu_indices(4, 1)
    unshifted = np.maximum(*(np.einsum("nd,nd->n", centres[a], c[b]) for c in (centres, turned)))
    shifted = np.maximum(*centre_correlations(tones[:4], a, b))
    assert (shifted >= unshifted - 1e-6).all()
    assert len(every[0]) == ((unshifted >= MIN_CENTRE) & (shifted >= MIN_SHIFTED)).sum() > 0
    assert len(similar_pairs(x[:1], tones[:1])[0]) == len(similar_pairs(x[:0], tones[:0])[0]) == 0
    assert SIDE == 2 * SIDE_OF_TONES
