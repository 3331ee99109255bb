"""A large identity drawn without pixels: its photos look alike, and its planted duplicates are found."""

import numpy as np

from flows.benchmark.duplicates.growth import DUPLICATES, draw_identity
from pipeline.faces.sketch import sketch_tones
from pipeline.noise.pictures.same_picture import SAME_PICTURE, picture_correlations, sketch_rows
from pipeline.noise.pictures.similar_faces import MIN_CENTRE, centre_vectors
from pipeline.tables.columns import vectors

PHOTOS = 300


def test_the_photos_look_alike_and_the_duplicates_are_one_picture():
    drawn = draw_identity(PHOTOS, 64, 0)
    assert drawn.faces.equals(draw_identity(PHOTOS, 64, 0).faces)
    assert drawn.faces["face_id"].equals(drawn.embeddings["face_id"])
    assert abs(drawn.duplicates - DUPLICATES * PHOTOS) <= 8
    sketches = sketch_rows(drawn.faces["sketch"])[0][:PHOTOS]
    centres, x = centre_vectors(sketch_tones(sketches)), vectors(drawn.embeddings["x"])[0][:PHOTOS].astype(np.float32)
    i, j = np.triu_indices(PHOTOS, 1)
    alike = np.einsum("nd,nd->n", centres[i], centres[j])
    assert (alike >= MIN_CENTRE).mean() > 0.3  # as those of a person do
    same = np.einsum("nd,nd->n", x[i], x[j]) > 0.98
    assert drawn.duplicates <= same.sum() <= 3 * drawn.duplicates
    assert picture_correlations(sketches, i[same], j[same]).min() >= SAME_PICTURE
    rest = np.flatnonzero(~same)[::97]
    assert picture_correlations(sketches, i[rest], j[rest]).max() < SAME_PICTURE
