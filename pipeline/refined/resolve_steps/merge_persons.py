"""Which persons are one human being: merges that no pair of the merged persons contradicts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.refined.resolve_steps.photo_fates import Indices


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


def merged_persons(
    persons: pa.Table, numbers: dict[str, int], exists: NDArray[np.bool_], findings: pa.Table, verdicts: NDArray[Any]
) -> Indices:
    """For each person [persons] the one it is merged into, itself when into none.

    A group of merged persons is called after a claimed identity rather than a further person, then after the largest.
    """
    size = np.zeros(len(numbers), np.int64)
    size[[numbers[p] for p in persons["person"].to_pylist()]] = persons["size"].to_numpy()
    further = np.zeros(len(numbers), bool)
    further[[numbers[p["person"]] for p in persons.to_pylist() if p["cluster"] > 0]] = True
    merges = findings.append_column("verdict", pa.array(verdicts, pa.string()))
    merges = merges.filter(pc.equal(merges["kind"], "merge")).select(["subject", "object", "score", "verdict"])
    identities = {name for name, number in numbers.items() if exists[number]}
    group = merge_persons(
        len(numbers),
        [
            MergeFinding(numbers[subject], numbers[other], score or 0.0, verdict)
            for subject, other, score, verdict in zip(*(c.to_pylist() for c in merges.columns), strict=True)
            if subject in identities and other in identities and subject != other
        ],
    )
    first = np.lexsort((np.arange(len(numbers)), -size, further, group))
    _, start = np.unique(group[first], return_index=True)
    return np.asarray(first[start][np.searchsorted(group[first][start], group)])
