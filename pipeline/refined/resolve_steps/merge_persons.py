"""Merges persons that are one human being, where no finding about two of the merged persons speaks against it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.refined.resolve_steps.photo_fates import Indices


class MergeFinding(NamedTuple):
    """Two persons, by number, that may be one; their score, and the verdict: "yes", "no" or "unsure"."""

    one: int
    two: int
    score: float
    verdict: str


def merge_persons(n: int, findings: Sequence[MergeFinding]) -> NDArray[np.signedinteger[Any]]:
    """The group [n] of each of n persons after the merges, as the lowest number of a person in the group.

    Findings with the verdict "yes" are applied from the highest score to the lowest. Two groups are merged only if
    every pair of persons across them has a finding and none of these has the verdict "no". So A-B and B-C alone do not
    merge A with C: a chain of similar faces may lead from one human being to another.
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


def merge_targets(
    persons: pa.Table, numbers: dict[str, int], exists: NDArray[np.bool_], findings: pa.Table, verdicts: NDArray[Any]
) -> Indices:
    """For each person, by number, the number of the person it is merged into; its own number when it is not merged.

    Merged persons become the largest claimed identity among them, or the largest further person where there is none.
    persons: as resolve() takes them; numbers: of persons, by name; exists: by number whether the person is an identity
    of its own (claimed or split off); findings, verdicts: of all kinds.
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
