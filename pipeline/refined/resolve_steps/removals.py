"""Steps that remove photos: outliers, mixed identities, conflicts, and persons of a test set.

Persons are numbered, claimed identities first; `numbers` has the number of each person by name; `merged` has by number
the person that each is merged into (see merge_targets).
"""

from collections.abc import Sequence

import numpy as np

from pipeline.refined.resolve_steps.photo_fates import ActingFindings, Indices, PhotoFates

MAX_DUPLICATES = 8  # of which each is a duplicate of the next: copies name the best one, so longer chains are rare


def remove_outliers(fates: PhotoFates, outliers: ActingFindings) -> None:
    """Remove faces that are not the person of their identity, except faces that were relabelled before."""
    rows = fates.rows_of(outliers.subjects)
    as_claimed = fates.reason[rows] == ""
    fates.remove(rows[as_claimed], "outlier", outliers.rows[as_claimed])


def remove_mixed(fates: PhotoFates, claimed: Indices, numbers: dict[str, int], mixed: ActingFindings) -> None:
    """Remove the remaining photos of identities in which no person is found.

    claimed [n]: the number of each photo's claimed identity.
    """
    finding = {numbers[s]: row for s, row in zip(mixed.subjects, mixed.rows.tolist(), strict=True) if s in numbers}
    rows = np.flatnonzero(np.isin(claimed, sorted(finding)) & (fates.reason == ""))
    fates.remove(rows, "mixed", np.array([finding[i] for i in claimed[rows].tolist()], np.int64))


def follow_originals(fates: PhotoFates, duplicates: ActingFindings, conflicts: ActingFindings) -> None:
    """Give photos removed as duplicates the reason for which their original was removed, where none of them is kept.

    duplicates: subject: a duplicate; object: its original, the best photo of the picture. conflicts: either of the two
    may have been removed as the duplicate of the other. An original that is itself a duplicate stands for its own.
    """
    original = np.full(len(fates.person), -1, np.int64)
    pairs: list[tuple[Indices, Sequence[str | None], Sequence[str | None]]] = [
        (duplicates.rows, duplicates.subjects, duplicates.objects),
        (conflicts.rows, conflicts.subjects, conflicts.objects),
        (conflicts.rows, conflicts.objects, conflicts.subjects),
    ]
    for findings, removed, kept in pairs:
        rows, originals = fates.rows_of(removed), fates.rows_of(kept)
        acted = (rows >= 0) & (originals >= 0) & (fates.finding[rows] == findings) & (fates.reason[rows] == "duplicate")
        original[rows[acted]] = originals[acted]
    rows = np.flatnonzero(original >= 0)
    target = original[rows]
    for _ in range(MAX_DUPLICATES):
        target = np.where(original[target] >= 0, original[target], target)
    follows = (fates.person[target] < 0) & (fates.reason[target] != "duplicate")
    rows, target = rows[follows], target[follows]
    fates.reason[rows], fates.finding[rows] = fates.reason[target], fates.finding[target]


def remove_conflicts(fates: PhotoFates, merged: Indices, conflicts: ActingFindings, *, both: bool) -> None:
    """Remove one of two photos of the same picture where their identities are merged.

    If one of the two was relabelled as misplaced, it is the one removed.
    both: whether to remove both photos where their identities are not merged.
    """
    pairs = zip(
        conflicts.rows.tolist(), fates.rows_of(conflicts.subjects), fates.rows_of(conflicts.objects), strict=True
    )
    for finding, a, b in pairs:
        if min(a, b) < 0 or min(fates.person[a], fates.person[b]) < 0:
            continue
        if merged[fates.person[a]] == merged[fates.person[b]]:
            a_moved, b_moved = fates.reason[[a, b]] == "misplaced"
            fates.remove(np.array([b if b_moved and not a_moved else a]), "duplicate", finding)
        elif both:
            fates.remove(np.array([a, b]), "conflict", finding)


def remove_overlaps(fates: PhotoFates, merged: Indices, numbers: dict[str, int], overlaps: ActingFindings) -> None:
    """Remove the persons of test sets and all persons merged with them, and single faces that findings name."""
    finding = dict(zip(overlaps.subjects, overlaps.rows.tolist(), strict=True))
    person_finding = {int(merged[numbers[s]]): row for s, row in finding.items() if s in numbers}
    rows = np.flatnonzero(fates.person >= 0)
    rows = rows[np.isin(merged[fates.person[rows]], sorted(person_finding))]
    person_rows = np.array([person_finding[p] for p in merged[fates.person[rows]].tolist()], np.int64)
    fates.remove(rows, "overlap", person_rows)
    faces = [s for s in finding if s not in numbers]
    fates.remove(fates.rows_of(faces), "overlap", np.array([finding[s] for s in faces], np.int64))
