"""Published lists about a data set, turned into verdicts for the ledger; the column `who` holds the list's name.

A line of a list has a photo as MID/rank-FaceId-k (with or without .jpg, alone or beside an identity), one identity, or
two identities. Where annotators answered about the same finding, their answers count instead of the list's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from pipeline.refinement import Refinement
from pipeline.review.answers import ledger
from pipeline.review.answers.ledger import LedgerRow
from pipeline.review.answers.list_files import Line, short_photo_name
from pipeline.review.questions.finding_ref import FindingRef, finding_ref
from pipeline.review.questions.persons import read_medoids
from pipeline.schema import ID_BYTES

CLOCK_STEP = timedelta(microseconds=1)  # the smallest difference between two times in the ledger


class ListVerdict(NamedTuple):
    """A list's verdict on a finding."""

    finding: FindingRef
    verdict: str


class ListDecisions(NamedTuple):
    """The verdicts of lists on a refinement's findings, and how many listed names the data has."""

    verdicts: list[ListVerdict]
    known: int  # listed photos, identities or pairs that are in the data
    unknown: int  # listed photos, identities or pairs that are not


def list_decisions(refinement: Refinement, lines: Sequence[Line], *, says: str) -> ListDecisions:
    """The verdicts of lists on a refinement's photos and identities. says: what the lists state, one of SAYS.

    right: a listed photo shows its claimed identity, or the identity beside it in the list; every other photo of the
    data does not show its claimed identity.
    wrong: a listed photo does not show its claimed identity.
    same: the two identities of a line are one person.
    go: the listed identities are removed as overlapping the test sets that the list was made for.
    stay: all identities but the listed ones are removed in that way.
    """
    medoids = read_medoids(refinement)
    if says in ("right", "wrong"):
        return _about_photos(refinement, lines, medoids, right=says == "right")
    claimed = {i for rows in refinement.labels.batches(["claimed"]) for i in rows["claimed"].unique().to_pylist()}
    claimed.discard(None)
    if says == "same":
        pairs = sorted({(min(a, b), max(a, b)) for a, b in lines if b is not None and a != b})
        known = [p for p in pairs if claimed.issuperset(p)]
        verdicts = [ListVerdict(finding_ref("merge", *p, medoids), "yes") for p in known]
        return ListDecisions(verdicts, len(known), len(pairs) - len(known))
    names = {line.name for line in lines}
    removed = claimed & names if says == "go" else claimed - names
    source = f"a list of identities that {says}"
    verdicts = [ListVerdict(finding_ref("overlap", name, source, medoids), "yes") for name in sorted(removed)]
    return ListDecisions(verdicts, len(claimed & names), len(names - claimed))


def record_list(root: str, verdicts: Iterable[ListVerdict], *, list_name: str, files: Sequence[Path]) -> int:
    """Append a list's verdicts to the ledger and return how many were new; the same list again adds nothing.

    list_name: the value of the ledger's column `who`; files: the files of the list, whose bytes identify it.
    """
    answer_id = f"list/{_digest(files)}"
    rows = ledger.rows_of(ledger.read(root))
    known = {r.finding.finding_id for r in rows if r.answer_id == answer_id}
    earlier = [r.at for r in rows if r.purpose == "list" and r.at is not None]
    # of several lists the last one counts, even when the clock was put back between them
    now = max([datetime.now(UTC), *(at + CLOCK_STEP for at in earlier)])
    return ledger.append(
        root,
        (
            LedgerRow(v.finding, v.verdict, list_name, "list", answer_id, at=now)
            for v in verdicts
            if v.finding.finding_id not in known
        ),
    )


def _about_photos(
    refinement: Refinement, lines: Sequence[Line], medoids: Mapping[str, str], *, right: bool
) -> ListDecisions:
    """The verdicts of lists of photos; right: whether the listed photos are right, or wrong."""
    listed: dict[str, str | None] = {short_photo_name(line.name): line.other for line in lines}
    verdicts: list[ListVerdict] = []
    photos: set[str] = set()
    for face, key, claimed in _claimed_photos(refinement):
        name = short_photo_name(key)
        name = name if name in listed else name.split("/", 1)[-1]  # the data's folders are nested, the list's are not
        photos.add(name)
        identity = listed.get(name) if right else None  # the identity beside the photo in the list
        stays = right and name in listed and identity in (None, claimed)
        if name in listed or right:
            verdicts.append(ListVerdict(finding_ref("outlier", face, claimed, medoids), "no" if stays else "yes"))
        if identity is not None and not stays:
            verdicts.append(ListVerdict(finding_ref("misplaced", face, identity, medoids), "yes"))
    known = len(photos & listed.keys())
    return ListDecisions(verdicts, known, len(listed) - known)


def _claimed_photos(refinement: Refinement) -> Iterator[tuple[str, str, str]]:
    """face_id, key and claimed identity of each photo that has a claimed identity."""
    columns = ["face_id", "key", "claimed"]
    for rows in refinement.labels.batches(columns):
        rows = rows.filter(rows["claimed"].is_valid())
        yield from zip(*(rows[c].to_pylist() for c in columns), strict=True)


def _digest(files: Sequence[Path]) -> str:
    hasher = blake2b(digest_size=ID_BYTES)
    for file in sorted(files):
        hasher.update(file.read_bytes())
    return hasher.hexdigest()
