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

# deviations above the middle of impostor cosines from which on faces are linked at first, when no threshold is known
# yet: a FAR of about 0.001 of scores with a usual tail
ROUGH_LINK = 3.45
LOW_QUANTILE = 0.16  # one standard deviation below the median of a normal distribution
GENUINE_QUANTILE = 0.875  # of the cosines within identities: a genuine pair's, if at least half of the labels are right
# deviations of a uniform sphere: faces are not linked with cosines this near to the middle, even if genuine pairs seem
# to have no higher ones
LEAST_LINK = 3.0


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


MIN_DEVIATION = 1e-3  # of cosines


def pair_rows(n: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows i < j of all pairs of n faces."""
    return np.triu_indices(n, 1)


def rough_persons(x: Sequence[Floats], identity: NDArray[Any]) -> Labels:
    """The person [n] of each face, by cosines alone; x: for each embedder unit rows [n, d] of the same faces."""
    cosines = [rows @ rows.T for rows in x]
    scores = sum(_rough_scores(c, identity, rows.shape[1]) for c, rows in zip(cosines, x, strict=True))
    return average_linkage(np.round(scores / len(x), DECIMALS), ROUGH_LINK)


def shared_pairs(x: Sequence[Floats], identity: NDArray[Any]) -> float:
    """The share of the pairs of faces across identities that show one person; arguments as of rough_persons()."""
    person = rough_persons([np.asarray(rows, np.float64) for rows in x], identity)
    i, j = pair_rows(len(identity))
    across = identity[i] != identity[j]
    return float((person[i] == person[j])[across].mean()) if across.any() else 0.0


def _rough_scores(cosines: Floats, identity: NDArray[Any], dim: int) -> Floats:
    """The cosines [n, n] of vectors of this length, moved and scaled so that those of genuine pairs reach ROUGH_LINK.

    The scale is that of the lower half of the pairs across identities, because genuine pairs, such as those of one
    person under two identities, are in the upper half. A few persons may happen to have very different cosines; then
    half of the way to the genuine pairs is enough.
    """
    i, j = pair_rows(len(identity))
    values, within = cosines[i, j], identity[i] == identity[j]
    middle, low = np.quantile(values if within.all() else values[~within], [0.5, LOW_QUANTILE])
    link = ROUGH_LINK * max(middle - low, MIN_DEVIATION)
    if within.any():
        genuine = float(np.quantile(values[within], GENUINE_QUANTILE))
        link = min(link, max((genuine - middle) / 2, LEAST_LINK / np.sqrt(dim)))
    return np.asarray((cosines - middle) * (ROUGH_LINK / link))


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
