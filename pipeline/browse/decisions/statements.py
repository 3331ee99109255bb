"""What a decision in the gallery says, as answers to findings: the same findings and answers as in Label Studio.

A decision that could change no label is refused in one line that says what can be decided instead.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.browse.snapshot import Snapshot
from pipeline.errors import UserError
from pipeline.review.questions.belief import SAME_PERSON_KINDS
from pipeline.review.questions.finding_ref import FindingRef, finding_ref

WITHOUT_FACE = ("erased", "unreadable", "no_face")
# further kinds of findings that claim "the same": of pictures, where SAME_PERSON_KINDS are about persons
SAME_PICTURE_KINDS = ("duplicate", "conflict")
MAX_FACES = 5000  # of one decision


@dataclass(frozen=True)
class Decision:
    """What a person decided: one of KINDS, and what it is about."""

    kind: str
    faces: tuple[str, ...] = ()  # face_ids
    name: str = ""  # an identity or a further person
    other: str = ""  # likewise
    finding: str = ""  # finding_id
    verdict: str = ""  # on that finding: yes or no


class Statement(NamedTuple):
    """One answer to one finding; choice: the button that it would be in Label Studio."""

    ref: FindingRef
    choice: str
    same_means: str  # the verdict that the choice "same" gives


def statements_of(snapshot: Snapshot, decision: Decision) -> list[Statement]:
    """The answers that a decision gives. Raises UserError where it is about nothing that the data has."""
    if decision.kind not in KINDS:
        raise UserError(f"a decision is one of {', '.join(KINDS)}, found {decision.kind!r}")
    if len(decision.faces) > MAX_FACES:
        raise UserError(f"{len(decision.faces)} photos in one decision: mark at most {MAX_FACES}")
    statements = list(KINDS[decision.kind](snapshot, decision))
    if not statements:
        raise UserError("nothing is marked: mark photos, or name an identity")
    return list({s.ref.finding_id: s for s in statements}.values())


def same_means(kind: str) -> str:
    """The verdict on a finding of this kind when people answer "the same"."""
    return "yes" if kind in (*SAME_PERSON_KINDS, *SAME_PICTURE_KINDS) else "no"


def ref_of(snapshot: Snapshot, kind: str, subject: str, other: str | None) -> FindingRef:
    """The reference to a finding; persons are known by their medoids."""
    return finding_ref(kind, subject, other, snapshot.photos.medoids)


def _said(snapshot: Snapshot, kind: str, subject: str, other: str | None, choice: str) -> Statement:
    return Statement(ref_of(snapshot, kind, subject, other), choice, same_means(kind))


def _keep(snapshot: Snapshot, decision: Decision) -> Iterator[Statement]:
    for row, face, claimed in _photos(snapshot, decision):
        reason = snapshot.reason(row)
        kind = _deciding_kind(snapshot, row)
        if kind in ("mixed", "overlap"):
            raise UserError(
                f"this photo was removed with all of {claimed} ({kind}): decide about that finding on the photo's page"
            )
        if kind in ("duplicate", "conflict", "poor"):
            subject, other = _sides(snapshot, int(snapshot.fates.finding[row]))
            yield _said(snapshot, kind, subject, other, "same" if kind == "poor" else "different")
        if reason == "split":
            raise UserError(
                f"{snapshot.name(int(snapshot.fates.identity[row]))} was split off: move this photo back to {claimed}, "
                "or undo the split of all"
            )
        yield _said(snapshot, "outlier", face, claimed, "same")


def _remove(snapshot: Snapshot, decision: Decision) -> Iterator[Statement]:
    photos = list(_photos(snapshot, decision))
    moves = snapshot.findings.moves_of([row for row, *_ in photos])
    for row, face, claimed in photos:
        _refuse_split(snapshot, row)
        yield _said(snapshot, "outlier", face, claimed, "other")
        yield from _not_moved(snapshot, moves[row])


def _unusable(snapshot: Snapshot, decision: Decision) -> Iterator[Statement]:
    for _, face, claimed in _photos(snapshot, decision):
        yield _said(snapshot, "outlier", face, claimed, "unusable")


def _move(snapshot: Snapshot, decision: Decision) -> Iterator[Statement]:
    target = _existing_name(snapshot, decision.name)
    photos = list(_photos(snapshot, decision, named=False))
    moves = snapshot.findings.moves_of([row for row, *_ in photos])
    for row, face, claimed in photos:
        if claimed == target:
            yield _said(snapshot, "outlier", face, claimed, "same")
            if snapshot.reason(row) == "split":  # alone: the others of its cluster stay where they are
                yield _said(snapshot, "misplaced", face, claimed, "same")
            continue
        yield from _not_moved(snapshot, moves[row], but=target)
        yield _said(snapshot, "misplaced", face, target, "same")
        if claimed:
            yield _said(snapshot, "outlier", face, claimed, "other")


def _merge(snapshot: Snapshot, decision: Decision) -> Iterator[Statement]:
    one, two = _two_names(snapshot, decision)
    yield _said(snapshot, "merge", one, two, "same")


def _separate(snapshot: Snapshot, decision: Decision) -> Iterator[Statement]:
    one, two = _two_names(snapshot, decision)
    yield _said(snapshot, "merge", one, two, "different")


def _split(snapshot: Snapshot, decision: Decision) -> Iterator[Statement]:
    yield from _splits(snapshot, decision, "different")


def _unsplit(snapshot: Snapshot, decision: Decision) -> Iterator[Statement]:
    yield from _splits(snapshot, decision, "same")


def _about_finding(snapshot: Snapshot, decision: Decision) -> Iterator[Statement]:
    row = int(snapshot.findings.rows_of(pa.array([decision.finding], pa.string()))[0])
    if row < 0 or decision.verdict not in ("yes", "no"):
        raise UserError(f"there is no finding {decision.finding[:40]!r} to say {decision.verdict[:10]!r} about")
    kind = str(snapshot.findings.kind[row])
    if kind in (*WITHOUT_FACE, "hub"):
        raise UserError(f"people do not decide about a finding of the kind {kind}")
    subject, other = _sides(snapshot, row)
    means = same_means(kind)
    yield Statement(ref_of(snapshot, kind, subject, other), "same" if decision.verdict == means else "different", means)


KINDS: dict[str, Callable[[Snapshot, Decision], Iterator[Statement]]] = {
    "keep": _keep,
    "remove": _remove,
    "unusable": _unusable,
    "move": _move,
    "merge": _merge,
    "separate": _separate,
    "split": _split,
    "unsplit": _unsplit,
    "finding": _about_finding,
}


def _photos(snapshot: Snapshot, decision: Decision, *, named: bool = True) -> Iterator[tuple[int, str, str]]:
    """Number, face_id and claimed identity of each photo; named: photos without an identity are refused."""
    rows = snapshot.photos.rows_of(decision.faces).tolist()
    for row, face in zip(rows, decision.faces, strict=True):
        if row < 0:
            raise UserError(f"{face[:40]!r} is no photo of {snapshot.root}: reload the page")
        if _deciding_kind(snapshot, row) in WITHOUT_FACE:
            raise UserError("a photo without a face can be neither kept nor moved")
        claimed = snapshot.name(int(snapshot.photos.claimed[row]))
        if claimed is None and named:
            raise UserError("the source claims no identity for this photo: move it to one instead")
        yield row, face, claimed or ""


def _deciding_kind(snapshot: Snapshot, row: int) -> str:
    at = int(snapshot.fates.finding[row])
    return str(snapshot.findings.kind[at]) if at >= 0 else ""


def _sides(snapshot: Snapshot, finding: int) -> tuple[str, str | None]:
    return snapshot.findings.table["subject"][finding].as_py(), snapshot.findings.table["object"][finding].as_py()


def _refuse_split(snapshot: Snapshot, row: int) -> None:
    """That a photo is not its claimed identity is known of one that was split off with its cluster."""
    if snapshot.reason(row) == "split":
        person = snapshot.name(int(snapshot.fates.identity[row])) or "another person"
        raise UserError(
            f"this photo was split off to {person} with all of its cluster: move it to the identity that it shows, "
            "undo the split first, or say that the face is unusable"
        )


def _not_moved(snapshot: Snapshot, moves: Iterable[int], but: str = "") -> Iterator[Statement]:
    """That a photo shows none of the other persons to whom these findings would move it."""
    for finding in moves:
        subject, other = _sides(snapshot, finding)
        if other != but:
            yield _said(snapshot, "misplaced", subject, other, "different")


def _existing_name(snapshot: Snapshot, name: str) -> str:
    """The name, if photos can be kept under it now."""
    photos, index = snapshot.photos, snapshot.findings
    code = photos.code_of_name.get(name, -1)
    if code < 0:
        raise UserError(f"no identity is called {name[:80]!r}: choose one from the list")
    if code >= photos.claimed_names:
        split = np.flatnonzero((index.kind == "split") & (index.verdict == "yes")).tolist()
        if photos.medoids.get(name) not in {index.table["object"][row].as_py() for row in split}:
            raise UserError(f"{name} is not an identity of its own yet: split it off first")
    return name


def _two_names(snapshot: Snapshot, decision: Decision) -> tuple[str, str]:
    names = {_existing_name(snapshot, name) for name in (decision.name, decision.other)}
    if len(names) != 2:
        raise UserError("one identity was named twice: name two")
    one, two = sorted(names)
    return one, two


def _splits(snapshot: Snapshot, decision: Decision, choice: str) -> Iterator[Statement]:
    """The split of each further person of an identity whose cluster has marked photos; of all, if none are marked."""
    photos = snapshot.photos
    code = photos.code_of_name.get(decision.name, -1)
    if code < 0:
        raise UserError(f"no identity is called {decision.name[:80]!r}: choose one from the list")
    identity = int(photos.identity_of_name[code])
    rows = photos.rows_of(decision.faces)
    marked = {int(photos.cluster[row]) for row in rows.tolist() if row >= 0 and photos.claimed[row] == identity}
    people = photos.persons.filter(photos.person_identity == identity).to_pylist()
    first = next((p for p in people if p["cluster"] == 0), None)
    further = [p for p in people if p["cluster"] > 0 and (p["cluster"] in marked or not decision.faces)]
    if code >= photos.claimed_names:
        further = [p for p in further if p["person"] == decision.name]
    if first is None or not further:
        raise UserError(
            f"no group of these photos is a person of {photos.names[identity]} by itself: move or remove them instead"
        )
    for person in further:
        yield _said(snapshot, "split", first["medoid"], person["medoid"], choice)
