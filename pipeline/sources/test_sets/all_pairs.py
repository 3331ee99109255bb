"""Verification pairs of a folder of people without a list of pairs: every genuine and every impostor pair.

The number of impostor pairs grows with the square of the number of photos; above MAX_PAIRS, a random sample is drawn.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError

FOLDS = 10
# of each kind, genuine and impostor: enough for a false accept rate of 1e-4, few enough for intervals in seconds
MAX_PAIRS = 250_000
Rows = NDArray[np.intp]


class PhotoPairs(NamedTuple):
    """For each pair [n]: the numbers of photos a and b, whether they show one person, and the fold (of a's person)."""

    a: Rows
    b: Rows
    same: NDArray[np.bool_]
    fold: Rows


def all_pairs(person: Rows, *, max_pairs: int = MAX_PAIRS, seed: int = 0) -> PhotoPairs:
    """Every pair of photos, or max_pairs of each kind, drawn at random by the seed.

    person: [m] the number of each photo's person. A pair belongs to the fold of photo a's person; which of the two
    photos is a alternates, so that pairs are spread evenly over persons. Raises UserError when there are no two photos
    of one person, or no two people.
    """
    person = np.unique(person, return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    genuine, impostor = _genuine_pairs(person), _impostor_pairs(person, max_pairs, rng)
    if not len(genuine) or not len(impostor):
        lack = "no two photos of one person" if not len(genuine) else "one person only"
        raise UserError(f"it holds {lack}: a test set needs several people with several photos each")
    chosen = [
        np.sort(rng.choice(len(p), max_pairs, replace=False)) if len(p) > max_pairs else slice(None)
        for p in (genuine, impostor)
    ]
    i, j = np.concatenate([genuine[chosen[0]], impostor[chosen[1]]]).T
    swapped = (i + j) % 2 == 1
    a, b = np.where(swapped, j, i), np.where(swapped, i, j)
    return PhotoPairs(a, b, person[a] == person[b], person[a] % FOLDS)


def _genuine_pairs(person: Rows) -> Rows:
    """All pairs [n, 2] of photos of one person."""
    order = np.argsort(person, kind="stable")
    photos_of_each = np.split(order, np.flatnonzero(np.diff(person[order])) + 1)
    return np.concatenate([p[np.stack(np.triu_indices(len(p), 1), 1)] for p in photos_of_each])


def _impostor_pairs(person: Rows, max_pairs: int, rng: np.random.Generator) -> Rows:
    """Pairs [n, 2] of photos of two people: all of them, or a sample of more than max_pairs where they are far more."""
    m = len(person)
    if m * (m - 1) // 2 <= 4 * max_pairs:
        pairs = np.stack(np.triu_indices(m, 1), 1)
    else:
        # three times max_pairs draws: few of them come twice, or are of one photo or of one person
        drawn = np.sort(rng.integers(0, m, (3 * max_pairs, 2)), axis=1)
        codes = np.unique(drawn[:, 0] * m + drawn[:, 1])
        pairs = np.stack([codes // m, codes % m], 1)
    return np.asarray(pairs[person[pairs[:, 0]] != person[pairs[:, 1]]], np.intp)
