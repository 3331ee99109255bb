"""Published lists about a data set as decisions for the ledger: what others found, with their list's name as `who`.

A list names photos as MID/rank-FaceId-k (with or without .jpg, alone or beside an identity), or identities, or two
identities a line. Where people answered too, people's answers count.
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

CLOCK_STEP = timedelta(microseconds=1)  # the smallest difference of times that the ledger holds


class ListVerdict(NamedTuple):
    """A list's verdict on a finding."""

    finding: FindingRef
    verdict: str


class ListDecisions(NamedTuple):
    """What lists decide, and how many of the names in them are in the data and are not."""

    verdicts: list[ListVerdict]
    known: int
    unknown: int


def list_decisions(refinement: Refinement, lines: Sequence[Line], *, says: str) -> ListDecisions:
    """What lists say of a refinement's photos and identities.

    right: listed photos show their claimed identity, or the one that the list names, and all others of the data do not.
    wrong: listed photos do not show their claimed identity. same: two identities are one person. stay: identities that
    are not listed go, as overlapping the test sets that the list was made for. go: listed ones do.
    """
    medoids = read_medoids(refinement)
    if says in ("right", "wrong"):
        return _about_photos(refinement, lines, medoids, right=says == "right")
    claimed = {n for rows in refinement.labels.batches(["claimed"]) for n in rows["claimed"].unique().to_pylist()}
    claimed.discard(None)
    if says == "same":
        pairs = sorted({(min(n, o), max(n, o)) for n, o in lines if o is not None and n != o})
        known = [p for p in pairs if claimed.issuperset(p)]
        verdicts = [ListVerdict(finding_ref("merge", *p, medoids), "yes") for p in known]
        return ListDecisions(verdicts, len(known), len(pairs) - len(known))
    names = {line.name for line in lines}
    removed = claimed & names if says == "go" else claimed - names
    source = f"a list of identities that {says}"
    verdicts = [ListVerdict(finding_ref("overlap", name, source, medoids), "yes") for name in sorted(removed)]
    return ListDecisions(verdicts, len(claimed & names), len(names - claimed))


def record_list(root: str, verdicts: Iterable[ListVerdict], *, list_name: str, files: Sequence[Path]) -> int:
    """Append a list's verdicts to the ledger; returns how many were new. The same list again adds nothing.

    list_name: stands in the ledger in place of an annotator; files: the list's, whose bytes identify it.
    """
    answer_id = f"list/{_digest(files)}"
    rows = ledger.rows_of(ledger.read(root))
    known = {r.finding.finding_id for r in rows if r.answer_id == answer_id}
    earlier = [r.at for r in rows if r.purpose == "list" and r.at is not None]
    now = max(
        [datetime.now(UTC), *(at + CLOCK_STEP for at in earlier)]
    )  # the last list counts, whatever the clock says
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
    listed: dict[str, str | None] = {short_photo_name(line.name): line.other for line in lines}
    verdicts: list[ListVerdict] = []
    photos: set[str] = set()
    for face, key, claimed in _claimed_photos(refinement):
        name = short_photo_name(key)
        name = name if name in listed else name.split("/", 1)[-1]  # the data's folders are nested, the list's are not
        photos.add(name)
        identity = listed.get(name) if right else None  # that the list puts the photo under
        stays = right and name in listed and identity in (None, claimed)
        if name in listed or right:
            verdicts.append(ListVerdict(finding_ref("outlier", face, claimed, medoids), "no" if stays else "yes"))
        if identity is not None and not stays:
            verdicts.append(ListVerdict(finding_ref("misplaced", face, identity, medoids), "yes"))
    known = len(photos & listed.keys())
    return ListDecisions(verdicts, known, len(listed) - known)


def _claimed_photos(refinement: Refinement) -> Iterator[tuple[str, str, str]]:
    """face_id, key and claimed identity of each photo that claims one."""
    columns = ["face_id", "key", "claimed"]
    for rows in refinement.labels.batches(columns):
        rows = rows.filter(rows["claimed"].is_valid())
        yield from zip(*(rows[c].to_pylist() for c in columns), strict=True)


def _digest(files: Sequence[Path]) -> str:
    hasher = blake2b(digest_size=ID_BYTES)
    for file in sorted(files):
        hasher.update(file.read_bytes())
    return hasher.hexdigest()
