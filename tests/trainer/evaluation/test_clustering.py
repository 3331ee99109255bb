"""Clustering's figures beside counting pair by pair and face by face, and beside scikit-learn."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import normalized_mutual_info_score, pair_confusion_matrix

from pipeline.errors import UserError
from trainer.evaluation.clustering import agreement


@pytest.mark.parametrize("seed", range(3))
def test_beside_slow_references(seed: int) -> None:
    rng = np.random.default_rng(seed)
    person = rng.integers(0, 6, 40) * 7
    group = np.where(rng.random(40) < 0.7, person, rng.integers(0, 9, 40) + 100)
    found = agreement(group, person)
    pairs = list(itertools.combinations(range(40), 2))
    together = [group[i] == group[j] for i, j in pairs]
    one = [person[i] == person[j] for i, j in pairs]
    both = sum(a and b for a, b in zip(together, one, strict=True))
    assert found.pairwise.precision == pytest.approx(both / sum(together))
    assert found.pairwise.recall == pytest.approx(both / sum(one))
    (_, wrong), (missed, right) = pair_confusion_matrix(person, group)
    assert found.pairwise.f == pytest.approx(2 * right / (2 * right + wrong + missed))
    precision = np.mean([(person[group == group[i]] == person[i]).mean() for i in range(40)])
    recall = np.mean([(group[person == person[i]] == group[i]).mean() for i in range(40)])
    assert found.bcubed[:2] == pytest.approx((precision, recall))
    assert found.bcubed.f == pytest.approx(2 * precision * recall / (precision + recall))
    assert found.nmi == pytest.approx(normalized_mutual_info_score(person, group))


def test_the_ends() -> None:
    person = np.array([0, 0, 1, 1])
    assert agreement(person, person)[3:] == ((1, 1, 1), (1, 1, 1), 1)
    apart = agreement(np.arange(4), person)
    assert (apart.pairwise.precision, apart.pairwise.recall) == (1, 0)
    assert agreement(np.zeros(4, int), np.zeros(4, int)).nmi == 1
    with pytest.raises(UserError, match="3 groups for 4 faces"):
        agreement(np.arange(3), person)
