"""Identification against a slow reference that compares every pair and every distractor one after the other."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer.evaluation import identification as module
from trainer.evaluation import mates
from trainer.evaluation.identification import Identification, identify, replace_noisy_probes

Rows = NDArray[np.float32]


def unit(x: NDArray[np.floating]) -> Rows:
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), np.float32)


def drawn(seed: int, *, people: int = 7, distractors: int = 300, d: int = 8) -> tuple[Rows, NDArray[np.int64], Rows]:
    """Embeddings of people with one to six photos, in random order, the person of each, and distractors."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), rng.integers(1, 7, people))
    rng.shuffle(person)
    centres = rng.normal(size=(people, d))
    return unit(centres[person] + rng.normal(0, 1.2, (len(person), d))), person, unit(rng.normal(size=(distractors, d)))


def slow_ranks(x: Rows, person: NDArray[np.int64], distractors: Rows) -> dict[tuple[int, int], int]:
    """The rank of every mate of every probe."""
    ranks = {}
    for probe in range(len(x)):
        for mate in range(len(x)):
            if mate != probe and person[mate] == person[probe]:
                near = x[probe] @ x[mate]
                ranks[probe, mate] = 1 + sum(bool(x[probe] @ d >= near) for d in distractors if d.any())
    return ranks


def blocks(rows: Rows, of: int = 37) -> list[Rows]:
    return [rows[i : i + of] for i in range(0, len(rows), of)]


@pytest.mark.parametrize("seed", range(4))
def test_ranks_equal_those_of_the_slow_reference(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBES_AT_ONCE", 5)
    x, person, distractors = drawn(seed)
    identification = identify(x, person, blocks(distractors), sizes=(10, 100, 1000))
    assert identification.sizes == (10, 100, 300)
    for size in identification.sizes:
        ranks = np.array(list(slow_ranks(x, person, distractors[:size]).values()))
        assert identification.pairs == len(ranks)
        expected = [(ranks <= k).mean() for k in range(1, mates.RANKS + 1)]
        assert identification.cmc(size) == pytest.approx(expected)
        value, low, high = identification.rank(1, size, samples=100)
        assert value == pytest.approx(expected[0])
        assert low <= value <= high


def test_a_mate_beyond_the_ranks_is_not_counted_further_and_the_others_are(monkeypatch: pytest.MonkeyPatch) -> None:
    x, person, distractors = drawn(5)
    whole = identify(x, person, [distractors]).cmc(300)
    monkeypatch.setattr(mates, "RANKS", 20)
    monkeypatch.setattr(module, "DISTRACTORS_AT_ONCE", 16)
    assert identify(x, person, [distractors]).cmc(300) == pytest.approx(whole[:20])
    assert 0 < whole[19] < 1


def test_the_true_accept_rate_at_a_false_accept_rate_by_hand() -> None:
    x, person, distractors = drawn(6)
    identification = identify(x, person, blocks(distractors), keep=2000)
    probes = [p for p in range(len(x)) if (person == person[p]).sum() > 1]
    impostors = np.sort([x[p] @ d for p in probes for d in distractors])[::-1]
    genuine = np.array([x[p] @ x[q] for p in probes for q in probes if p != q and person[p] == person[q]])
    assert identification.impostor_pairs == len(impostors)
    for far in (1e-3, 1e-2, 0.1):
        threshold = impostors[int(far * len(impostors))]
        value, low, high = identification.tar(far, samples=50) or (0, 0, 0)
        assert value == pytest.approx((genuine > threshold).mean())
        assert (impostors > threshold).mean() <= far
        assert low <= value <= high
    assert identification.tar(1e-6) is None, "less than one impostor pair may pass"
    assert identify(x, person, [distractors], keep=10).tar(0.1) is None, "more impostor pairs may pass than were kept"


def test_the_rate_of_mates_at_rank_1_at_a_false_positive_rate_by_hand() -> None:
    x, person, distractors = drawn(10, people=9)
    identification = identify(x, person, blocks(distractors))
    probes = [p for p in range(len(x)) if (person == person[p]).sum() > 1]
    largest = {p: max(x[p] @ d for d in distractors) for p in probes}
    for fpr in (0.1, 0.3):
        threshold = sorted(largest.values(), reverse=True)[int(fpr * len(probes))]
        hits = [
            x[p] @ x[q] > max(threshold, largest[p])
            for p in probes
            for q in probes
            if p != q and person[p] == person[q]
        ]
        value, low, high = identification.rank_1_at_fpr(fpr, samples=50) or (0, 0, 0)
        assert value == pytest.approx(np.mean(hits))
        assert low <= value <= high
        assert np.mean([s > threshold for s in largest.values()]) <= fpr
    assert identification.rank_1_at_fpr(1e-3) is None


def test_a_distractor_of_zeros_never_matches_and_counts() -> None:
    x, person, distractors = drawn(7)
    left_out = distractors.copy()
    left_out[::3] = left_out[1::3] = 0
    identification = identify(x, person, blocks(left_out))
    ranks = np.array(list(slow_ranks(x, person, distractors[2::3]).values()))
    assert identification.cmc(300)[0] == pytest.approx((ranks == 1).mean())
    assert identification.impostor_pairs == identify(x, person, [distractors]).impostor_pairs


def test_a_noisy_probe_becomes_the_centre_of_its_persons_others() -> None:
    x, person, _ = drawn(8)
    noisy = np.zeros(len(x), bool)
    rows = np.flatnonzero(person == np.bincount(person).argmax())
    noisy[rows[0]] = True
    alone = np.flatnonzero(person == person.min())
    noisy[alone] = True
    replaced = replace_noisy_probes(x, person, noisy)
    assert np.array_equal(replaced[~noisy], x[~noisy])
    assert np.array_equal(replaced[alone], x[alone]), "without a clean photo there is nothing to replace them by"
    centre = unit(x[rows[1:]].mean(0, keepdims=True))[0]
    assert replaced[rows[0]] @ centre == pytest.approx(1, abs=1e-6)
    assert not np.array_equal(replaced[rows[0]], centre)
    assert np.array_equal(replaced, replace_noisy_probes(x, person, noisy))


@pytest.mark.parametrize(
    ("person", "distractors", "message"),
    [
        ([0, 1, 2], np.ones((2, 4)), "none of 3 people has two photos"),
        ([0, 0, 1], np.ones((2, 5)), "vectors of 5, the probes of 4"),
        ([0, 0, 1], np.ones((0, 4)), "there are no distractors"),
    ],
)
def test_an_input_that_cannot_be_measured_raises_one_line(person: list[int], distractors: Rows, message: str) -> None:
    with pytest.raises(UserError, match=message):
        identify(np.eye(3, 4), np.array(person), [distractors])


def test_the_order_of_people_and_of_distractors_changes_no_figure() -> None:
    x, person, distractors = drawn(9)

    def figures(identification: Identification) -> tuple[float, ...]:
        return (*identification.cmc(300), *(identification.tar(0.01) or ()))

    order = np.random.default_rng(0).permutation(len(x))
    expected = figures(identify(x, person, [distractors]))
    assert figures(identify(x[order], person[order], blocks(distractors[::-1], 11))) == pytest.approx(expected)


def test_a_distractor_that_scores_as_high_as_the_mate_comes_before_it() -> None:
    x = np.array([[1, 0], [0.6, 0.8]], np.float32)
    identification = identify(x, np.zeros(2, int), [np.array([[0.6, -0.8]], np.float32)])
    assert identification.cmc(1)[:2].tolist() == [
        0.5,
        1,
    ]  # both score .6 with probe 0; with probe 1 the mate scores higher


def test_a_distractor_of_zeros_does_not_come_before_a_mate_of_negative_cosine() -> None:
    x = np.array([[1, 0], [-0.6, 0.8]], np.float32)
    identification = identify(x, np.zeros(2, int), [np.zeros((3, 2), np.float32)])
    assert identification.cmc(3)[0] == 1


def test_exactly_as_many_impostor_pairs_pass_as_the_rate_allows() -> None:
    genuine, impostor = (np.array(v, np.float32) for v in ([0.55, 0.65, 0.75, 0.85], [0.9, 0.8, 0.7, 0.6, 0.5]))
    identification = Identification(
        people=1,
        probes=2,
        pairs=4,
        sizes=(10,),
        impostor_pairs=20,
        trials=np.array([4]),
        hits=np.zeros((1, 1, 1), int),
        genuine=genuine,
        person=np.zeros(4, int),
        probe=np.zeros(4, int),
        impostor=impostor,
        nearest=np.zeros(2, np.float32),
    )
    rates = {far: (identification.tar(far, samples=0) or (None,))[0] for far in (0.04, 0.05, 0.1, 0.15, 0.2, 0.25)}
    assert rates == {0.04: None, 0.05: 0.25, 0.1: 0.5, 0.15: 0.75, 0.2: 1, 0.25: None}
