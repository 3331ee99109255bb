"""Items of like size go together, results come in the items' order, and none waits for long."""

import numpy as np
import pytest

from pipeline.faces.accelerator.like_size import Like, Limits, in_batches_of_like


def run(keys: list[int | None], limits: Limits, *, item_bytes: int = 1) -> list[list[int]]:
    """The batches into which items with these keys go; their results must be in order."""
    batches: list[list[int]] = []

    def work(batch: list[int]) -> list[int]:
        batches.append(batch)
        return [10 * item for item in batch]

    results = list(in_batches_of_like(range(len(keys)), lambda i: Like(keys[i], item_bytes), work, limits))
    assert results == [10 * i for i in range(len(keys))]
    return sorted(batches)


def test_like_items_go_together_and_items_without_a_key_alone() -> None:
    assert run([1, 2, 1, None, 2, 1, 1], Limits(3, 100, 100)) == [[0, 2, 5], [1, 4], [3], [6]]
    assert run([], Limits(3, 100, 100)) == []


def test_an_odd_item_waits_while_few_others_or_few_bytes_go_ahead() -> None:
    keys: list[int | None] = [7, *[1] * 20]
    assert run(keys, Limits(4, 8, 1000))[0] == [0], "its group goes when it is due"
    batches = run(keys, Limits(100, 8, 1000))
    assert max(max(batch) - min(batch) for batch in batches) == 8
    batches = run(keys, Limits(100, 1000, 50), item_bytes=10)
    assert max(max(batch) - min(batch) for batch in batches) == 5


def test_results_ahead_of_a_waiting_item_are_few() -> None:
    drawn = np.random.default_rng(0).choice([0, 0, 0, 0, 1, 2, 3, 9], 3000).tolist()
    taken = 0

    def items():
        nonlocal taken
        for taken, _ in enumerate(drawn, 1):
            yield taken - 1

    limits, most = Limits(32, 64, 10**9), 0
    for done, _ in enumerate(in_batches_of_like(items(), lambda i: Like(drawn[i]), list, limits), 1):
        most = max(most, taken - done)
    assert limits.behind <= most < limits.behind + 4 * limits.most


def test_an_error_of_a_batch_reaches_the_caller() -> None:
    def fails(_batch: list[int]) -> list[int]:
        raise ValueError("no face")

    with pytest.raises(ValueError, match="no face"):
        list(in_batches_of_like(range(3), lambda _: Like(1), fails, Limits(2, 9, 9)))
