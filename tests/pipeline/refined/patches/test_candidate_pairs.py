"""Candidate pairs are those that comparing everything with everything gives."""

import numpy as np

from pipeline.refined.patches.candidate_pairs import (
    MAX_SHARED,
    SURE_BITS,
    cosines,
    equal_pairs,
    mutual_best,
    near_pairs,
    near_vectors,
    only_pairs,
)


def with_changed_bits(hashes: np.ndarray, rng: np.random.Generator, bits: int) -> np.ndarray:
    changed = hashes.copy()
    for i in range(len(hashes)):
        for bit in rng.permutation(64)[:bits].tolist():
            changed[i] ^= np.uint64(1 << bit)
    return changed


def test_no_pair_within_the_sure_bits_is_missed() -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(0, 1 << 63, 300, np.uint64)
    b = np.concatenate([with_changed_bits(a, rng, bits) for bits in range(7)])
    i, j = near_pairs(a, b)
    expected = np.argwhere(np.bitwise_count(a[:, None] ^ b[None]) <= SURE_BITS)
    assert len(expected) == 300 * (SURE_BITS + 1)
    assert np.array_equal(np.stack([i, j], axis=1), expected)


def test_near_pairs_of_nothing_are_none() -> None:
    nothing, some = np.zeros(0, np.uint64), np.arange(3, dtype=np.uint64)
    for a, b in ((nothing, some), (some, nothing), (nothing, nothing)):
        assert [len(rows) for rows in near_pairs(a, b)] == [0, 0]
        assert [len(rows) for rows in equal_pairs(a, b)] == [0, 0]


def test_equal_values_are_all_pairs_unless_too_many_share_one() -> None:
    a = np.array([7, 5, 7, 9, 1], np.uint64)
    b = np.array([9, 7, 3, 7, *[1] * (MAX_SHARED + 1)], np.uint64)
    i, j = equal_pairs(a, b)
    assert sorted(zip(i.tolist(), j.tolist(), strict=True)) == [(0, 1), (0, 3), (2, 1), (2, 3), (3, 0)]
    assert len(equal_pairs(b[4:], a)[0]) == 0


def test_the_best_pair_counts_only_if_it_is_the_best_of_both_and_no_other_is_as_good() -> None:
    i, j = np.array([0, 0, 1, 2, 2, 3]), np.array([0, 1, 1, 2, 3, 4])
    cost = np.array([1, 2, 1, 3, 3, 5])
    assert mutual_best(i, j, cost).tolist() == [True, False, True, False, False, True]
    assert only_pairs(i, j).tolist() == [False, False, False, False, False, True]
    assert mutual_best(i[:0], j[:0], cost[:0]).tolist() == []


def test_near_vectors_pass_over_photos_without_one() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=(20, 16))
    a = (a / np.linalg.norm(a, axis=1, keepdims=True)).astype(np.float16)
    b = np.roll(a, 3, axis=0)
    a[4] = b[9] = 0
    i, j = near_vectors(a, b)
    best = cosines(a, b, i, j) > 0.99
    assert dict(zip(i[best].tolist(), j[best].tolist(), strict=True)) == {
        row: (row + 3) % 20 for row in range(20) if row != 4 and (row + 3) % 20 != 9
    }
    assert 4 not in i
    assert 9 not in j
