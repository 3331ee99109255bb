"""The questions that photos of named people ask without any list: every two of them, one person or two.

Most of these are pairs of two people, and they grow with the square of the photos; above a number they are drawn.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError

FOLDS = 10
MOST = 250_000  # pairs of a kind: enough for a false accept rate of 1e-4, few enough to bootstrap in seconds
Rows = NDArray[np.intp]


class Questions(NamedTuple):
    """Photos a and b [n] by their numbers, whether they are one person, and the fold of a's person."""

    a: Rows
    b: Rows
    same: NDArray[np.bool_]
    fold: Rows


def all_pairs(who: Rows, *, most: int = MOST, seed: int = 0) -> Questions:
    """Every pair of photos whose people have the numbers who [m], at most `most` of each kind, drawn by the seed.

    A pair belongs to the fold of the person of a, and which photo is a alternates, so that no person has more than a
    fair share. Raises UserError when there are no two photos of one person, or no two people.
    """
    who = np.unique(who, return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    same, different = _same(who), _different(who, most, rng)
    if not len(same) or not len(different):
        lack = "no two photos of one person" if not len(same) else "one person only"
        raise UserError(f"it holds {lack}: a test set takes several people with several photos each")
    chosen = [
        np.sort(rng.choice(len(p), most, replace=False)) if len(p) > most else slice(None) for p in (same, different)
    ]
    i, j = np.concatenate([same[chosen[0]], different[chosen[1]]]).T
    turned = (i + j) % 2 == 1
    a, b = np.where(turned, j, i), np.where(turned, i, j)
    return Questions(a, b, who[a] == who[b], who[a] % FOLDS)


def _same(who: Rows) -> Rows:
    """All pairs [n, 2] of photos of one person."""
    photos = np.argsort(who, kind="stable")
    people = np.split(photos, np.flatnonzero(np.diff(who[photos])) + 1)
    return np.concatenate([p[np.stack(np.triu_indices(len(p), 1), 1)] for p in people])


def _different(who: Rows, most: int, rng: np.random.Generator) -> Rows:
    """Pairs [n, 2] of photos of two people: all of them, or somewhat more than `most` where they are many more."""
    m = len(who)
    if m * (m - 1) // 2 <= 4 * most:
        pairs = np.stack(np.triu_indices(m, 1), 1)
    else:
        # of three times as many draws half are in order, and few of those come twice
        drawn = np.sort(rng.integers(0, m, (3 * most, 2)), axis=1)
        codes = np.unique(drawn[:, 0] * m + drawn[:, 1])
        pairs = np.stack([codes // m, codes % m], 1)
    return np.asarray(pairs[who[pairs[:, 0]] != who[pairs[:, 1]]], np.intp)
