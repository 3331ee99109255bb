"""Average precision against a slow reference, query by query, and against scikit-learn's for the whole ranked list."""

import numpy as np
import pytest

from pipeline.errors import UserError
from trainer.evaluation.retrieval import average_precisions, mean_average_precision


@pytest.mark.parametrize("k", [5, 60])
def test_average_precision_equals_the_slow_reference(k: int) -> None:
    from sklearn.metrics import average_precision_score  # a second to load, and every test process reads this file

    rng = np.random.default_rng(k)
    gallery_person = rng.integers(0, 7, 60)
    centres = rng.normal(size=(8, 6))
    gallery = centres[gallery_person] + rng.normal(0, 1, (60, 6))
    precisions_at_k = average_precisions(centres, np.arange(8), gallery, gallery_person, k=k)
    for q in range(7):
        order = np.argsort(-(gallery @ centres[q]))[:k]
        right = [bool(gallery_person[o] == q) for o in order]
        precisions = [sum(right[: n + 1]) / (n + 1) for n in range(len(right)) if right[n]]
        assert precisions_at_k[q] == pytest.approx(sum(precisions) / int((gallery_person == q).sum()))
        if k == 60:
            assert precisions_at_k[q] == pytest.approx(
                average_precision_score(gallery_person == q, gallery @ centres[q])
            )
    assert np.isnan(precisions_at_k[7]), "this person has no video"
    videos = np.bincount(gallery_person, minlength=8)
    fewer = average_precisions(centres, np.arange(8), gallery, gallery_person, relevant=videos + 2, k=k)
    assert fewer[:7] == pytest.approx(precisions_at_k[:7] * videos[:7] / (videos[:7] + 2))
    value, low, high = mean_average_precision(precisions_at_k, samples=50)
    assert value == pytest.approx(precisions_at_k[:7].mean())
    assert low < value < high


def test_an_empty_gallery_raises_one_line() -> None:
    with pytest.raises(UserError, match="holds no video"):
        average_precisions(np.eye(2), np.arange(2), np.empty((0, 2)), np.empty(0, int))
