"""Blurred faces of many people, which match each other: they found no person, and are relabelled as nobody."""

from collections import Counter

import numpy as np
import pytest

from pipeline.noise.face_quality.quality import QualityTables, founding_faces
from pipeline.noise.stages import find_noise
from pipeline.refined.labels import label
from tests.builders.tables.blurred_faces import blurs, degraded_table, face_tables, sharp_faces
from tests.builders.tables.drawn_vectors import person

PEOPLE = 120
CROWD, SCATTERED = 12, 3  # blurred faces in each of two identities, and in each of ten others


@pytest.fixture(scope="module")
def refined(tmp_path_factory):
    """Noise and fates of 120 persons of five sharp photos with blurred faces among them, without and with qualities."""
    root, rng = str(tmp_path_factory.mktemp("root")), np.random.default_rng(0)
    faces = [f for p in range(PEOPLE) for f in sharp_faces(f"p{p:02}", person(rng), 5, rng)]
    faces += [f for p in range(2) for f in blurs(f"p{p:02}", CROWD, rng)]
    faces += [f for p in range(10, 20) for f in blurs(f"p{p:02}", SCATTERED, rng)]
    faces += blurs("nobody", 4, rng)
    photos, table, embeddings = face_tables(root, faces)
    quality = QualityTables(degraded_table(root, np.random.default_rng(1)))
    results = []
    for tables in (None, quality):
        noise = find_noise(root, table, [embeddings], quality=tables)
        labels = label(root, photos, noise, undecided="keep", min_faces=2).labels.read()
        results.append((noise, {row["key"]: row for row in labels.to_pylist()}))
    return results


def fates(rows, word):
    """How many photos whose key has this word have each fate."""
    chosen = [r for key, r in rows.items() if word in key]
    return Counter(
        "kept" if r["identity"] == r["claimed"] else "relabelled" if r["identity"] else r["reason"] for r in chosen
    )


def test_without_qualities_a_crowd_of_blurred_faces_is_a_person(refined):
    noise, rows = refined[0]
    sizes = {r["person"]: r["size"] for r in noise.persons.read(["person", "size"]).to_pylist()}
    assert sizes["p00"] >= CROWD
    fed = fates(rows, "blur")
    assert fed["kept"] + fed["relabelled"] >= 0.9 * fed.total()
    kinds = Counter(noise.findings.read(["kind"])["kind"].to_pylist())
    assert kinds["split"] + kinds["merge"] >= 10


def test_blurred_faces_found_no_person_and_are_removed_as_poor(refined):
    noise, rows = refined[1]
    persons = noise.persons.read(["person", "size", "medoid"]).to_pylist()
    assert {r["person"]: r["size"] for r in persons} == {f"p{p:02}": 5 for p in range(PEOPLE)}, "nobody is no person"
    blurred = fates(rows, "blur")
    assert blurred["kept"] + blurred["relabelled"] == 0
    assert blurred["poor"] >= 0.9 * blurred.total()
    assert fates(rows, "sharp") == {"kept": 5 * PEOPLE}


def test_weak_faces_are_no_evidence_for_a_merge_or_a_split(refined):
    kinds = Counter(refined[1][0].findings.read(["kind"])["kind"].to_pylist())
    assert not set(kinds) - {"poor", "outlier"}


def test_qualities_have_the_rows_of_the_faces_and_weak_ones_are_marked(refined):
    noise = refined[1][0]
    keys = {row["face_id"]: key for key, row in refined[1][1].items()}
    rows = noise.quality.read().to_pylist()
    assert [r["face_id"] for r in rows] == noise.clusters.read(["face_id"])["face_id"].to_pylist()
    assert all(r["weak"] == ("blur" in keys[r["face_id"]]) for r in rows)


def test_many_weak_faces_are_left_out_of_the_calibration(refined):
    identities = [
        max(filter(None, noise.calibration.read(["identities"])["identities"].to_pylist())) for noise, _ in refined
    ]
    assert identities == [PEOPLE + 1, PEOPLE], "nobody has blurred faces alone"
    thresholds = [noise.thresholds["merge"] for noise, _ in refined]
    assert thresholds[1] < thresholds[0], "blurred faces of two identities score high"


def test_a_single_weak_face_counts_like_any_other():
    assert founding_faces(np.array([False, True, False])).tolist() == [True, True, True]
    assert founding_faces(np.array([True, True, False])).tolist() == [False, False, True]
    assert founding_faces(np.array([False, False])).tolist() == [True, True]
