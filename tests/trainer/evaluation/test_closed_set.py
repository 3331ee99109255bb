"""TinyFace's figures: ranks that can be counted by hand, and a slow reference over whole rankings."""

import numpy as np
import pytest

from pipeline.errors import UserError
from trainer.evaluation.closed_set import average_precision, search_closed_set


def at_angles(*degrees: float) -> np.ndarray:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], 1).astype(np.float32)


def test_ranks_and_precisions_by_hand() -> None:
    probes, person = at_angles(0, 100, 50), np.array([1, 2, 3])
    # mates of 1 at 10 and 30 degrees, of 2 at 103; distractors at 5, 20, 101, 102, and one without a face
    gallery, shown = at_angles(10, 30, 103), np.array([1, 1, 2])
    distractors = [at_angles(5, 20, 101), np.concatenate([at_angles(102), np.zeros((1, 2), np.float32)])]
    result = search_closed_set(probes, person, gallery, shown, distractors)
    assert [r.tolist() for r in result.ranks] == [[2, 4], [3], []]
    assert result.rank(1, samples=0)[0] == 0
    assert result.rank(2, samples=0)[0] == pytest.approx(1 / 3)
    assert result.rank(3, samples=0)[0] == pytest.approx(2 / 3)
    # ranks 2 and 4: half of (0/1 + 1/2) / 2 + (1/3 + 2/4) / 2; rank 3: (0/2 + 1/3) / 2
    expected = [(0.25 + 5 / 12) / 2, 1 / 6, 0]
    assert [average_precision(r) for r in result.ranks] == pytest.approx(expected)
    assert result.mean_average_precision(samples=0)[0] == pytest.approx(np.mean(expected))
    assert result.of_probes(np.array([False, True, False])).rank(3, samples=0)[0] == 1


def slow_average_precision(order: list[bool]) -> float:
    """The area under precision by recall of a ranking, point by point, as TinyFace's authors add it up."""
    area, old_recall, old_precision, seen = 0.0, 0.0, 1.0, 0
    for i, is_mate in enumerate(order, start=1):
        seen += is_mate
        recall, precision = seen / sum(order), seen / i
        area += (recall - old_recall) * (old_precision + precision) / 2
        old_recall, old_precision = recall, precision
    return area


def test_against_whole_rankings() -> None:
    rng = np.random.default_rng(0)
    person, shown = np.repeat(np.arange(10), 3), np.repeat(np.arange(10), 4)
    centres = rng.normal(size=(10, 6))

    def unit(x: np.ndarray) -> np.ndarray:
        return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)

    probes, gallery = (unit(centres[p] + 0.8 * rng.normal(size=(len(p), 6))) for p in (person, shown))
    others = unit(rng.normal(size=(60, 6)))
    result = search_closed_set(probes, person, gallery, shown, [others[:25], others[25:]])
    everything, is_of = np.concatenate([gallery, others]), np.concatenate([shown, np.full(60, -1)])
    precisions, first = [], []
    for x, p in zip(probes, person, strict=True):
        order = (is_of == p)[np.argsort(-(everything @ x), kind="stable")].tolist()
        precisions.append(slow_average_precision(order))
        first.append(order.index(True) + 1)
    mean, low, high = result.mean_average_precision(samples=200)
    assert mean == pytest.approx(np.mean(precisions))
    assert low < mean < high
    for k in (1, 5):
        assert result.rank(k, samples=0)[0] == pytest.approx(np.mean(np.array(first) <= k))


def test_a_face_that_is_missing_or_the_same_for_all_finds_nobody() -> None:
    probes = np.zeros((2, 2), np.float32)
    probes[1] = at_angles(0)[0]
    same = np.tile(at_angles(0), (3, 1))
    result = search_closed_set(probes, np.array([0, 1]), same[:2], np.array([0, 1]), [same])
    assert [r.tolist() for r in result.ranks] == [[np.inf], [5]]
    with pytest.raises(UserError, match="no probe has a mate"):
        search_closed_set(probes, np.array([0, 1]), same[:2], np.array([7, 8]), [])
    with pytest.raises(UserError, match="not finite"):
        search_closed_set(np.full((2, 2), np.nan), np.array([0, 1]), same[:2], np.array([0, 1]), [])
