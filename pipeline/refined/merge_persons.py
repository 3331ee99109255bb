"""Which persons are one human being: merges that no pair of the merged persons contradicts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class MergeFinding(NamedTuple):
    """Two persons (by number) that may be one, their score, and the verdict on it: "yes", "no" or "unsure"."""

    one: int
    two: int
    score: float
    verdict: str


def merge_persons(n: int, findings: Sequence[MergeFinding]) -> NDArray[np.signedinteger[Any]]:
    """The group [n] of each of n persons after the merges, named by its lowest member.

    Findings with the verdict "yes" are taken from the highest score down. Two groups are merged only when every pair of
    persons across them has a finding, and none of these the verdict "no": A-B and B-C alone do not bring A to C, for a
    chain of similar faces may lead from one human being to another.
    """
    denied = {frozenset(f[:2]) for f in findings if f.verdict == "no"}
    allowed = {frozenset(f[:2]) for f in findings} - denied
    members: dict[int, list[int]] = {}
    group = np.arange(n)
    for f in sorted(findings, key=lambda f: (-f.score, min(f[:2]), max(f[:2]))):
        a, b = sorted((int(group[f.one]), int(group[f.two])))
        if f.verdict != "yes" or a == b:
            continue
        first, second = members.get(a, [a]), members.get(b, [b])
        if all(frozenset((i, j)) in allowed for i in first for j in second):
            members[a] = first + second
            group[second] = a
    return group
