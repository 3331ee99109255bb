"""The steps of resolve(): each changes the fates of photos by the findings of one kind.

Persons are numbered, claimed identities first; `numbers` has the number of each by its name.
"""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.refined.merge_persons import MergeFinding, merge_persons
from pipeline.refined.photo_fates import Indices, PhotoFates


class ActingFindings(NamedTuple):
    """The findings of one kind that act, in the order of their ids: row in the findings table, subject and object."""

    rows: Indices
    subjects: list[str]
    objects: list[str | None]


def split_identities(
    fates: PhotoFates, claims: pa.Table, persons: pa.Table, numbers: dict[str, int], splits: ActingFindings
) -> NDArray[np.bool_]:
    """Relabel the faces of further persons that are split off; return which persons are identities now [persons]."""
    exists = np.zeros(len(numbers), bool)
    exists[[numbers[i] for i in claims["identity"].unique().to_pylist() if i is not None]] = True
    finding_of_medoid = dict(zip(splits.objects, splits.rows.tolist(), strict=True))
    new = [p for p in persons.to_pylist() if p["cluster"] > 0 and p["medoid"] in finding_of_medoid]
    person_of_group = {
        (numbers[p["identity"]], p["cluster"]): (numbers[p["person"]], finding_of_medoid[p["medoid"]]) for p in new
    }
    cluster = claims["cluster"].fill_null(-1).to_numpy()
    for row in np.flatnonzero((cluster > 0) & (fates.person >= 0)).tolist() if new else ():
        if person_and_finding := person_of_group.get((int(fates.person[row]), int(cluster[row]))):
            person, finding = np.array(person_and_finding)
            fates.relabel(np.array([row]), person, "split", finding)
    exists[[numbers[p["person"]] for p in new]] = True
    return exists


def relabel_misplaced(
    fates: PhotoFates, numbers: dict[str, int], exists: NDArray[np.bool_], misplaced: ActingFindings
) -> None:
    """Relabel faces that are another person, where that person is an identity and the face was not split off."""
    target = np.array([numbers.get(person or "", -1) for person in misplaced.objects], np.int64)
    rows = fates.rows_of(misplaced.subjects)
    acts = (target >= 0) & (rows >= 0) & exists[target]
    acts[acts] = (fates.person[rows[acts]] >= 0) & (fates.reason[rows[acts]] == "")
    fates.relabel(rows[acts], target[acts], "misplaced", misplaced.rows[acts])


def remove_outliers(fates: PhotoFates, outliers: ActingFindings) -> None:
    """Remove faces that are not the person of their identity, unless a split or a relabelling gave them another."""
    rows = fates.rows_of(outliers.subjects)
    as_claimed = fates.reason[rows] == ""
    fates.remove(rows[as_claimed], "outlier", outliers.rows[as_claimed])


def remove_mixed(fates: PhotoFates, claimed: Indices, numbers: dict[str, int], mixed: ActingFindings) -> None:
    """Remove what is left of identities in which no person is found; claimed: the number of each photo's identity."""
    finding = {numbers[s]: row for s, row in zip(mixed.subjects, mixed.rows.tolist(), strict=True) if s in numbers}
    rows = np.flatnonzero(np.isin(claimed, sorted(finding)) & (fates.reason == ""))
    fates.remove(rows, "mixed", np.array([finding[i] for i in claimed[rows].tolist()], np.int64))


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


def remove_conflicts(fates: PhotoFates, merged: Indices, conflicts: ActingFindings, *, both: bool) -> None:
    """Remove one photo of a picture under two identities that are merged; under two that are not, both if so asked.

    Where one of the two came from another identity, that one is removed.
    """
    pairs = zip(
        conflicts.rows.tolist(), fates.rows_of(conflicts.subjects), fates.rows_of(conflicts.objects), strict=True
    )
    for finding, a, b in pairs:
        if min(a, b) < 0 or min(fates.person[a], fates.person[b]) < 0:
            continue
        if merged[fates.person[a]] == merged[fates.person[b]]:
            a_came, b_came = fates.reason[[a, b]] == "misplaced"
            fates.remove(np.array([b if b_came and not a_came else a]), "duplicate", finding)
        elif both:
            fates.remove(np.array([a, b]), "conflict", finding)


def remove_overlaps(fates: PhotoFates, merged: Indices, numbers: dict[str, int], overlaps: ActingFindings) -> None:
    """Remove persons of a test set with all that they are merged with, and faces where a finding names a face."""
    finding = dict(zip(overlaps.subjects, overlaps.rows.tolist(), strict=True))
    person_finding = {int(merged[numbers[s]]): row for s, row in finding.items() if s in numbers}
    rows = np.flatnonzero(fates.person >= 0)
    rows = rows[np.isin(merged[fates.person[rows]], sorted(person_finding))]
    person_rows = np.array([person_finding[p] for p in merged[fates.person[rows]].tolist()], np.int64)
    fates.remove(rows, "overlap", person_rows)
    faces = [s for s in finding if s not in numbers]
    fates.remove(fates.rows_of(faces), "overlap", np.array([finding[s] for s in faces], np.int64))
