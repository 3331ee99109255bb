"""How good a grouping of faces is, against who they show: pairwise and BCubed precision and recall, and NMI.

All of them read one table, how many faces each person has in each group, so nothing grows with the number of pairs.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError


class Agreement(NamedTuple):
    """Precision, recall and their harmonic mean."""

    precision: float
    recall: float
    f: float


class Clustering(NamedTuple):
    """A grouping's figures; groups and people: how many there are."""

    faces: int
    groups: int
    people: int
    pairwise: Agreement  # of the pairs put together how many are one person, and the other way round
    bcubed: Agreement  # the same as each face sees it (Bagga and Baldwin 1998; Amigo et al. 2009)
    nmi: float  # mutual information over the arithmetic mean of the entropies (Strehl and Ghosh 2002)


def agreement(group: NDArray[np.integer], person: NDArray[np.integer]) -> Clustering:
    """The figures of groups [n] against people [n], both numbers. Raises UserError for none, or of unlike length.

    Where nothing is put together precision is 1, where nobody has two faces recall is.
    """
    if len(group) != len(person) or not len(group):
        raise UserError(f"{len(group)} groups for {len(person)} faces: give one for each of one face or more")
    groups, g = np.unique(group, return_inverse=True)
    people, p = np.unique(person, return_inverse=True)
    cells, count = np.unique(g.astype(np.int64) * len(people) + p, return_counts=True)
    size, own = np.bincount(g).astype(float), np.bincount(p).astype(float)
    n, together = float(len(g)), count.astype(float)
    both = _pairs(together).sum()
    pairwise = _mean(_share(both, _pairs(size).sum()), _share(both, _pairs(own).sum()))
    rows, columns = cells // len(people), cells % len(people)
    bcubed = _mean(float((together**2 / size[rows]).sum() / n), float((together**2 / own[columns]).sum() / n))
    shared = float((together / n * np.log(together * n / (size[rows] * own[columns]))).sum())
    entropies = _entropy(size / n) + _entropy(own / n)
    nmi = 1.0 if entropies == 0 else max(0.0, 2 * shared / entropies)
    return Clustering(len(g), len(groups), len(people), pairwise, bcubed, nmi)


def _pairs(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return counts * (counts - 1) / 2


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 1.0


def _mean(precision: float, recall: float) -> Agreement:
    f = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return Agreement(precision, recall, f)


def _entropy(share: NDArray[np.float64]) -> float:
    return float(-(share * np.log(share)).sum())
