"""A model that gives one vector for all faces recognises nobody: equal cosines are ties, whatever their last bits."""

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.evaluation.identification import identify
from trainer.evaluation.retrieval import average_precisions
from trainer.evaluation.templates import Templates, one_to_many, one_to_one
from trainer.evaluation.verification import verify

Rows = NDArray[np.float32]
SEEDS = range(20)


def collapsed(n: int, seed: int) -> Rows:
    """n vectors of one direction, of length 512, each divided by its norm in float32, so that last bits differ."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=512)
    x = (direction * rng.uniform(0.5, 2, (n, 1))).astype(np.float32)
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), np.float32)


def test_no_mate_of_a_collapsed_model_is_found_among_distractors() -> None:
    for seed in SEEDS:
        x, person = collapsed(130, seed), np.repeat(np.arange(10), 3)
        measured = identify(x[:30], person, [x[30:65], x[65:]], sizes=(10, 100))
        assert measured.cmc(100)[:100].tolist() == [0] * 100
        assert measured.cmc(100)[100] == 1
        assert (measured.tar(0.01, samples=0) or (None,))[0] == 0
        assert (measured.rank_1_at_fpr(0.1, samples=0) or (None,))[0] == 0


def test_no_subject_of_a_collapsed_model_is_found_in_a_gallery() -> None:
    for seed in SEEDS:
        x = collapsed(40, seed)
        numbers = np.arange(20)
        gallery = Templates(numbers, x[:20], numbers)
        measured = one_to_many(Templates(numbers, x[20:], numbers + 5), gallery, ranks=(1, 19, 20), samples=0)
        assert [rate.value for rate in measured.ranks.values()] == [0, 0, 1]
        assert {rate.value for rate in measured.tpir.values()} == {0}


@pytest.mark.parametrize("place", [slice(0, 3), slice(27, 30)])
def test_the_average_precision_of_a_collapsed_model_does_not_depend_on_the_order_of_the_gallery(place: slice) -> None:
    person = np.ones(30, int)
    person[place] = 0
    for seed in SEEDS:
        x = collapsed(31, seed)
        (precision,) = average_precisions(x[:1], np.array([0]), x[1:], person)
        assert precision == pytest.approx((1 / 28 + 2 / 29 + 3 / 30) / 3)


def test_a_collapsed_model_verifies_nobody() -> None:
    x = np.repeat(collapsed(1, 0), 200, 0)
    cosine, same = np.einsum("nd,nd->n", x[::2], x[1::2]), np.arange(100) < 50
    verified = verify(cosine, same, np.zeros(100, int), samples=0)
    assert (verified.accuracy, verified.auc, verified.eer, verified.tar[0.1]) == (0.5, 0.5, 0.5, 0)
    templates = Templates(np.arange(200), x, np.zeros(200, int))
    assert one_to_one(templates, np.arange(0, 200, 2), np.arange(1, 200, 2), same, fars=(0.1,)).tar[0.1].value == 0
