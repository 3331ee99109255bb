"""Verification within groups of people: the pairs of which both persons are in one group."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.evaluation.pair_set import PairSet
from trainer.evaluation.roc import NOT_ABOVE
from trainer.evaluation.verification import Verification, verify

NO_GROUP = -1
Numbers = NDArray[np.int64]


class GroupVerifications(NamedTuple):
    """The verification of each group, by its number; and how many pairs are in none.

    unmeasured: groups without genuine or without impostor pairs. mixed: pairs of two groups; unknown: pairs with a
    person without a group.
    """

    of_groups: dict[int, Verification]
    unmeasured: list[int]
    mixed: int
    unknown: int


def verify_groups(
    cosine: NDArray[np.floating],
    pairs: PairSet,
    group: Numbers,
    *,
    far_rule: str = NOT_ABOVE,
    samples: int = 1000,
    seed: int = 0,
) -> GroupVerifications:
    """The figures of each group's pairs, with thresholds and intervals of its own; cosine [n]: of each pair.

    group [m]: the number of the group of each photo's person, NO_GROUP for none. Arguments as of verify().
    """
    a, b = group[pairs.a], group[pairs.b]
    of_groups, unmeasured = {}, []
    for number in range(int(group.max(initial=-1)) + 1):
        rows = np.flatnonzero((a == number) & (b == number))
        same = pairs.same[rows]
        if not len(same) or same.all() or not same.any():
            unmeasured.append(number)
            continue
        # numbered anew, so that a bootstrap sample draws people of the group alone
        unit = None if pairs.unit is None else np.unique(pairs.unit[rows], return_inverse=True)[1]
        of_groups[number] = verify(
            cosine[rows],
            same,
            pairs.fold[rows],
            unit=None if unit is None or pairs.unit is None else unit.reshape(pairs.unit[rows].shape),
            far_rule=far_rule,
            samples=samples,
            seed=seed,
        )
    unknown = (a == NO_GROUP) | (b == NO_GROUP)
    return GroupVerifications(of_groups, unmeasured, int(((a != b) & ~unknown).sum()), int(unknown.sum()))
