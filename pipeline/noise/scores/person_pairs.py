"""The impostor pairs of a sample of few identities: faces of two persons, each pair of persons with the same weight.

Where identities are few, their names are a poor guide to who is a person. Two names may be one person, one name may
hold several, and every wrong photo shows a further person, whose pairs are impostor pairs like any other. So the faces
of the sample are linked into persons first, across identities, and each pair of persons counts once, however many faces
they have.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.noise.linkage import Labels, average_linkage
from pipeline.noise.scores.far_curve import DECIMALS
from pipeline.noise.scores.score_norm import Floats

# standard deviations above the mean from which on faces are linked at first, when no threshold is known yet: a FAR of
# about 0.001 of impostor scores with a usual tail
ROUGH_LINK = 3.45
LOW_QUANTILE = 0.16  # one standard deviation below the median of a normal distribution
MIN_DEVIATION = 1e-3  # of cosines


class PersonPairs(NamedTuple):
    """Masks and weights over all m = n (n - 1) / 2 pairs of the n faces of a sample, in the order of pair_rows().

    impostor [m]: the pair shows two persons; within [m]: both faces claim one identity; weight [m]: of an impostor
    pair, so that the pairs of two persons add up to at most 1; persons: the number of persons.
    """

    impostor: NDArray[np.bool_]
    within: NDArray[np.bool_]
    weight: Floats
    persons: int

    @property
    def person_pairs(self) -> float:
        """The number of pairs of persons that are compared."""
        return float(self.weight[self.impostor].sum())


def pair_rows(n: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows i < j of all pairs of n faces."""
    return np.triu_indices(n, 1)


def rough_persons(cosines: Sequence[Floats], identity: NDArray[Any]) -> Labels:
    """The person [n] of each face, by cosines alone; cosines: for each embedder [n, n].

    The scale of impostor cosines is taken from the lower half of the pairs across identities, because genuine pairs,
    such as those of one person under two identities, are in the upper half.
    """
    i, j = pair_rows(len(identity))
    across = identity[i] != identity[j]
    total: Floats = np.zeros((len(identity), len(identity)))
    for matrix in cosines:
        values = matrix[i, j][across] if across.any() else matrix[i, j]
        middle, low = np.quantile(values, [0.5, LOW_QUANTILE])
        total += (matrix - middle) / max(middle - low, MIN_DEVIATION)
    return average_linkage(np.round(total / np.sqrt(len(cosines)), DECIMALS), ROUGH_LINK)


def person_pairs(person: Labels, identity: NDArray[Any]) -> PersonPairs:
    """The pairs of the sample; person, identity [n]: of each face.

    Pairs within an identity are not counted as impostor pairs: a poor photo that was not linked with its person would
    count as another one. They are if there is a single identity.
    """
    _, person, faces = np.unique(person, return_inverse=True, return_counts=True)
    i, j = pair_rows(len(identity))
    within = identity[i] == identity[j]
    impostor = person[i] != person[j]
    if not within.all():
        impostor &= ~within
    weight = 1.0 / faces
    return PersonPairs(impostor, within, weight[person[i]] * weight[person[j]], len(faces))
