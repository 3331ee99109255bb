"""resolve(): claims, findings and verdicts in, labels out. Pure, and the only place where a photo changes its fate."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline import schema
from pipeline.refined.merge_persons import Edge, unite
from pipeline.refined.photo_fates import Fates, Indices

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


class _Asked(NamedTuple):
    """The findings of one kind that act: their rows, subjects, objects, and whether that is for want of a decision."""

    row: Indices
    subject: list[str]
    object: list[str | None]
    sure: NDArray[np.bool_]


def resolve(
    claims: pa.Table,
    persons: pa.Table,
    findings: pa.Table,
    verdicts: Sequence[str] | NDArray[np.object_],
    *,
    undecided: str = "keep",
    min_faces: int = 2,
) -> pa.Table:
    """The labels of all claims, row by row: an identity, or none and the reason.

    claims: face_id, key, identity?, cluster?; persons: person, identity, cluster, size, medoid; findings: as in the
    schema; verdicts: "yes", "no" or "unsure" for each of them. undecided: what "unsure" means for faces that may not
    belong, "keep" or "drop"; what may belong elsewhere or together stays as it is. The order of the rows changes
    nothing. The steps, each on what the ones before left:

     1. unnamed      a photo that claims no identity goes: there is nothing to refine.
     2. unreadable, no_face, poor    a photo without a usable face goes.
     3. duplicate    of the copies of a picture under one name all but the best go, whoever it shows.
     4. split        a name's further person gets an identity of its own, name~medoid.
     5. misplaced    a face outside its person moves to the person it was found to be.
     6. outlier, mixed    a face that is not the person goes, and all that is left of a name without a person.
     7. merge        persons unite, surest first, as long as every two of them are a merge that nobody denied: A-B and
                     B-C do not bring A to C when A-C was not found. The largest gives the name.
     8. conflict     of a picture under two names that are now one, a copy goes; under two, both, if undecided drops.
     9. overlap      who is in a test set goes, with all united with them, and so do pictures of a test set.
    10. too_few      what is left of an identity of fewer than min_faces goes: one face cannot be checked, nor compared.
    """
    if undecided not in ("keep", "drop"):
        raise ValueError(f"undecided is keep or drop, not {undecided!r}")
    asked = _by_kind(findings, np.asarray(verdicts, object), undecided == "drop")
    names, home = _homes(claims, persons)
    fates = Fates(claims["face_id"], home)
    for kind in ("unreadable", "no_face", "poor", "duplicate"):
        fates.drop(fates.where(asked[kind].subject), kind, asked[kind].row)
    exists = _split(fates, claims, persons, names, asked["split"])
    _move(fates, names, exists, asked["misplaced"])
    _strangers(fates, home, names, asked)
    united = _unite(persons, names, exists, findings, np.asarray(verdicts, object))
    _conflicts(fates, united, asked["conflict"], undecided == "drop")
    _overlaps(fates, united, names, asked["overlap"])
    final = np.where(fates.person >= 0, united[fates.person], -1)
    few = np.bincount(final[final >= 0], minlength=len(names)) < min_faces
    fates.drop(np.flatnonzero((final >= 0) & few[final]), "too_few")
    return _labels(claims, findings, fates, united, sorted(names, key=names.__getitem__))


def _by_kind(findings: pa.Table, verdicts: NDArray[np.object_], drop: bool) -> dict[str, _Asked]:
    """The findings that act, by kind: those said yes to, and where undecided faces go, those left undecided."""
    kinds = np.asarray(findings["kind"].to_numpy(), object)
    found = {}
    for kind in KINDS:
        unsure = (drop and kind in ("outlier", "mixed", "overlap")) or kind == "conflict"
        acts = (verdicts == "yes") | (verdicts == "unsure") if unsure else verdicts == "yes"
        row = np.flatnonzero((kinds == kind) & acts)
        rows = findings.take(pa.array(row))
        order = np.argsort(rows["finding_id"].to_numpy(), kind="stable")
        rows, row = rows.take(pa.array(order)), row[order]
        found[kind] = _Asked(row, rows["subject"].to_pylist(), rows["object"].to_pylist(), verdicts[row] == "yes")
    return found


def _homes(claims: pa.Table, persons: pa.Table) -> tuple[dict[str, int], Indices]:
    """A number for each person, names first, in the order of their names; and each photo's, by its claim."""
    claimed = sorted(set(claims["identity"].unique().to_pylist()) - {None})
    further = sorted(set(persons["person"].to_pylist()) - set(claimed))
    names = {name: i for i, name in enumerate([*claimed, *further])}
    found = pc.index_in(claims["identity"], value_set=pa.array(claimed, pa.string()), skip_nulls=True)
    return names, np.asarray(found.fill_null(-1).to_numpy(), np.int64)


def _split(
    fates: Fates, claims: pa.Table, persons: pa.Table, names: dict[str, int], asked: _Asked
) -> NDArray[np.bool_]:
    """The faces of a further person that is to be an identity go to it; which persons exist now [persons]."""
    exists = np.zeros(len(names), bool)
    exists[[names[i] for i in claims["identity"].unique().to_pylist() if i is not None]] = True
    agreed = dict(zip(asked.object, asked.row.tolist(), strict=True))
    made = [p for p in persons.to_pylist() if p["cluster"] > 0 and p["medoid"] in agreed]
    of = {(names[p["identity"]], p["cluster"]): (names[p["person"]], agreed[p["medoid"]]) for p in made}
    cluster = claims["cluster"].fill_null(-1).to_numpy()
    for row in np.flatnonzero((cluster > 0) & (fates.person >= 0)).tolist() if made else ():
        if new := of.get((int(fates.person[row]), int(cluster[row]))):
            fates.move(np.array([row]), np.array(new[:1]), "split", np.array(new[1:]))
    exists[[names[p["person"]] for p in made]] = True
    return exists


def _move(fates: Fates, names: dict[str, int], exists: NDArray[np.bool_], asked: _Asked) -> None:
    """Faces found to be another person go there, when that person exists."""
    target = np.array([names.get(o or "", -1) for o in asked.object], np.int64)
    at = fates.where(asked.subject)
    keep = (target >= 0) & (at >= 0) & exists[target]
    keep[keep] = (fates.person[at[keep]] >= 0) & (fates.reason[at[keep]] == "")
    fates.move(at[keep], target[keep], "misplaced", asked.row[keep])


def _strangers(fates: Fates, home: Indices, names: dict[str, int], asked: dict[str, _Asked]) -> None:
    """Faces that are not the person go, unless a split or a move found them a place."""
    outliers = fates.where(asked["outlier"].subject)
    stayed = fates.reason[outliers] == ""
    fates.drop(outliers[stayed], "outlier", asked["outlier"].row[stayed])
    mixed = {
        names[s]: row for s, row in zip(asked["mixed"].subject, asked["mixed"].row.tolist(), strict=True) if s in names
    }
    rows = np.flatnonzero(np.isin(home, sorted(mixed)) & (fates.reason == ""))
    fates.drop(rows, "mixed", np.array([mixed[h] for h in home[rows].tolist()], np.int64))


def _unite(
    persons: pa.Table, names: dict[str, int], exists: NDArray[np.bool_], findings: pa.Table, verdicts: NDArray[Any]
) -> Indices:
    """For each person the one it is united with [persons], itself when with none."""
    size = np.zeros(len(names), np.int64)
    size[[names[p] for p in persons["person"].to_pylist()]] = persons["size"].to_numpy()
    further = np.zeros(len(names), bool)
    further[[names[p["person"]] for p in persons.to_pylist() if p["cluster"] > 0]] = True
    rows = findings.append_column("verdict", pa.array(verdicts, pa.string()))
    rows = rows.filter(pc.equal(rows["kind"], "merge")).to_pylist()
    here = {name for name, number in names.items() if exists[number]}
    edges = [
        Edge(names[r["subject"]], names[r["object"]], r["score"] or 0.0, r["verdict"])
        for r in rows
        if r["subject"] in here and r["object"] in here and r["subject"] != r["object"]
    ]
    group = unite(len(names), edges)
    first = np.lexsort((np.arange(len(names)), -size, further, group))
    _, start = np.unique(group[first], return_index=True)
    return np.asarray(first[start][np.searchsorted(group[first][start], group)])


def _conflicts(fates: Fates, united: Indices, asked: _Asked, drop: bool) -> None:
    """Of a picture under two names that are one now, the copy goes; under two names still, both, if so told."""
    for row, a, b in zip(asked.row.tolist(), fates.where(asked.subject), fates.where(_some(asked.object)), strict=True):
        if min(a, b) < 0 or min(fates.person[a], fates.person[b]) < 0:
            continue
        if united[fates.person[a]] == united[fates.person[b]]:
            came = fates.reason[[a, b]] == "misplaced"  # what came from elsewhere goes before what was here
            fates.drop(np.array([b if came[1] and not came[0] else a]), "duplicate", row)
        elif drop:
            fates.drop(np.array([a, b]), "conflict", row)


def _some(ids: list[str | None]) -> list[str]:
    return [i or "" for i in ids]


def _overlaps(fates: Fates, united: Indices, names: dict[str, int], asked: _Asked) -> None:
    """Persons of a test set go, with all they are united with; and faces, when a finding names a face."""
    rows = dict(zip(asked.subject, asked.row.tolist(), strict=True))
    people = {int(united[names[s]]): row for s, row in rows.items() if s in names}
    at = np.flatnonzero(fates.person >= 0)
    at = at[np.isin(united[fates.person[at]], sorted(people))]
    fates.drop(at, "overlap", np.array([people[p] for p in united[fates.person[at]].tolist()], np.int64))
    faces = [s for s in rows if s not in names]
    fates.drop(fates.where(faces), "overlap", np.array([rows[s] for s in faces], np.int64))


def _labels(claims: pa.Table, findings: pa.Table, fates: Fates, united: Indices, names: list[str]) -> pa.Table:
    stays = fates.person >= 0
    final = np.where(stays, united[fates.person], -1)
    reason = np.where(stays & (fates.reason == "") & (final != fates.person), "merge", fates.reason)
    identity = pa.array(names, pa.string()).take(pa.array(final, mask=~stays))
    row = pa.array(fates.finding, mask=fates.finding < 0)
    columns = [claims["face_id"], claims["key"], claims["identity"], identity, pa.array(reason, pa.string())]
    columns += [findings["score"].take(row), findings["finding_id"].take(row)]
    return pa.table(columns, schema=schema.LABELS)
