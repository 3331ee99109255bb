"""resolve(): claimed identities, findings and verdicts in, labels out.

A pure function over the whole data set, and the only place where a photo is removed or relabelled.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline import schema
from pipeline.refined.resolve_steps import relabels, removals
from pipeline.refined.resolve_steps.merge_persons import merged_persons
from pipeline.refined.resolve_steps.photo_fates import ActingFindings, Indices, PhotoFates

KINDS = (
    "unreadable",
    "no_face",
    "poor",
    "duplicate",
    "split",
    "misplaced",
    "outlier",
    "mixed",
    "merge",
    "conflict",
    "overlap",
)


def resolve(
    claims: pa.Table,
    persons: pa.Table,
    findings: pa.Table,
    verdicts: Sequence[str] | NDArray[np.object_],
    *,
    undecided: str = "keep",
    min_faces: int = 2,
) -> pa.Table:
    """The labels of all claims, row by row: an identity, or none and the reason (schema.LABELS).

    claims: face_id, key, identity?, cluster?; persons: person, identity, cluster, size, medoid; findings: as in the
    schema; verdicts: "yes", "no" or "unsure" for each of them. undecided: "keep" or "drop", the fate of faces whose
    outlier, mixed, overlap or conflict finding is "unsure"; an unsure split, misplaced or merge finding never acts. The
    order of the rows changes nothing. The steps, each on what the ones before left:

     1. unnamed      a photo that claims no identity is removed: there is nothing to refine.
     2. unreadable, no_face, poor    a photo without a usable face is removed.
     3. duplicate    of the duplicates of a picture under one identity all but the best are removed.
     4. split        a further person under an identity becomes an identity of its own, called identity~medoid.
     5. misplaced    a face that is another person is relabelled as that person.
     6. outlier, mixed    a face that is not the person of its identity is removed, and so is what is left of an
                     identity in which no person is found.
     7. merge        persons are merged, the highest score first, where every two of the merged have a finding that is
                     not denied: A-B and B-C do not bring A to C where there is no finding A-C. The largest one
                     gives the name.
     8. conflict     of one picture under two identities that are merged now, one photo is removed; under two different
                     ones both are, if undecided is "drop".
     9. overlap      a person of a test set is removed with all that it is merged with, and so are pictures of one.
    10. too_few      what is left of an identity of fewer than min_faces is removed: one face cannot be checked, nor
                     compared.
    """
    if undecided not in ("keep", "drop"):
        raise ValueError(f"undecided is keep or drop, not {undecided!r}")
    verdicts = np.asarray(verdicts, object)
    acting = _acting_findings(findings, verdicts, drop_undecided=undecided == "drop")
    numbers, claimed = _numbered_persons(claims, persons)
    fates = PhotoFates(claims["face_id"], claimed)
    for kind in ("unreadable", "no_face", "poor", "duplicate"):
        fates.remove(fates.rows_of(acting[kind].subjects), kind, acting[kind].rows)
    exists = relabels.split_identities(fates, claims, persons, numbers, acting["split"])
    relabels.relabel_misplaced(fates, numbers, exists, acting["misplaced"])
    removals.remove_outliers(fates, acting["outlier"])
    removals.remove_mixed(fates, claimed, numbers, acting["mixed"])
    merged = merged_persons(persons, numbers, exists, findings, verdicts)
    removals.remove_conflicts(fates, merged, acting["conflict"], both=undecided == "drop")
    removals.remove_overlaps(fates, merged, numbers, acting["overlap"])
    final = np.where(fates.person >= 0, merged[fates.person], -1)
    few = np.bincount(final[final >= 0], minlength=len(numbers)) < min_faces
    fates.remove(np.flatnonzero((final >= 0) & few[final]), "too_few")
    return _labels(claims, findings, fates, merged, sorted(numbers, key=numbers.__getitem__))


def _acting_findings(
    findings: pa.Table, verdicts: NDArray[np.object_], *, drop_undecided: bool
) -> dict[str, ActingFindings]:
    """The findings that change a photo's fate, by kind: those with "yes", and those with "unsure" where these act too.

    An undecided conflict always acts, for it is never decided by score: see remove_conflicts().
    """
    kinds = np.asarray(findings["kind"].to_numpy(), object)
    by_kind = {}
    for kind in KINDS:
        unsure_acts = (drop_undecided and kind in ("outlier", "mixed", "overlap")) or kind == "conflict"
        acts = (verdicts == "yes") | (verdicts == "unsure") if unsure_acts else verdicts == "yes"
        rows = np.flatnonzero((kinds == kind) & acts)
        order = np.argsort(findings["finding_id"].take(pa.array(rows)).to_numpy(), kind="stable")
        rows = rows[order]
        subjects, objects = (findings[column].take(pa.array(rows)).to_pylist() for column in ("subject", "object"))
        by_kind[kind] = ActingFindings(rows, subjects, objects)
    return by_kind


def _numbered_persons(claims: pa.Table, persons: pa.Table) -> tuple[dict[str, int], Indices]:
    """A number for each person: claimed identities in the order of their names, then further persons in theirs.

    And for each claim [n] the number of its identity, -1 for none.
    """
    identities = sorted(set(claims["identity"].unique().to_pylist()) - {None})
    further = sorted(set(persons["person"].to_pylist()) - set(identities))
    numbers = {name: i for i, name in enumerate([*identities, *further])}
    claimed = pc.index_in(claims["identity"], value_set=pa.array(identities, pa.string()), skip_nulls=True)
    return numbers, np.asarray(claimed.fill_null(-1).to_numpy(), np.int64)


def _labels(claims: pa.Table, findings: pa.Table, fates: PhotoFates, merged: Indices, names: list[str]) -> pa.Table:
    kept = fates.person >= 0
    final = np.where(kept, merged[fates.person], -1)
    reason = np.where(kept & (fates.reason == "") & (final != fates.person), "merge", fates.reason)
    identity = pa.array(names, pa.string()).take(pa.array(final, mask=~kept))
    row = pa.array(fates.finding, mask=fates.finding < 0)
    columns = [claims["face_id"], claims["key"], claims["identity"], identity, pa.array(reason, pa.string())]
    columns += [findings["score"].take(row), findings["finding_id"].take(row)]
    return pa.table(columns, schema=schema.LABELS)
