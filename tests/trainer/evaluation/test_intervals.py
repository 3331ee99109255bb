"""Intervals: bootstrap samples one by one, and whether 95% intervals contain the true figure as often as they claim."""

import numpy as np
import pytest

from tests.builders.drawn_pairs import all_pairs, scored_pairs
from trainer.evaluation import intervals
from trainer.evaluation.roc import best_threshold
from trainer.evaluation.verification import verify


def test_a_sample_draws_people_with_replacement_and_all_their_pairs() -> None:
    unit = np.array([0, 0, 1, 2, 2, 2])
    drawn = list(intervals.bootstrap_weights(unit, samples=200, seed=3))
    assert len(drawn) == 200
    for w in drawn:
        assert w[0] == w[1]
        assert w[3] == w[4] == w[5]
        assert w[0] + w[2] + w[3] == 3
    assert np.mean(drawn, 0) == pytest.approx(np.ones(6), abs=0.2)
    again = list(intervals.bootstrap_weights(unit, samples=200, seed=3))
    assert np.array_equal(drawn, again)
    assert not np.array_equal(drawn, list(intervals.bootstrap_weights(unit, samples=200, seed=4)))


def test_a_pair_of_two_people_counts_as_often_as_both_are_drawn() -> None:
    unit = np.array([[0, 0], [1, 1], [0, 1], [1, 0], [2, 1], [2, 2]])
    for w in intervals.bootstrap_weights(unit, samples=50, seed=0):
        assert w[2] == w[3] == w[0] * w[1]
        assert w[4] == w[5] * w[1]


def test_figures_of_a_sample_equal_those_of_the_pairs_repeated() -> None:
    pairs = scored_pairs(80, 0, digits=2)
    unit = np.random.default_rng(0).integers(0, 12, 80)
    verified = verify(*pairs, unit=unit, samples=20)
    for i, weight in enumerate(intervals.bootstrap_weights(unit, samples=20, seed=0)):
        rows = np.repeat(np.arange(80), weight.astype(int))
        again = verify(*(a[rows] for a in pairs), samples=0, fars=list(verified.tar))
        for name in ("TAR@FAR=0.1", "AUC", "EER"):
            assert verified.bootstrap_figures[name][i] == pytest.approx(again.figures[name]), name


def test_the_accuracy_on_a_sample_keeps_the_thresholds_of_all_pairs() -> None:
    pairs = scored_pairs(50, 7, folds=5)
    verified = verify(*pairs, samples=1)
    weight = next(intervals.bootstrap_weights(np.arange(50), samples=1, seed=0))
    expected = []
    for k in range(5):
        training_folds, here = pairs.fold != k, pairs.fold == k
        threshold = best_threshold(pairs.cosine[training_folds], pairs.same[training_folds])
        right = (pairs.cosine[here] >= threshold) == pairs.same[here]
        expected.append((right * weight[here]).sum() / weight[here].sum())
    assert verified.bootstrap_figures["accuracy"][0] == pytest.approx(np.mean(expected))


def test_samples_of_only_genuine_or_only_impostor_pairs_are_left_out() -> None:
    verified = verify(np.array([0.9, 0.1]), np.array([True, False]), np.array([0, 1]), samples=100)
    # half of the samples of two pairs hold one of them twice
    assert 30 < np.isnan(verified.bootstrap_figures["AUC"]).sum() < 70
    assert verified.interval["AUC"] == (1, 1)


@pytest.mark.slow
def test_intervals_of_independent_pairs_contain_the_truth_as_often_as_they_claim() -> None:
    truth = verify(*scored_pairs(400_000, 1000), samples=0, fars=(0.1,)).figures
    inside = dict.fromkeys(truth, 0)
    for seed in range(100):
        verified = verify(*scored_pairs(300, seed), samples=150, fars=(0.1,))
        for name, (low, high) in verified.interval.items():
            inside[name] += low <= truth[name] <= high
    # 95 of 100 are expected, somewhat fewer because there are only 150 samples; the standard deviation is 2.2
    assert all(88 <= n <= 100 for n in inside.values()), inside


@pytest.mark.slow
def test_where_all_pairs_are_compared_only_drawing_people_gives_wide_enough_intervals() -> None:
    names = ("TAR@FAR=0.1", "AUC", "EER")
    worlds = [verify(*all_pairs(200, 5, 1000 + seed)[0], samples=0, fars=(0.1,)).figures for seed in range(3)]
    truth = {name: np.mean([figures[name] for figures in worlds]) for name in names}
    inside = {kind: dict.fromkeys(names, 0) for kind in ("people", "pairs")}
    for seed in range(20):
        pairs, unit = all_pairs(30, 5, seed)
        for kind, drawn in (("people", unit), ("pairs", None)):
            verified = verify(*pairs, unit=drawn, samples=150, fars=(0.1,))
            for name in names:
                low, high = verified.interval[name]
                inside[kind][name] += low <= truth[name] <= high
    assert all(n >= 17 for n in inside["people"].values()), inside
    assert all(n <= 16 for n in inside["pairs"].values()), inside
