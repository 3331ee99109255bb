"""Patterns against a slow reference, and histograms that no tone curve changes."""

import numpy as np
import pytest

from pipeline.faces.texture.local_binary_patterns import CELLS, LENGTH, PATTERNS, RADII, pattern_histograms, patterns
from tests.builders.tables.drawn_vectors import picture

AROUND = [(0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1)]  # down and right, clockwise


def slow_pattern(grey: np.ndarray, row: int, column: int, radius: int) -> int:
    """The bits of one pixel's brighter neighbours, clockwise from the right; outside the border's pixels go on."""
    bits = 0
    for bit, (down, right) in enumerate(AROUND):
        step = radius if 0 in (down, right) else round(radius / 2**0.5)
        r, c = (min(max(v, 0), 8) for v in (row + step * down, column + step * right))
        bits |= int(grey[r, c] > grey[row, column]) << bit
    return bits


@pytest.mark.parametrize("radius", RADII)
def test_equal_patterns_have_equal_numbers_and_only_uniform_ones_have_one_of_their_own(radius: int) -> None:
    grey = np.random.default_rng(radius).integers(0, 6, (9, 9)).astype(np.uint8)
    found = patterns(grey, radius)
    number_of: dict[int, int] = {}
    for row in range(9):
        for column in range(9):
            bits = slow_pattern(grey, row, column, radius)
            changes = f"{bits:08b}".count("01") + f"{bits:08b}".count("10") + (bits & 1 != bits >> 7)
            assert (found[row, column] == PATTERNS - 1) == (changes > 2)
            assert number_of.setdefault(bits, int(found[row, column])) == found[row, column]
    uniform = [n for n in number_of.values() if n < PATTERNS - 1]
    assert len(uniform) == len(set(uniform)) > 5


def test_shares_in_each_cell_sum_to_one_and_a_tone_curve_changes_none() -> None:
    face = np.repeat(np.random.default_rng(0).permutation(112 * 112).reshape(112, 112, 1) % 101, 3, axis=2)
    face = face.astype(np.uint8)
    brighter = (40 + 2 * face).astype(np.uint8)
    plain, curved = pattern_histograms(np.stack([face, brighter]))
    assert plain.shape == (LENGTH,)
    np.testing.assert_allclose((plain**2).reshape(len(RADII), CELLS**2, PATTERNS).sum(2), 1, rtol=1e-5)
    assert (plain == curved).all()


def test_a_change_in_one_cell_changes_that_cell_alone() -> None:
    face = picture(3)
    other = face.copy()
    other[33:37, 75:79] = 255 - other[33:37, 75:79]  # in the middle of the cell in row 2, column 5
    one, two = pattern_histograms(np.stack([face, other])).reshape(2, len(RADII), CELLS, CELLS, PATTERNS)
    assert np.unique(np.argwhere(one != two)[:, 1:3], axis=0).tolist() == [[2, 5]]
