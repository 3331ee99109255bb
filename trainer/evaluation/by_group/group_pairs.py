"""Verification within groups of people: the pairs of which both persons are in one group."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
    same: NDArray[np.bool_],
    fold: NDArray[np.integer],
    groups: tuple[Numbers, Numbers],
    *,
    unit: NDArray[np.integer] | None = None,
    far_rule: str = NOT_ABOVE,
    samples: int = 1000,
    seed: int = 0,
) -> GroupVerifications:
    """The figures of each group's pairs, with thresholds and intervals of its own.

    groups: the numbers of the groups of the pairs' first and second persons, [n] each, NO_GROUP for none. Other
    arguments as of verify().
    """
    a, b = groups
    of_groups, unmeasured = {}, []
    for number in np.unique(np.concatenate([a, b])[np.concatenate([a, b]) != NO_GROUP]).tolist():
        rows = np.flatnonzero((a == number) & (b == number))
        if not len(rows) or same[rows].all() or not same[rows].any():
            unmeasured.append(number)
            continue
        # persons are numbered anew, so that a bootstrap sample draws people of the group alone
        own = None if unit is None else np.unique(unit[rows], return_inverse=True)[1].reshape(unit[rows].shape)
        of_groups[number] = verify(
            cosine[rows], same[rows], fold[rows], unit=own, far_rule=far_rule, samples=samples, seed=seed
        )
    unknown = (a == NO_GROUP) | (b == NO_GROUP)
    return GroupVerifications(of_groups, unmeasured, int(((a != b) & ~unknown).sum()), int(unknown.sum()))
