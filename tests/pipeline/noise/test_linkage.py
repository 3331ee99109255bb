"""Average linkage against answers by hand and a slow reference."""

import numpy as np
import pytest

from pipeline.noise.linkage import average_linkage, rank_by_size


def test_average_linkage_by_hand():
    s = np.array([[9, 5, 1, 0], [5, 9, 4, 0], [1, 4, 9, 0], [0, 0, 0, 9.0]])
    # 0-1 at 5; {0,1}-2 at (1 + 4) / 2 = 2.5; with 3 at 0
    assert average_linkage(s, 3).tolist() == [0, 0, 2, 3]
    assert average_linkage(s, 2.5).tolist() == [0, 0, 0, 3]
    assert average_linkage(s, 0).tolist() == [0, 0, 0, 0]
    assert average_linkage(np.zeros((0, 0)), 1).tolist() == []


def slow_linkage(scores, min_score):
    clusters = [[i] for i in range(len(scores))]
    while len(clusters) > 1:
        best = max(
            (round(np.mean([scores[i, j] for i in a for j in b]), 9), -min(a), -min(b))
            for k, a in enumerate(clusters)
            for b in clusters[k + 1 :]
        )
        if best[0] < min_score:
            break
        a, b = (next(c for c in clusters if min(c) == -m) for m in best[1:])
        clusters = [c for c in clusters if c not in (a, b)] + [a + b]
    return [min(next(c for c in clusters if i in c)) for i in range(len(scores))]


@pytest.mark.parametrize("seed", range(5))
def test_average_linkage_equals_the_slow_reference(seed):
    s = np.random.default_rng(seed).normal(size=(25, 25))
    s = (s + s.T) / 2
    assert average_linkage(s, 0.2).tolist() == slow_linkage(s, 0.2)


def test_clusters_are_ranked_by_size_and_then_by_number():
    assert rank_by_size(np.array([7, 3, 7, 2, 3, -1])).tolist() == [1, 0, 1, 2, 0, 3]


def test_only_counted_faces_rank_a_cluster():
    counted = np.array([True, True, False, False, True, True])
    assert rank_by_size(np.array([7, 3, 7, 7, 3, 7]), counted).tolist() == [1, 0, 1, 1, 0, 1]
    counted[4] = False
    assert rank_by_size(np.array([7, 3, 7, 7, 3, 7]), counted).tolist() == [0, 1, 0, 0, 1, 0]
