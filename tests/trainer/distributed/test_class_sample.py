"""The sample of classes: of exactly the rate, with the labels, and the same on any number of ranks."""

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.distributed.class_sample import BLOCK, random_rows, sample_classes
from trainer.distributed.ranks import rows_of_rank

CLASSES = 2 * BLOCK + 1005


def sample(labels: list[int], *, rate: float, step: int = 0, world: int = 1, classes: int = CLASSES) -> list[list[int]]:
    """The sample of each rank."""
    owned = [rows_of_rank(classes, rank=rank, world=world) for rank in range(world)]
    present = np.array(labels, np.int64)
    return [sample_classes(present, part, classes=classes, rate=rate, seed=(3, step)).tolist() for part in owned]


@pytest.mark.parametrize("rate", [0.1, 0.0003, 0.7])
def test_it_is_exactly_the_rate_with_the_labels_on_any_number_of_ranks(rate: float) -> None:
    labels = [5, 0, CLASSES - 1, BLOCK, 5]
    for step in range(5):
        [whole] = sample(labels[: 5 if rate > 0.001 else 1], rate=rate, step=step)
        assert len(whole) == round(rate * CLASSES)
        assert whole == sorted(set(whole))
        assert {*labels} <= {*whole} or rate < 0.001
        for world in (2, 5):
            parts = sample(labels[: 5 if rate > 0.001 else 1], rate=rate, step=step, world=world)
            assert [c for part in parts for c in part] == whole


def test_more_labels_than_the_rate_are_all_sampled_and_nothing_else() -> None:
    assert sample([*range(0, 90, 3), 7], rate=0.1, classes=100) == [sorted([*range(0, 90, 3), 7])]
    assert sample([1], rate=0.01, classes=30, world=2) == [[1], []]


def test_it_differs_between_updates_and_every_class_comes_equally_often() -> None:
    counts = np.zeros(100)
    for step in range(400):
        counts[sample([], rate=0.2, step=step, classes=100)[0]] += 1
    assert counts.sum() == 400 * 20
    assert 45 < counts.min() <= counts.max() < 120  # 80 expected, with a standard deviation of 8


@pytest.mark.parametrize("world", [1, 2, 5])
def test_rows_are_drawn_the_same_for_any_number_of_ranks(world: int) -> None:
    n = 2 * BLOCK + 5

    def draw(rng: np.random.Generator, rows: int) -> NDArray[np.float32]:
        return rng.random((rows, 2), np.float32)

    by_rank = [random_rows(rows_of_rank(n, rank=rank, world=world), (3,), draw) for rank in range(world)]
    whole = random_rows(slice(0, n), (3,), draw)
    assert np.array_equal(np.concatenate(by_rank), whole)
    assert len(np.unique(whole[:, 0])) > 0.99 * n
    assert not np.array_equal(random_rows(slice(0, n), (4,), draw), whole)
