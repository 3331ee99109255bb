"""Mean angles against a slow reference, and histograms that count every pair once."""

import math

import numpy as np
import pytest

from pipeline.errors import UserError
from trainer.evaluation import angles as module
from trainer.evaluation.angles import angle_histogram, mean_angles


def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    label = np.concatenate([np.arange(5), rng.integers(0, 5, 20)])
    return rng.normal(size=(25, 4)), label, rng.normal(size=(5, 4))


def between(a: np.ndarray, b: np.ndarray) -> float:
    return math.degrees(math.acos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))


def test_mean_angles_equal_the_slow_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 2)
    x, label, w = drawn()
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    centres = [unit[label == c].mean(0) for c in range(5)]
    measured = mean_angles(x, label, w)
    assert measured.intra == pytest.approx(
        np.mean([between(v, centres[c]) for v, c in zip(x, label, strict=True)]), abs=1e-3
    )
    assert measured.w_ec == pytest.approx(np.mean([between(a, b) for a, b in zip(w, centres, strict=True)]), abs=1e-3)
    for value, rows in ((measured.inter, centres), (measured.w_inter, w)):
        least = [min(between(a, b) for j, b in enumerate(rows) if i != j) for i, a in enumerate(rows)]
        assert value == pytest.approx(np.mean(least), abs=1e-3)
    assert math.isnan(mean_angles(x, label).w_ec)


def test_every_pair_is_in_the_histogram_once() -> None:
    x, label, _ = drawn()
    edges, genuine, impostor = angle_histogram(x, label, bins=18)
    same_label = label[:, None] == label[None]
    assert genuine.sum() == (same_label.sum() - 25) / 2
    assert impostor.sum() == 300 - genuine.sum()
    i, j = 3, 17
    at = int(np.searchsorted(edges, between(x[i], x[j])) - 1)
    assert (genuine if label[i] == label[j] else impostor)[at] > 0
    of_random_pairs = angle_histogram(x, label, bins=18, pairs=250)[1:]
    assert sum(int(c.sum()) for c in of_random_pairs) == 250


@pytest.mark.parametrize(
    ("label", "weights", "message"),
    [([0, 0], None, "1 of 1 classes"), ([0, 2], None, "2 of 3 classes"), ([0, 1], np.eye(3, 2), "the weights are")],
)
def test_labels_or_weights_that_cannot_be_measured_raise_one_line(
    label: list[int], weights: np.ndarray | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        mean_angles(np.eye(2), np.array(label), weights)
