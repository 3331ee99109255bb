"""The score foretold for a face with a sharp photo of its person, learned from degraded faces."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.noise.face_quality.foretold_score import MeasuredFaces, fit_foretold_score
from pipeline.noise.scores.fusion import all_impostor_stats, pair_scores
from tests.builders.tables.blurred_faces import blurred, degraded_rows
from tests.builders.tables.drawn_vectors import PLAIN, person, photos_of


def measured(losses, rng):
    """Faces of other people with these losses, and their true scores with a sharp photo of the same person."""
    shown = [person(rng) for _ in losses]
    faces = [blurred(p, loss, rng) for p, loss in zip(shown, losses, strict=True)]
    x, norm, sharp = (np.array(column) for column in zip(*faces, strict=True))
    mates = np.array([photos_of(p, 1, rng)[0] for p in shown])
    rows = np.arange(len(losses))
    true = pair_scores(all_impostor_stats([x], PLAIN), rows, all_impostor_stats([mates], PLAIN), rows)[0]
    return MeasuredFaces(sharp, [x], [norm]), true


def test_the_score_with_a_sharp_photo_is_foretold_for_faces_of_other_people():
    foretold = fit_foretold_score(degraded_rows(np.random.default_rng(0)), PLAIN)
    faces, true = measured(np.linspace(0, 1, 300), np.random.default_rng(1))
    quality = foretold(faces)
    assert np.corrcoef(quality, true)[0, 1] > 0.8
    assert quality[:30].min() > quality[-30:].max() + 2, "faces without loss are far above those with nothing left"


def test_a_norm_that_rises_with_blur_is_learned_as_well():
    rows = degraded_rows(np.random.default_rng(0))
    rising = rows.set_column(rows.schema.get_field_index("norm0"), "norm0", pa.array(20 - rows["norm0"].to_numpy()))
    faces, true = measured(np.linspace(0, 1, 300), np.random.default_rng(1))
    quality = fit_foretold_score(rising, PLAIN)(faces._replace(norm=[20 - faces.norm[0]]))
    assert np.corrcoef(quality, true)[0, 1] > 0.8


def test_the_output_of_a_face_quality_model_replaces_the_measures():
    rows = degraded_rows(np.random.default_rng(0))
    at = rows.schema.get_field_index("measure")
    random = pa.array(np.random.default_rng(5).normal(size=len(rows)), pa.float32())
    faces, true = measured(np.linspace(0, 1, 300), np.random.default_rng(1))
    by_norm = fit_foretold_score(rows.set_column(at, "measure", rows["norm0"]), PLAIN)
    assert np.corrcoef(by_norm(faces._replace(measure=faces.norm[0])), true)[0, 1] > 0.8
    by_chance = fit_foretold_score(rows.set_column(at, "measure", random), PLAIN)
    noise = np.random.default_rng(6).normal(size=300)
    assert abs(np.corrcoef(by_chance(faces._replace(measure=noise)), true)[0, 1]) < 0.4
    without = fit_foretold_score(rows.set_column(at, "measure", random), PLAIN, external=False)
    assert without(faces) == pytest.approx(fit_foretold_score(rows, PLAIN)(faces))


def test_beyond_the_degraded_faces_nothing_is_foretold_further():
    foretold = fit_foretold_score(degraded_rows(np.random.default_rng(0)), PLAIN)
    faces = MeasuredFaces(
        np.array([1e4, 1e9]), [np.repeat(person(np.random.default_rng(3))[None], 2, 0)], [np.full(2, 11)]
    )
    high, higher = foretold(faces)
    assert high == higher


def test_without_degraded_faces_nothing_is_foretold():
    assert fit_foretold_score(degraded_rows(np.random.default_rng(0)).slice(0, 0), PLAIN) is None
