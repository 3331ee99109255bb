"""Which planted duplicates the findings join with their originals, and which other pairs they join."""

import numpy as np
import pytest

from flows.benchmark.duplicates.edits import measure
from pipeline.noise.stages import find_noise
from pipeline.refinement import Refinement
from pipeline.sample.cases.edited_duplicates import PlantedDuplicate
from tests.builders.photos.duplicates import duplicate_of
from tests.builders.tables.drawn_vectors import person, photos_of, picture, tables


def draw(number):
    return picture(number) if number < 1000 else duplicate_of(picture(number - 1000)[:, ::-1], shift=1.0)


@pytest.fixture(scope="module")
def refinement(tmp_path_factory):
    root, rng = str(tmp_path_factory.mktemp("root")), np.random.default_rng(0)
    rows = []
    for p in range(30):
        for k, x in enumerate(photos_of(person(rng), 4, rng)):
            rows.append((f"p{p:02}/{k}", f"p{p:02}", x, 100 + 10 * p + k))
    for planted, original in (("p00/m", 0), ("p01/m", 4)):
        _, identity, x, number = rows[original]
        rows.append((planted, identity, x, number + 1000))
    rows.append(("p02/m", "p02", rows[8][2], 999))  # planted, but drawn as another picture: it is not found
    photos, faces, embeddings = tables(root, sorted(rows), draw=draw)
    noise = find_noise(root, faces, [embeddings])
    stages = {n: getattr(noise, n) for n in ("calibration", "copies", "clusters", "persons", "findings")}
    others = {"decisions": noise.findings, "labels": noise.findings}
    return Refinement(photos, faces, (embeddings,), **stages, **others, thresholds=noise.thresholds)


def test_found_and_missed_duplicates_are_counted_by_edit_and_wrong_pairs_are_listed(refinement):
    planted = [
        PlantedDuplicate("p00/m", "mirrored", "p00/0", False),
        PlantedDuplicate("p01/m", "crop", "p01/0", False),
        PlantedDuplicate("p02/m", "crop", "p02/0", True),
    ]
    keys = refinement.photos.read(["key"])["key"].to_pylist()
    sources = {key: key for key in keys} | {"p00/m": "p00/0", "p02/m": "p02/0"}  # the truth does not know p01/m
    result = measure(refinement, planted, sources)
    counts = {(row["edit"], row["identity"]): (row["planted"], row["found"], row["share"]) for row in result.rows()}
    assert counts == {
        ("mirrored", "the same"): (1, 1, "100.0%"),
        ("crop", "the same"): (1, 1, "100.0%"),
        ("crop", "another of the person"): (1, 0, "0.0%"),
    }
    assert (result.right, result.wrong) in [(1, ["p01/m p01/0"]), (1, ["p01/0 p01/m"])]
    assert "precision 0.500" in result.lines()[0]
    assert 0 < result.near_pairs <= 30 * 6
