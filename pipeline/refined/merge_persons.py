"""Which persons are one: unions that no pair of the united contradicts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Edge(NamedTuple):
    """Two persons that may be one: how alike they are, and what was said of it."""

    one: int
    two: int
    score: float
    verdict: str


def unite(n: int, edges: Sequence[Edge]) -> NDArray[np.signedinteger[Any]]:
    """The group [n] of each of n persons, named by its lowest member.

    The surest "yes" comes first. Two groups unite only when every pair across them is an edge that nobody said "no" to:
    being one is transitive, but a chain of likenesses is not.
    """
    allowed = {frozenset(e[:2]) for e in edges} - {frozenset(e[:2]) for e in edges if e.verdict == "no"}
    members: dict[int, list[int]] = {}
    group = np.arange(n)
    for e in sorted(edges, key=lambda e: (-e.score, min(e[:2]), max(e[:2]))):
        a, b = sorted((int(group[e.one]), int(group[e.two])))
        if e.verdict != "yes" or a == b:
            continue
        one, two = members.get(a, [a]), members.get(b, [b])
        if all(frozenset((i, j)) in allowed for i in one for j in two):
            members[a] = one + two
            group[two] = a
    return group
