"""Published lists about a data set, turned into verdicts for the ledger; the column `who` holds the list's name.

A line of a list has a photo as MID/rank-FaceId-k (with or without .jpg, alone or beside an identity), one identity, or
two identities. Where annotators answered about the same finding, their answers count instead of the list's.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.refinement import Refinement
from pipeline.review.answers import ledger
from pipeline.review.answers.answer_time import next_answer_time
from pipeline.review.answers.ledger import LedgerRow
from pipeline.review.answers.list_files import Line
from pipeline.review.answers.listed_photos import ListedPhotos, identity_finder
from pipeline.review.questions.finding_ref import FindingRef, finding_ref
from pipeline.review.questions.persons import read_medoids
from pipeline.schema import ID_BYTES
from pipeline.sources.text_lists import whole_number

BLOCK_BYTES = 1 << 20  # of a file that are read at a time
ANSWER_PREFIX = "list/"  # of the answer_id of a list's verdicts, also of those that were taken back


class ListVerdict(NamedTuple):
    """A list's verdict on a finding."""

    finding: FindingRef
    verdict: str


class ListDecisions(NamedTuple):
    """The verdicts of lists on a refinement's findings, and how well the lists fit the data."""

    verdicts: list[ListVerdict]
    known: int  # listed photos, identities or pairs that are in the data
    unknown: Sequence[str]  # the names of those that are not
    removed: int = 0  # photos that are kept now, and that these verdicts remove
    # numbers in place of identities, which are no identities of the data and do not stand for one of them each
    class_numbers: Sequence[str] = ()


class RecordedList(NamedTuple):
    """How many answers a list added to the ledger, and how many earlier ones of the same list were taken back."""

    new: int
    withdrawn: int


def list_decisions(refinement: Refinement, lines: Sequence[Line], *, says: str) -> ListDecisions:
    """The verdicts of lists on a refinement's photos and identities. says: what the lists state, one of SAYS.

    right: a listed photo shows its claimed identity, or the identity beside it in the list; every other photo of the
    data does not show its claimed identity. Class numbers beside photos are passed over; where each stands for one
    claimed identity they say nothing else.
    wrong: a listed photo does not show its claimed identity.
    same: the two identities of a line are one person.
    go: the listed identities are removed as overlapping the test sets that the list was made for.
    stay: all identities but the listed ones are removed in that way.
    """
    medoids = read_medoids(refinement)
    if says in ("right", "wrong"):
        return _about_photos(refinement, lines, medoids, right=says == "right")
    kept = _kept_by_identity(refinement)
    find = identity_finder(kept)
    if says == "same":
        return _about_pairs(lines, find, medoids)
    found = {line.name: find(line.name) for line in lines}
    names = {name for name in found.values() if name is not None}
    removed = names if says == "go" else kept.keys() - names
    source = f"a list of identities that {says}"
    verdicts = [ListVerdict(finding_ref("overlap", name, source, medoids), "yes") for name in sorted(removed)]
    unknown = [name for name, identity in found.items() if identity is None]
    return ListDecisions(verdicts, len(names), unknown, sum(kept[name] for name in removed))


def record_list(
    refinement: Refinement, verdicts: Iterable[ListVerdict], *, list_name: str, files: Sequence[Path], author: str = ""
) -> RecordedList:
    """Make verdicts those of a list; the same list adds none to the ledger.

    Earlier verdicts of the same files on what the data still holds are taken back where they are none of these, such
    as those of another meaning (`says`). files: the files of the list, whose bytes identify it; list_name: what the
    ledger's column `who` calls it; author: its name there instead, under which verdicts of another name are recorded.
    """
    in_force = _in_force(refinement.root, files)
    wanted = {v.finding.finding_id: v for v in verdicts}
    rows = ledger.rows_of(ledger.read(refinement.root, superseded=True))
    # of several lists the last one counts, even when the clock was put back between them
    answer_id, now = _answer_id(files), next_answer_time(rows, prefix=ANSWER_PREFIX)
    new = [
        LedgerRow(v.finding, v.verdict, author or list_name, "list", answer_id, at=now)
        for finding, v in wanted.items()
        if not _is_recorded(in_force.get(finding), v.verdict, author)
    ]
    others = {finding: row for finding, row in in_force.items() if finding not in wanted}
    there = _present(refinement, {row.finding.subject for row in others.values()})
    withdrawn = ledger.withdraw(refinement.root, (r for r in others.values() if r.finding.subject in there))
    return RecordedList(ledger.append(refinement.root, new), withdrawn)


def _is_recorded(row: LedgerRow | None, verdict: str, author: str) -> bool:
    """Whether a row in force has a verdict already, under the author's name where one is given."""
    return row is not None and row.verdict == verdict and author in ("", row.who)


def withdraw_list(root: str, files: Sequence[Path]) -> int:
    """Take all verdicts of a list back, and return how many they were; files: those that were applied together."""
    return ledger.withdraw(root, _in_force(root, files).values())


def _in_force(root: str, files: Sequence[Path]) -> dict[str, LedgerRow]:
    """The answers of a list that count, by finding_id."""
    answer_id = _answer_id(files)
    return {r.finding.finding_id: r for r in ledger.rows_of(ledger.read(root)) if r.answer_id == answer_id}


def _present(refinement: Refinement, subjects: Collection[str]) -> set[str]:
    """Those of some subjects of findings, faces or identities, that are in the data."""
    there: set[str] = set()
    for rows in refinement.labels.batches(["face_id", "claimed"]) if subjects else ():
        there.update(name for column in rows.columns for name in column.to_pylist() if name in subjects)
    return there


def recorded_lists(root: str) -> list[str]:
    """The names of the lists whose verdicts are in force."""
    return sorted({row.who for row in ledger.rows_of(ledger.read(root)) if row.purpose == "list"})


def _about_photos(
    refinement: Refinement, lines: Sequence[Line], medoids: Mapping[str, str], *, right: bool
) -> ListDecisions:
    """The verdicts of lists of photos; right: whether the listed photos are right, or wrong."""
    listed = ListedPhotos(lines, (photo.key for photo in _claimed_photos(refinement)))
    find = identity_finder(_kept_by_identity(refinement))
    others = {r.other for r in listed.match.readings if r.other is not None} if right else set()
    numbers = {other for other in others if whole_number(other) is not None and find(other) is None}
    verdicts: list[ListVerdict] = []
    removed = 0
    numbered: set[tuple[str, str]] = set()
    for photo in _claimed_photos(refinement):
        reading = listed.reading_of(photo.key)
        identity = reading.other if reading is not None and right else None  # the one beside the photo in the list
        if identity is not None and identity in numbers:
            numbered.add((identity, photo.claimed))
        identity = None if identity is None or identity in numbers else find(identity) or identity
        stays = right and reading is not None and identity in (None, photo.claimed)
        if reading is not None or right:
            finding = finding_ref("outlier", photo.face_id, photo.claimed, medoids)
            verdicts.append(ListVerdict(finding, "no" if stays else "yes"))
            removed += not stays and identity is None and photo.is_kept
        if identity is not None and not stays:
            verdicts.append(ListVerdict(finding_ref("misplaced", photo.face_id, identity, medoids), "yes"))
    one_each = len(numbered) == len({number for number, _ in numbered}) == len({claimed for _, claimed in numbered})
    unclear = [] if one_each else sorted(numbers)
    return ListDecisions(verdicts, len(listed.match.readings), listed.match.unknown, removed, unclear)


def _about_pairs(lines: Sequence[Line], find: Callable[[str], str | None], medoids: Mapping[str, str]) -> ListDecisions:
    """The verdicts of lists of pairs of identities that are one person."""
    known: set[tuple[str, str]] = set()
    unknown: dict[str, None] = {}
    for line in lines:
        pairs = [(find(r.name), find(r.other or "")) for r in line.readings]
        pair = next(((a, b) for a, b in pairs if a is not None and b is not None), None)
        if pair is None:
            unknown[f"{line.name} {line.other}"] = None
        elif pair[0] != pair[1]:
            known.add((min(pair), max(pair)))
    verdicts = [ListVerdict(finding_ref("merge", *pair, medoids), "yes") for pair in sorted(known)]
    return ListDecisions(verdicts, len(known), list(unknown))


class _ClaimedPhoto(NamedTuple):
    """A photo that has a claimed identity; is_kept: whether the refinement keeps it."""

    face_id: str
    key: str
    claimed: str
    is_kept: bool


def _claimed_photos(refinement: Refinement) -> Iterator[_ClaimedPhoto]:
    """The photos that have a claimed identity, batch by batch."""
    for rows in refinement.labels.batches(["face_id", "key", "claimed", "identity"]):
        rows = rows.filter(rows["claimed"].is_valid())
        columns = (rows[c].to_pylist() for c in ("face_id", "key", "claimed"))
        yield from map(_ClaimedPhoto, *columns, rows["identity"].is_valid().to_pylist())


def _kept_by_identity(refinement: Refinement) -> Counter[str]:
    """The number of kept photos of each claimed identity, which may be 0."""
    kept: Counter[str] = Counter()
    for photo in _claimed_photos(refinement):
        kept[photo.claimed] += photo.is_kept
    return kept


def _answer_id(files: Sequence[Path]) -> str:
    """The ledger's answer_id of all verdicts of a list: a digest of its files' bytes."""
    hasher = blake2b(digest_size=ID_BYTES)
    for file in sorted(files):
        try:
            with open(file, "rb") as stream:
                while block := stream.read(BLOCK_BYTES):
                    hasher.update(block)
        except OSError as error:
            raise UserError(f"cannot read the list {file} ({error.strerror or error}): give its file") from None
    return f"{ANSWER_PREFIX}{hasher.hexdigest()}"
