"""Published lists about a data set as decisions for the ledger: what others found, with their list's name as `who`.

A list names photos as MID/rank-FaceId-k (with or without .jpg, beside the identity they belong to or alone), or
identities, or two identities a line. Of people's answers and a list's, people's count.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import UserError
from pipeline.refinement import Refinement
from pipeline.review.answers import ledger
from pipeline.review.questions.subject import about, medoids
from pipeline.schema import ID_BYTES, finding_id
from pipeline.sources.text_lists import whole_number

SAYS = ("right", "wrong", "same", "stay", "go")
PHOTO = re.compile(r"\.(jpe?g|png|webp|bmp)$", re.IGNORECASE)
AFTER = timedelta(microseconds=1)  # what the ledger tells apart
Row = dict[str, Any]


class Line(NamedTuple):
    """A line of a list: the photo or identity that it names first, and a second identity, if it names one."""

    name: str
    other: str | None


class Listed(NamedTuple):
    """Rows for the ledger (some of its columns), and how many names of the lists are in the data and are not."""

    rows: list[Row]
    known: int
    unknown: int


def read_lists(files: Sequence[Path], *, says: str, classes: Path | None = None) -> list[Line]:
    """The lines of lists, comments (#) left out; classes: a file whose line i is the identity that lists call i.

    says: "right" and "wrong": lines are photos, and of those that are right perhaps the identity they belong to, before
    or after them (C-MS-Celeb's label and path, LightCNN's path and class); "same": two identities; "stay" and "go":
    one identity. Raises UserError for a file or a line that is none.
    """
    named = [line.strip() for line in _text(classes).splitlines()] if classes else []
    return [_line(file, n, words, says, named) for file in files for n, words in _lines(file)]


def decide(done: Refinement, lines: Iterable[Line], *, says: str) -> Listed:
    """What lists say of a refinement's photos and identities, as questions and verdicts.

    right: listed photos are who they claim to be, or who the list says, and all others of the data are not.
    wrong: listed photos are not who they claim to be. same: two identities are one person. stay: identities that are
    not listed go, as overlapping the test sets that the list was made for. go: listed ones do.
    """
    if says in ("right", "wrong"):
        return _photos(done, list(lines), right=says == "right")
    claimed = {n for rows in done.labels.batches(["claimed"]) for n in rows["claimed"].unique().to_pylist()}
    claimed.discard(None)
    medoid = medoids(done)
    if says == "same":
        pairs = sorted({(min(n, o), max(n, o)) for n, o in lines if o is not None and n != o})
        there = [p for p in pairs if claimed.issuperset(p)]
        return Listed([_row("merge", *p, "yes", medoid) for p in there], len(there), len(pairs) - len(there))
    names = {line.name for line in lines}
    go = claimed & names if says == "go" else claimed - names
    rows = [_row("overlap", name, f"a list of identities that {says}", "yes", medoid) for name in sorted(go)]
    return Listed(rows, len(claimed & names), len(names - claimed))


def take_in(root: str, rows: Iterable[Mapping[str, Any]], *, who: str, files: Sequence[Path]) -> int:
    """Append a list's decisions to the ledger; how many were new. The same list says the same thing once."""
    source = f"list/{_digest(files)}"
    there = ledger.read(root)
    said = set(zip(*(there[c].to_pylist() for c in ("answer_id", "finding_id")), strict=True))
    lists = [r["at"] for r in there.select(["at", "purpose"]).to_pylist() if r["purpose"] == "list"]
    now = max([datetime.now(UTC), *(at + AFTER for at in lists)])  # the last list counts, whatever the clock says
    named = {"who": who, "purpose": "list", "answer_id": source, "at": now}
    return ledger.append(root, ({**r, **named} for r in rows if (source, r["finding_id"]) not in said))


def _photos(done: Refinement, lines: list[Line], *, right: bool) -> Listed:
    listed: dict[str, str | None] = {_plain(line.name): line.other for line in lines}
    medoid, rows, found = medoids(done), [], set()
    for face, key, claimed in _claims(done):
        name = _plain(key)
        at = name if name in listed else name.split("/", 1)[-1]  # the key of a nested folder, the list's of the last
        found.add(at)
        if at in listed:
            belongs = listed[at] if right else None
            stays = right and belongs in (None, claimed)
            rows.append(_row("outlier", face, claimed, "no" if stays else "yes", medoid))
            if right and not stays:
                rows.append(_row("misplaced", face, belongs, "yes", medoid))
        elif right:
            rows.append(_row("outlier", face, claimed, "yes", medoid))
    known = len(found & listed.keys())
    return Listed(rows, known, len(listed) - known)


def _claims(done: Refinement) -> Iterator[tuple[str, str, str]]:
    for rows in done.labels.batches(["face_id", "key", "claimed"]):
        for row in zip(*(rows[c].to_pylist() for c in ("face_id", "key", "claimed")), strict=True):
            if row[2] is not None:
                yield row


def _row(kind: str, subject: str, other: str | None, verdict: str, medoid: Mapping[str, str]) -> Row:
    asked: Row = {"finding_id": finding_id(kind, subject, other), "kind": kind, "subject": subject, "object": other}
    return about(asked, medoid) | {"verdict": verdict}


def _plain(name: str) -> str:
    """A photo's name as all lists spell it: the last folder and the file, without its suffix."""
    return PHOTO.sub("", "/".join(name.replace("\\", "/").rsplit("/", 2)[-2:]))


def _line(file: Path, number: int, words: list[str], says: str, classes: Sequence[str]) -> Line:
    photos = [w for w in words if "/" in w]
    if says in ("right", "wrong") and len(photos) == 1 and len(words) <= 2:
        other = next((_named(w, classes) for w in words if w not in photos), None)
        folder, slash, rest = photos[0].rpartition("/")
        head, again, last = folder.rpartition("/")
        return Line(f"{head}{again}{_named(last, classes)}{slash}{rest}", other)
    if says == "same" and len(words) == 2:
        return Line(_named(words[0], classes), _named(words[1], classes))
    if says in ("stay", "go") and len(words) == 1:
        return Line(_named(words[0], classes), None)
    expected = {"same": "two identities", "stay": "one identity", "go": "one identity"}
    raise UserError(
        f"{file} line {number}: expected {expected.get(says, 'a photo (MID/photo), perhaps an identity')}, "
        f"found {' '.join(words)[:80]!r}: is the list one of --says {says}?"
    )


def _named(word: str, classes: Sequence[str]) -> str:
    at = whole_number(word)
    return (classes[at] or word) if at is not None and at < len(classes) else word


def _lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    found = False
    for number, line in enumerate(_text(file).splitlines(), start=1):
        words = line.split()
        if words and not line.startswith("#"):
            found = True
            yield number, words
    if not found:
        raise UserError(f"{file} lists nothing: give a list with a line for each photo or identity")


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the list {file} ({error}): give a text file") from None


def _digest(files: Sequence[Path]) -> str:
    hasher = blake2b(digest_size=ID_BYTES)
    for file in sorted(files):
        hasher.update(file.read_bytes())
    return hasher.hexdigest()
