"""Cases made of a refined data set: the noise stages run on them, with and without probabilities."""

import numpy as np
import pytest

from flows.benchmark.hard_names.cut import without_mixture
from flows.benchmark.hard_names.recomposed import RefinedRows, probabilities_and_truth, refine_case
from pipeline.refined.scoring.score import score
from pipeline.sample.cases.labelled_photos import LabelledPhoto
from pipeline.sample.cases.lookalikes import lookalikes
from pipeline.tables.build import build
from tests.builders.tables.drawn_refinement import refined


@pytest.mark.slow
def test_a_case_is_refined_by_probability_and_by_a_fixed_far(tmp_path):
    refinement, truth = refined(str(tmp_path / "root"))
    rows = RefinedRows.read(refinement)
    assert len(rows.row) == len(rows.faces) == len(rows.embeddings[0])
    kinds = {"clean": "clean", "outlier": "outlier"}
    photos = [
        LabelledPhoto(key, key.split("/")[0], f"P{shown}" if kind == "clean" else key, kinds[kind])
        for key, (kind, shown) in truth.items()
        if kind in kinds
    ]
    case = lookalikes(photos, rows.vectors_by_key(), shares=[0.3])
    results = {
        name: refine_case(tmp_path / name, case, rows, build=how)
        for name, how in (("far", without_mixture), ("probability", build))
    }
    for name, result in results.items():
        found = score(result.labels.batches(["key", "identity", "reason"]), result.truth)
        assert found.photos == len(case)
        assert found.noise.f1 > (0.95 if name == "probability" else 0.8)
    assert len(probabilities_and_truth(results["far"])[0]) == 0
    probability, wrong = probabilities_and_truth(results["probability"])
    assert len(probability) == len(wrong) > 100
    assert np.mean(probability[wrong]) > 0.9
    assert (~wrong).mean() < 0.05, "hardly any clean photo is reported"
