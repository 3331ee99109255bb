"""resolve(): from claimed identities, findings and verdicts to the labels of all photos.

It is a pure function over the whole data set, and the only place where photos are removed or relabelled.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline import schema
from pipeline.refined.resolve_steps import relabels, removals
from pipeline.refined.resolve_steps.merge_persons import merge_targets
from pipeline.refined.resolve_steps.photo_fates import ActingFindings, Indices, PhotoFates

KINDS = (
    "erased",
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
    by_people: Sequence[bool] | NDArray[np.bool_] | None = None,
) -> pa.Table:
    """The labels of all photos (columns as LABELS), in the order of the claims: an identity, or null and a reason.

    claims: one row for each photo: face_id, key, identity (null: none claimed), cluster (null: no face). persons:
    person, identity, cluster, size, medoid. findings: columns as FINDINGS. verdicts: "yes", "no" or "unsure" for each
    finding. undecided: "keep" or "drop", what happens to photos whose outlier, mixed, overlap or conflict finding is
    "unsure"; a split, misplaced or merge finding that is "unsure" changes nothing. min_faces: see step 10. by_people:
    whether people gave each verdict. The labels do not depend on the order of the rows. The steps, one after another:

     1. erased       a photo that was erased on request is removed.
        unnamed      a photo without a claimed identity is removed.
     2. unreadable, no_face, poor    a photo without a usable face is removed.
     3. duplicate    of the duplicates of a picture under one identity all but the best are removed.
     4. split        a further person under an identity becomes an identity of its own, named identity~medoid.
     5. misplaced    a face that is another person is relabelled as that person. One that step 4 split off with its
                     cluster stays there, unless people say whom it shows: another person, or its claimed identity.
     6. outlier, mixed    a face that is not the person of its identity is removed, and so are the remaining photos of
                     an identity in which no person is found.
     7. merge        persons are merged, the pair with the highest score first, if more than half of the pairs across
                     two groups have a merge finding and none has the verdict "no": findings A-B and B-C alone do not
                     merge A with C. The largest person gives the name.
     8. conflict     of one picture under two identities that are merged now, one photo is removed; under two
                     identities that are not merged, both photos are removed if undecided is "drop".
     9. overlap      a person of a test set is removed with all persons merged with it; so is a picture of a test set.
    10. too_few      the photos of an identity that has fewer than min_faces left are removed: a single face cannot be
                     compared with another one.
    11. duplicates of a photo that a later step removed get the reason of that step: none of the picture is kept.
    """
    if undecided not in ("keep", "drop"):
        raise ValueError(f"undecided is keep or drop, not {undecided!r}")
    verdicts = np.asarray(verdicts, object)
    acting = _acting_findings(findings, verdicts, drop_undecided=undecided == "drop")
    numbers, claimed = _numbered_persons(claims, persons)
    fates = PhotoFates(claims["face_id"], claimed)
    fates.erase(fates.rows_of(acting["erased"].subjects), acting["erased"].rows)
    for kind in ("unreadable", "no_face", "poor", "duplicate"):
        fates.remove(fates.rows_of(acting[kind].subjects), kind, acting[kind].rows)
    exists = relabels.split_identities(fates, claims, persons, numbers, acting["split"])
    relabels.relabel_misplaced(fates, numbers, exists, acting["misplaced"])
    if by_people is not None:
        relabels.relabel_split_off(fates, claimed, numbers, exists, acting["misplaced"].among(np.asarray(by_people)))
    removals.remove_outliers(fates, acting["outlier"])
    removals.remove_mixed(fates, claimed, numbers, acting["mixed"])
    merged = merge_targets(persons, numbers, exists, findings, verdicts)
    removals.remove_conflicts(fates, merged, acting["conflict"], both=undecided == "drop")
    removals.remove_overlaps(fates, merged, numbers, acting["overlap"])
    final = np.where(fates.person >= 0, merged[fates.person], -1)
    few = np.bincount(final[final >= 0], minlength=len(numbers)) < min_faces
    fates.remove(np.flatnonzero((final >= 0) & few[final]), "too_few")
    removals.follow_originals(fates, acting["duplicate"], acting["conflict"])
    return _labels(claims, findings, fates, merged, sorted(numbers, key=numbers.__getitem__))


def _acting_findings(
    findings: pa.Table, verdicts: NDArray[np.object_], *, drop_undecided: bool
) -> dict[str, ActingFindings]:
    """The findings that change labels, by kind: those with the verdict "yes", and for some kinds also "unsure".

    A conflict acts when it is "unsure", because the policy never decides conflicts: see remove_conflicts().
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
    """The number of each person by name, and for each claim [n] the number of its identity, -1 for none.

    Claimed identities come first, then further persons, both in the order of their names.
    """
    identities = sorted(set(claims["identity"].unique().to_pylist()) - {None})
    further = sorted(set(persons["person"].to_pylist()) - set(identities))
    numbers = {name: i for i, name in enumerate([*identities, *further])}
    claimed = pc.index_in(claims["identity"], value_set=pa.array(identities, pa.string()), skip_nulls=True)
    return numbers, np.asarray(claimed.fill_null(-1).to_numpy(), np.int64)


def _labels(claims: pa.Table, findings: pa.Table, fates: PhotoFates, merged: Indices, names: list[str]) -> pa.Table:
    """The fates as a table, columns as LABELS; merged: see merge_targets(); names: of persons, by number."""
    kept = fates.person >= 0
    final = np.where(kept, merged[fates.person], -1)
    reason = np.where(kept & (fates.reason == "") & (final != fates.person), "merge", fates.reason)
    identity = pa.array(names, pa.string()).take(pa.array(final, mask=~kept))
    row = pa.array(fates.finding, mask=fates.finding < 0)
    columns = [claims["face_id"], claims["key"], claims["identity"], identity, pa.array(reason, pa.string())]
    columns += [findings["score"].take(row), findings["finding_id"].take(row)]
    return pa.table(columns, schema=schema.LABELS)
