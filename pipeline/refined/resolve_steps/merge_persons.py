"""Merges persons that are one human being, where the findings about most pairs of the merged persons agree."""

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

    Findings with the verdict "yes" are applied from the highest score to the lowest, until no further groups merge. Two
    groups are merged only if no pair of persons across them has the verdict "no", and more than half of these pairs
    have a finding; the other pairs were too little alike to be found, or had many more similar ones. So A-B and B-C
    alone do not merge A with C: a chain of similar faces may lead from one human being to another. But a fourth
    identity of a person joins the other three even if it was found with two of them only.
    """
    denied = {frozenset(f[:2]) for f in findings if f.verdict == "no"}
    allowed = {frozenset(f[:2]) for f in findings} - denied
    members: dict[int, list[int]] = {}
    group = np.arange(n)
    waiting = [f for f in findings if f.verdict == "yes"]
    waiting.sort(key=lambda f: (-f.score, min(f[:2]), max(f[:2])))
    merged = True
    while merged and waiting:
        merged = False
        left = []
        for f in waiting:
            a, b = sorted((int(group[f.one]), int(group[f.two])))
            if a == b:
                continue
            first, second = members.get(a, [a]), members.get(b, [b])
            pairs = [frozenset((i, j)) for i in first for j in second]
            if denied.isdisjoint(pairs) and 2 * sum(pair in allowed for pair in pairs) > len(pairs):
                members[a] = first + second
                group[second] = a
                merged = True
            else:
                left.append(f)
        waiting = left
    return group


def without_contradictions(findings: pa.Table, verdicts: NDArray[np.object_]) -> NDArray[np.object_]:
    """The verdicts [n] on n findings, with "unsure" for each merge that the other findings contradict.

    Such a merge would join groups of persons most of whom were not found to be alike, or some of whom people keep
    apart. It merges nothing (merge_persons), so people are asked.
    """
    rows = np.flatnonzero(np.asarray(findings["kind"].to_numpy(), object) == "merge")
    merges = findings.select(["subject", "object", "score"]).take(pa.array(rows)).to_pylist()
    names = {name: i for i, name in enumerate(sorted({m[side] for m in merges for side in ("subject", "object")}))}
    found = [
        MergeFinding(names[m["subject"]], names[m["object"]], m["score"] or 0.0, str(verdicts[row]))
        for m, row in zip(merges, rows.tolist(), strict=True)
    ]
    group = merge_persons(len(names), found)
    blocked = np.array([f.verdict == "yes" and group[f.one] != group[f.two] for f in found], bool)
    verdicts = verdicts.copy()
    verdicts[rows[blocked]] = "unsure"
    return verdicts


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
