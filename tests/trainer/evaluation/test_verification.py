"""Every figure of a verification against slow references, pair by pair and threshold by threshold."""

import itertools
import math

import numpy as np
import pytest

from pipeline.errors import UserError
from tests.builders.drawn_pairs import ScoredPairs, scored_pairs
from trainer.evaluation.roc import best_threshold
from trainer.evaluation.verification import verify

TEST_SETS = [
    scored_pairs(60, 1),
    scored_pairs(61, 2, digits=1),
    scored_pairs(40, 3, digits=0),
    scored_pairs(400, 4),
    scored_pairs(33, 5, folds=3),
]


def thresholds(cosines: list[float]) -> list[float]:
    """A threshold above all cosines, one between each two neighbouring ones, and one below all; falling."""
    falling = sorted(set(cosines), reverse=True)
    return [math.inf, *((a + b) / 2 for a, b in itertools.pairwise(falling)), -math.inf]


def slow_accuracies(pairs: ScoredPairs) -> list[float]:
    accuracies = []
    rows = list(zip(*(a.tolist() for a in pairs), strict=True))
    for k in sorted(set(pairs.fold.tolist())):
        training_pairs = [(c, s) for c, s, f in rows if f != k]
        right = {t: sum((c >= t) == s for c, s in training_pairs) for t in thresholds([c for c, _ in training_pairs])}
        best = [t for t, n in right.items() if n == max(right.values())]
        t = best[len(best) // 2]
        here = [(c >= t) == s for c, s, f in rows if f == k]
        accuracies.append(sum(here) / len(here))
    return accuracies


def slow_tar(pairs: ScoredPairs, far: float) -> float:
    genuine, impostor = pairs.cosine[pairs.same].tolist(), pairs.cosine[~pairs.same].tolist()
    allowed = [
        t for t in [math.inf, *set(genuine + impostor)] if sum(d >= t for d in impostor) <= far * len(impostor) + 1e-9
    ]
    return sum(s >= min(allowed) for s in genuine) / len(genuine)


def slow_eer(pairs: ScoredPairs) -> float:
    """Lower the threshold until false accepts exceed misses; a straight line between the last two thresholds."""
    genuine, impostor = pairs.cosine[pairs.same].tolist(), pairs.cosine[~pairs.same].tolist()
    far, miss = 0.0, 1.0
    for t in sorted(set(genuine + impostor), reverse=True):
        far2 = sum(d >= t for d in impostor) / len(impostor)
        miss2 = sum(s < t for s in genuine) / len(genuine)
        if far2 >= miss2:
            # far + u (far2 - far) = miss + u (miss2 - miss)
            u = (miss - far) / ((far2 - far) - (miss2 - miss))
            return far + u * (far2 - far)
        far, miss = far2, miss2
    raise AssertionError


@pytest.mark.parametrize("pairs", TEST_SETS)
def test_every_figure_equals_the_slow_reference(pairs: ScoredPairs) -> None:
    verified = verify(*pairs, samples=0)
    accuracies = slow_accuracies(pairs)
    assert verified.accuracy == pytest.approx(sum(accuracies) / len(accuracies))
    assert verified.accuracy_sd == pytest.approx(np.std(accuracies))
    genuine, impostor = pairs.cosine[pairs.same], pairs.cosine[~pairs.same]
    wins = [(s > d) + (s == d) / 2 for s in genuine for d in impostor]
    assert verified.auc == pytest.approx(sum(wins) / len(wins))
    assert verified.eer == pytest.approx(slow_eer(pairs))
    assert list(verified.tar) == [f for f in (0.1, 0.01, 1e-3) if f * len(impostor) >= 1]
    for far, tar in verified.tar.items():
        assert tar == pytest.approx(slow_tar(pairs, far))
        assert (impostor >= verified.cosine[far]).mean() <= far
        assert (genuine >= verified.cosine[far]).mean() == tar
    assert (verified.pairs, verified.genuine) == (len(pairs.same), len(genuine))
    assert set(verified.interval) == set(verified.figures)


def test_figures_equal_hand_computed_ones() -> None:
    cosine = np.array([0.9, 0.8, 0.4, 0.7, 0.25, 0.2])
    same = np.array([True, True, True, False, False, False])
    verified = verify(cosine, same, np.array([0, 1, 2, 0, 1, 2]), fars=(1 / 3, 0.34, 0.1), samples=0)
    # fold 0: the other folds' genuine .8 .4 and impostor .25 .2 give the threshold .325: .9 is right, .7 wrong.
    # fold 1: .9 .4 and .7 .2 give .8 or .3 with three of four right, and the lower one is taken: .8 and .25 are right.
    # fold 2: .9 .8 and .7 .25 give .75: .4 is wrong, .2 right.
    assert verified.accuracy == pytest.approx((0.5 + 1 + 0.5) / 3)
    assert verified.auc == pytest.approx(8 / 9)
    assert verified.tar == {1 / 3: 1.0, 0.34: 1.0}
    assert verified.eer == pytest.approx(1 / 3)
    assert verified.roc.far.tolist() == pytest.approx([0, 0, 0, 1 / 3, 1 / 3, 2 / 3, 1])
    assert verified.roc.tar.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3, 1, 1, 1])


def test_a_set_of_one_fold_uses_its_own_best_threshold() -> None:
    cosine, same = np.array([0.9, 0.5, 0.6, 0.1]), np.array([True, True, False, False])
    assert verify(cosine, same, np.zeros(4, int), samples=0).accuracy == 0.75


def test_perfect_and_hopeless_models() -> None:
    same = np.arange(20) < 10
    fold = np.arange(20) % 10
    perfect = verify(same - 0.5, same, fold, samples=50)
    assert set(perfect.figures.values()) == {0.0, 1.0}
    assert perfect.eer == 0
    assert perfect.interval["accuracy"] == (1, 1)
    assert best_threshold(same - 0.5, same) == 0
    hopeless = verify(0.5 - same, same, fold, samples=0)
    assert (hopeless.auc, hopeless.eer, hopeless.tar[0.1]) == (0, 1, 0)
    constant = verify(np.zeros(20), same, fold, samples=0)
    assert (constant.auc, constant.eer) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("cosine", "same", "words"),
    [
        ([], [], "no pairs"),
        ([0.1, 0.2], [True, True], "all 2 pairs of the test set are genuine pairs"),
        ([0.1, 0.2], [False, False], "are impostor pairs"),
        ([0.1, math.nan], [True, False], "1 of 2 cosines are not finite"),
    ],
)
def test_pairs_that_cannot_be_verified_raise_one_line(cosine: list, same: list, words: str) -> None:
    with pytest.raises(UserError, match=words) as raised:
        verify(np.array(cosine, float), np.array(same, bool), np.zeros(len(same), int))
    assert "\n" not in str(raised.value)
