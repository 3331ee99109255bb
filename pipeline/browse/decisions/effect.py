"""What a decision changes at once: the fates of the photos that it can reach, resolved again without all others.

The same functions decide as for the whole data set (refined/labels.py), which is labelled again later.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.browse.decisions.neighbourhood import Neighbourhood, neighbourhood
from pipeline.browse.finding_index import FindingIndex
from pipeline.browse.photo_index import Rows, name_codes
from pipeline.browse.snapshot import REASONS, Fates, Snapshot, with_fates
from pipeline.refined.fate_changes import FateChange
from pipeline.refined.labels import by_people, decide
from pipeline.refined.resolve import resolve
from pipeline.refined.verdicts import with_added_findings
from pipeline.review.questions.finding_ref import FindingRef


class Resolved(NamedTuple):
    """A neighbourhood with the verdicts of some answers: its findings, the verdict and who gave it, its labels."""

    findings: pa.Table
    decisions: pa.Table
    labels: pa.Table


class Effect(NamedTuple):
    """The photos whose fate a decision changes, and the snapshot after it."""

    rows: Rows  # numbers of the photos
    changes: list[FateChange]
    snapshot: Snapshot


def part_about(snapshot: Snapshot, findings: Iterable[FindingRef]) -> Neighbourhood:
    """The part of the data set that answers about these findings can reach."""
    return neighbourhood(snapshot, np.array(identities_of(snapshot, findings), np.int32))


def identities_of(snapshot: Snapshot, findings: Iterable[FindingRef]) -> list[int]:
    """The codes of the identities that these findings are about."""
    photos, index, refs = snapshot.photos, snapshot.findings, list(findings)
    names = {photos.code_of_name.get(name or "", -1) for ref in refs for name in (ref.subject, ref.object)}
    codes = set(photos.identity_of_name[sorted(names - {-1})].tolist())
    rows = photos.rows_of([f for r in refs for f in (r.subject, r.object, r.subject_face, r.object_face)])
    rows = np.unique(rows[rows >= 0])
    codes.update(photos.claimed[rows].tolist())
    moves = np.flatnonzero(index.kind == "misplaced")
    targets = index.object_name[moves[np.isin(index.subject_row[moves], rows)]]
    codes.update(photos.identity_of_name[targets[targets >= 0]].tolist())
    return sorted(codes - {-1})


def effect_of(snapshot: Snapshot, part: Neighbourhood, before: pa.Table, after: pa.Table) -> Effect:
    """What changes when answers change that are about a part of the data set.

    before, after: all verdicts of people, columns as ANSWERS, as they refer to this refinement.
    """
    old, new = (resolve_part(snapshot, part, answers) for answers in (before, after))
    differs = np.zeros(len(part.rows), bool)
    for column in ("identity", "reason"):
        a, b = (name_or_none(r.labels[column]) for r in (old, new))
        differs |= a != b
    changed = np.flatnonzero(differs & part.certain)
    fates = [[_fate(row) for row in r.labels.take(pa.array(changed)).to_pylist()] for r in (old, new)]
    counts = Counter(zip(*fates, strict=True))
    changes = [
        FateChange(pair[0], pair[1], n) for pair, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    return Effect(part.rows[changed], changes, _patched(snapshot, part, new, changed))


def resolve_part(snapshot: Snapshot, part: Neighbourhood, answers: pa.Table) -> Resolved:
    """The labels of a neighbourhood with these verdicts of people (columns as ANSWERS)."""
    known = {*part.claims["face_id"].to_pylist(), *part.persons["person"].to_pylist()}
    known |= set(part.claims["identity"].to_pylist())
    # a person of the whole data set may be the object of a finding; the subject is always in the neighbourhood
    answers = answers.filter(pc.is_in(answers["subject"], value_set=pa.array(sorted(known - {None}), pa.string())))
    findings = with_added_findings(part.findings, answers)
    options = snapshot.refinement.options
    decisions = decide(findings, answers, limits=snapshot.refinement.thresholds, calibration=snapshot.calibration)
    labels = resolve(
        part.claims,
        part.persons,
        findings,
        decisions["verdict"].to_pylist(),
        undecided=options.undecided,
        min_faces=options.min_faces,
        by_people=by_people(decisions),
    )
    return Resolved(findings, decisions, labels)


def name_or_none(column: pa.ChunkedArray) -> NDArray[np.object_]:
    """A column of strings as objects, None for null."""
    return np.asarray(column.to_numpy(zero_copy_only=False), object)


def _fate(label: dict[str, str | None]) -> str:
    if label["identity"] is None:
        return str(label["reason"])
    return f"kept: {label['reason']}" if label["reason"] else "kept"


def _patched(snapshot: Snapshot, part: Neighbourhood, resolved: Resolved, changed: Rows) -> Snapshot:
    """The snapshot with the verdicts of a neighbourhood, and the fates of those of its photos that changed."""
    findings = _with_verdicts(snapshot, resolved)
    labels, rows = resolved.labels.take(pa.array(changed)), part.rows[changed]
    former = snapshot.fates
    fates = Fates(former.identity.copy(), former.reason.copy(), former.finding.copy())
    fates.identity[rows] = name_codes(labels["identity"], snapshot.photos.names)
    fates.reason[rows] = np.maximum(name_codes(labels["reason"], REASONS), 0)
    fates.finding[rows] = findings.rows_of(labels["finding_id"])
    return with_fates(snapshot, fates, findings)


def _with_verdicts(snapshot: Snapshot, resolved: Resolved) -> FindingIndex:
    """The findings of the snapshot with these decisions; findings that the answers add come last."""
    index, photos = snapshot.findings, snapshot.photos
    at = index.rows_of(resolved.findings["finding_id"])
    verdict, who = (name_or_none(resolved.decisions[c]) for c in ("verdict", "who"))
    known, new = np.flatnonzero(at >= 0), np.flatnonzero(at < 0)
    old = replace(index, verdict=index.verdict.copy(), who=index.who.copy())
    old.verdict[at[known]], old.who[at[known]] = verdict[known], who[known]
    if not len(new):
        return old
    added = resolved.findings.take(pa.array(new))
    nan = np.full(len(new), np.nan)
    return FindingIndex(
        pa.concat_tables([index.table, added]),
        np.append(old.verdict, verdict[new]),
        np.append(old.who, who[new]),
        np.append(index.kind, name_or_none(added["kind"])),
        np.append(index.fused, nan),
        np.append(index.probability, nan),
        np.append(index.subject_row, photos.rows_of(added["subject"].to_pylist())),
        np.append(index.object_row, photos.rows_of(added["object"].to_pylist())),
        np.append(index.subject_name, name_codes(added["subject"], photos.names)),
        np.append(index.object_name, name_codes(added["object"], photos.names)),
        np.append(index.by_machine, np.zeros(len(new), bool)),
    )
