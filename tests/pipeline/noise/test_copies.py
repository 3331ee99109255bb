"""The duplicates of one identity: few candidates for each face, in rounds, find all copies of a picture."""

import numpy as np
import pytest

from pipeline import schema
from pipeline.noise import copies
from pipeline.noise.calibration import CALIBRATION, to_table
from pipeline.noise.copies import CANDIDATE_FAR, COPIES, copy_shard
from pipeline.noise.pictures import similar_faces
from pipeline.noise.pictures.same_picture import SAME_PICTURE
from pipeline.tables.build import build
from tests.builders.photos.duplicates import duplicate_of
from tests.builders.tables.drawn_vectors import PLAIN, person, photos_of, picture, tables, unit

COPIES_OF_ONE = 14


def calibration_rows(part):
    del part
    return to_table(PLAIN)


def copies_of(root, rows, draw):
    """For each key the key of the photo of which it is a duplicate, or None."""
    _, faces, embeddings = tables(root, rows, draw=draw)
    calibration = build(root, "calibration", calibration_rows, ["c"], schema=CALIBRATION).shards[0]
    shards = faces.shards[0], (embeddings.shards[0],)
    found = copy_shard(shards, root=root, calibration=calibration, alike=CANDIDATE_FAR, least=SAME_PICTURE)
    assert found.schema == COPIES
    keys = {schema.face_id("s", key): key for key, *_ in rows}
    return {keys[r["face_id"]]: keys.get(r["copy_of"]) for r in found.to_pylist()}


def looks_alike(number):
    """A photo of one person, whose pictures look somewhat alike; from 100 on, copies of picture 0."""
    own = np.clip(0.6 * picture(999) + 0.4 * picture(number % 100 if number < 100 else 0), 0, 255).astype(np.uint8)
    if number < 100:
        return own
    edited = own if number % 2 else own[:, ::-1]
    return duplicate_of(edited, shift=(number - 100) / 5, quality=50 + number % 40)


@pytest.mark.parametrize("nearest", [1, 24])
def test_all_copies_of_a_picture_are_found_with_any_number_of_candidates(tmp_path, monkeypatch, nearest):
    monkeypatch.setattr(similar_faces, "NEAREST", nearest)
    monkeypatch.setattr(copies, "NEAREST", nearest)
    rng = np.random.default_rng(0)
    x = photos_of(person(rng), 20, rng)
    rows = [(f"a/{n:03}", "a", x[n], n) for n in range(20)]
    near = unit(x[0] + rng.normal(size=(COPIES_OF_ONE, len(x[0]))) * 0.02)
    rows += [(f"a/{100 + n}", "a", near[n], 100 + n) for n in range(COPIES_OF_ONE)]
    found = copies_of(str(tmp_path), rows, looks_alike)
    assert {key for key, of in found.items() if of} == {f"a/{100 + n}" for n in range(COPIES_OF_ONE)}
    assert set(found.values()) == {None, "a/000"}


def test_equal_bytes_are_duplicates_and_copies_under_another_identity_are_not(tmp_path):
    rng = np.random.default_rng(1)
    x = photos_of(person(rng), 3, rng)
    rows = [("a/0", "a", x[0], 7), ("a/1", "a", x[1], 7), ("a/2", "a", x[2], 8), ("b/0", "b", x[0], 7)]
    assert copies_of(str(tmp_path), rows, picture) == {"a/0": None, "a/1": "a/0", "a/2": None, "b/0": None}


def test_two_faces_with_different_embeddings_are_not_compared_by_pixels(tmp_path):
    rng = np.random.default_rng(2)
    rows = [("a/0", "a", person(rng), 0), ("a/1", "a", person(rng), 101)]
    assert copies_of(str(tmp_path), rows, looks_alike) == {"a/0": None, "a/1": None}
