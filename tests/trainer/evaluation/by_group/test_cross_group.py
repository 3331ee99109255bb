"""Impostors within and between groups: cosines that can be counted by hand, a slow reference, the drawn population."""

import itertools
from collections import Counter

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.sample.cases.grouped_population import DrawnGroup, draw_population
from trainer.evaluation.by_group import accepted_pairs
from trainer.evaluation.by_group.cross_group import cross_group_rates


def at_angles(*degrees: float) -> np.ndarray:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], 1).astype(np.float32)


def test_rates_by_hand() -> None:
    # group 0: persons 0, 1, 2 with a photo each, group 1: persons 3 and 4 with two photos each
    x = at_angles(0, 10, 90, 95, 97, 180, 184)
    person, group = np.array([0, 1, 2, 3, 3, 4, 4]), np.array([0, 0, 0, 1, 1, 1, 1])
    rates = cross_group_rates(x, person, group, far=0.34, samples=0)
    # within 0: 0-1 (10 degrees), 1-2 (80), 0-2 (90); one of the three may pass: below 80 degrees
    # within 1: four pairs of photos, the nearest 97-180 (83 degrees) and 95-180 (85); one of four may pass
    # between: 12 pairs: 90-95 (5), 90-97 (7), 10-95 (85), 10-97 (87), 90-180 (90), 90-184 (94), 0-95, 0-97 and more
    # of all 19 six may pass; in order: 5, 7, 10, 80, 83, then 85 twice: neither of these, for only one of them may
    assert np.degrees(np.arccos(rates.own_cosine)) == pytest.approx([80, 85], abs=0.01)
    assert np.degrees(np.arccos(rates.cosine)) == pytest.approx(85, abs=0.01)
    assert rates.trials.tolist() == [[3, 12], [12, 4]]
    assert rates.impostors.value == pytest.approx(np.array([[2 / 3, 2 / 12], [2 / 12, 1 / 4]]))
    assert rates.own_impostors.value == pytest.approx(np.array([[1 / 3, 2 / 12], [2 / 12, 1 / 4]]))
    assert rates.genuine.value[1] == rates.own_genuine.value[1] == 1
    assert np.isnan(rates.genuine.value[0]), "no genuine pair in the first group"
    assert (rates.people.tolist(), rates.photos.tolist()) == ([3, 2], [3, 4])


def slow_rates(x: np.ndarray, person: np.ndarray, group: np.ndarray, t: float, own: np.ndarray) -> tuple:
    """Passing and all impostor pairs for each ordered pair of groups, pair by pair; and genuine ones by group."""
    counts: Counter[tuple] = Counter()
    for i, j in itertools.combinations(range(len(x)), 2):
        cosine, g, h = float(x[i] @ x[j]), group[i], group[j]
        if person[i] == person[j]:
            counts.update({("genuine", g): int(cosine > t), ("own genuine", g): int(cosine > own[g]), ("mates", g): 1})
            continue
        for a, b in {(g, h), (h, g)}:
            counts.update({("all", a, b): 1, ("one", a, b): int(cosine > t), ("own", a, b): int(cosine > own[a])})
    n = len(own)
    one, by_group = (
        np.array([[counts[name, a, b] / counts["all", a, b] for b in range(n)] for a in range(n)])
        for name in ("one", "own")
    )
    genuine = [[counts[name, g] / counts["mates", g] for g in range(n)] for name in ("genuine", "own genuine")]
    return one, by_group, *genuine


def test_rates_against_a_slow_reference_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    person = np.repeat(rng.permutation(24), 4)
    group = person % 3
    centres = rng.normal(size=(24, 8)) + 0.6 * np.eye(3, 8)[np.arange(24) % 3]
    x = centres[person] + 0.5 * rng.normal(size=(96, 8))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    monkeypatch.setattr(accepted_pairs, "PHOTOS_AT_ONCE", 7)
    rates = cross_group_rates(x, person, group, far=0.05, samples=200, seed=1)
    one, own, genuine, own_genuine = slow_rates(x, person, group, rates.cosine, rates.own_cosine)
    assert rates.impostors.value == pytest.approx(one)
    assert rates.own_impostors.value == pytest.approx(own)
    assert rates.genuine.value == pytest.approx(genuine)
    assert rates.own_genuine.value == pytest.approx(own_genuine)
    assert (np.diag(own) <= 0.05).all()
    assert 0.04 < (one * rates.trials)[np.triu_indices(3)].sum() / np.triu(rates.trials).sum() <= 0.05
    for r in (rates.impostors, rates.own_impostors):
        assert (r.low <= r.value).all()
        assert (r.value <= r.high).all()
        assert (r.high - r.low > 0.01).all()
    shuffled = rng.permutation(96)
    again = cross_group_rates(x[shuffled], person[shuffled], group[shuffled], far=0.05, samples=200, seed=1)
    assert again.own_impostors.low == pytest.approx(rates.own_impostors.low), "the order of the photos means nothing"


def test_the_close_group_of_the_drawn_population_lets_impostors_pass_at_one_threshold() -> None:
    population = draw_population([DrawnGroup("spread", 60, 0.0), DrawnGroup("close", 30, 0.25)], seed=3, dim=64)
    clean = np.flatnonzero(np.asarray(population.kind) == "clean")
    names = np.asarray(population.identity)[clean]
    group = np.array([["spread", "close"].index(population.groups[name]) for name in names.tolist()])
    person = np.unique(names, return_inverse=True)[1]
    rates = cross_group_rates(population.x[clean], person, group, far=0.01, samples=60)
    (spread, _), (_, close) = rates.impostors.value
    assert close > 5 * spread
    assert close > 0.05
    assert rates.impostors.low[1, 1] > rates.impostors.high[0, 0], "the intervals over people are apart"
    assert np.diag(rates.own_impostors.value) == pytest.approx([0.01, 0.01], abs=0.001)
    assert rates.own_cosine[1] - rates.own_cosine[0] > 0.1


def test_a_collapsed_model_lets_no_impostor_pass() -> None:
    x = np.tile(at_angles(30), (12, 1))
    rates = cross_group_rates(x, np.arange(12) // 2, np.arange(12) // 6, far=0.1, samples=0)
    assert (rates.impostors.value == 0).all()
    assert (rates.genuine.value == 0).all()


def test_mistakes_are_errors() -> None:
    x = at_angles(0, 1, 2)
    with pytest.raises(UserError, match="give one between 0 and"):
        cross_group_rates(x, np.arange(3), np.zeros(3, int), far=0.5)
    with pytest.raises(UserError, match="show 1 people"):
        cross_group_rates(x, np.zeros(3, int), np.zeros(3, int), far=0.1)
    with pytest.raises(UserError, match="photos of two groups"):
        cross_group_rates(x, np.array([0, 0, 1]), np.array([0, 1, 1]), far=0.1)
    with pytest.raises(UserError, match="not finite"):
        cross_group_rates(np.full((3, 2), np.nan), np.arange(3), np.zeros(3, int), far=0.1)
