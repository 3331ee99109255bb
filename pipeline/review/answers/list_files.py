"""Reads published lists of photos or identities: text files with one photo, identity or pair of identities a line."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources.photo_names import SUFFIX
from pipeline.sources.text_lists import all_lines, columns, csv_rows, lines_of, whole_number

SAYS = ("right", "wrong", "same", "stay", "go")  # what a list says about its photos or identities: see list_decisions()
LINE_NAMES = {"same": "two identities", "stay": "one identity", "go": "one identity"}  # content of a line, by SAYS
# a photo of MS-Celeb-1M as its WashList names it: label/MID_rank-FaceId-0.jpg
WASHED = re.compile(r"\d+[/\\]([mg][./]\w+)_(\d+(?:-FaceId-\d+)?(?:\.\w+)?)")
NUMBER = re.compile(r"-?\d+(\.\d+)?")


class Reading(NamedTuple):
    """One way to read a line: a photo or an identity, and a second identity where the line has one."""

    name: str
    other: str | None


class Line(NamedTuple):
    """A line of a list: a photo or an identity, and a second identity where the line has one.

    further: other ways to read the line, of which the first one counts that names something of the data. A blank may
    separate columns or be part of a name, and which of the two it is only the data shows.
    """

    name: str
    other: str | None
    further: tuple[Reading, ...] = ()

    @property
    def readings(self) -> tuple[Reading, ...]:
        """All ways to read the line, the likeliest first."""
        return (Reading(self.name, self.other), *self.further)


def read_lists(files: Sequence[Path], *, says: str, classes: Path | None = None) -> list[Line]:
    """The lines of lists, without comments (#).

    says: one of SAYS. For "right" and "wrong" a line has a photo; for "right" perhaps also the identity it belongs to,
    before or after the photo (C-MS-Celeb: label and path; LightCNN: path and class), or the columns of an .lst (mxnet:
    number, label, path; InsightFace: 1, path, label). For "same" a line has two identities, for "stay" and "go" one.
    classes: for lists that give numbers in place of identities: line i of this file is identity i, from 0 on.
    Raises UserError for a file that cannot be read and for a line with other content.
    """
    identities = [line.strip() for line in all_lines(classes)] if classes else []
    return [_line(file, n, text, says, identities) for file in files for n, text in _lines(file, says)]


def _line(file: Path, number: int, text: str, says: str, identities: Sequence[str]) -> Line:
    read = _photos if says in ("right", "wrong") else _pairs if says == "same" else _names
    readings = [reading for reading in dict.fromkeys(read(text)) if reading.name.strip()]
    if not readings:
        raise UserError(
            f"{file} line {number}: expected {LINE_NAMES.get(says, 'a photo (MID/photo), perhaps an identity')}, "
            f"found {' '.join(text.split())[:80]!r}: does --says {says} fit the list?"
        )
    if identities:
        readings = [Reading(_with_identity(r.name, identities), _identity(r.other, identities)) for r in readings]
    return Line(*readings[0], tuple(readings[1:]))


def _photos(text: str) -> Iterator[Reading]:
    """The ways to read a line as a photo, perhaps with an identity."""
    words = columns(text)
    paths = [word for word in words if _is_path(word)]
    if not paths:
        yield from _photos_without_folders(text, words)
        return
    if len(words) >= 3 and len(paths) == 1 and all(NUMBER.fullmatch(w) for w in words if w not in paths):
        place = words.index(paths[0])  # an .lst: the label is the column after the path, or the second one
        label = words[1] if place == len(words) - 1 else words[place + 1]
        yield Reading(paths[0], str(int(float(label))))
        if "\t" not in text and place < len(words) - 1:  # or the photo of somebody whose name begins with a number
            yield from _photos_between_blanks(text, words)
    elif "\t" in text:
        photos = paths if len(paths) == 1 else [word for word in paths if SUFFIX.search(word)]
        if len(words) == 2 and len(photos) == 1:
            yield Reading(photos[0], next((word for word in words if word not in ("", photos[0])), None))
    elif len(words) == 2 and len(paths) == 1 and (washed := WASHED.fullmatch(paths[0])):
        yield Reading(paths[0], next(word for word in words if word != paths[0]))
        yield Reading("/".join(washed.groups()), None)
    else:
        yield from _photos_between_blanks(text, words)


def _photos_without_folders(text: str, words: Sequence[str]) -> Iterator[Reading]:
    """The ways to read a line whose photo has no folder, as in the lists of FaceScrub's noise and of CelebA."""
    if SUFFIX.search(text) and "\t" not in text:
        yield Reading(text, None)
    if len(words) == 2 and SUFFIX.search(words[0]):
        yield Reading(words[0], words[1])


def _photos_between_blanks(text: str, words: Sequence[str]) -> Iterator[Reading]:
    """The ways to read a line without tabs: a photo, a photo and an identity, or an identity and a photo."""
    with_suffix = any(map(SUFFIX.search, words))
    if SUFFIX.search(text) or not with_suffix:
        yield Reading(text, None)
    *rest, last = words
    if rest and not _is_path(last) and not SUFFIX.search(last):
        yield Reading(text.removesuffix(last).rstrip(" "), last)
    for n in range(1, len(words)):
        identity, photo = " ".join(words[:n]), " ".join(words[n:])
        fits = _is_path(photo) and (not with_suffix or SUFFIX.search(photo))
        if fits and (n == 1 or photo.startswith(f"{identity}/")):
            yield Reading(photo, identity)


def _pairs(text: str) -> Iterator[Reading]:
    """The ways to read a line as two identities."""
    words = columns(text)
    if "\t" in text or len(words) <= 2:
        yield from [Reading(*words)] if len(words) == 2 and all(words) else []
        return
    for n in range(1, len(words)):
        yield Reading(" ".join(words[:n]), " ".join(words[n:]))


def _names(text: str) -> Iterator[Reading]:
    """The one way to read a line as an identity, which may hold blanks."""
    if "\t" not in text:
        yield Reading(text, None)


def _is_path(word: str) -> bool:
    return "/" in word or "\\" in word


def _with_identity(name: str, identities: Sequence[str]) -> str:
    """A photo's path with the identity in place of its folder's number, or an identity in place of its number."""
    if not _is_path(name):
        return _identity(name, identities) or name
    folder, slash, rest = name.replace("\\", "/").rpartition("/")
    parent, parent_slash, last = folder.rpartition("/")
    return f"{parent}{parent_slash}{_identity(last, identities)}{slash}{rest}"


def _identity(word: str | None, identities: Sequence[str]) -> str | None:
    """The identity of a word, which is the identity itself or its number in the classes file."""
    number = None if word is None else whole_number(word)
    return (identities[number] or word) if number is not None and number < len(identities) else word


def _lines(file: Path, says: str) -> Iterator[tuple[int, str]]:
    """The number and the text of each line of a file that is neither a comment nor empty, of a CSV with tabs between.

    The header of a CSV of photos is left out.
    """
    empty = True
    is_csv = file.suffix.lower() == ".csv"
    rows = ((number, "\t".join(row)) for number, row in csv_rows(file)) if is_csv else lines_of(file)
    for number, line in rows:
        is_header = is_csv and empty and says in ("right", "wrong") and not _is_path(line)
        if not line.startswith("#") and not is_header:
            empty = False
            yield number, line
    if empty:
        raise UserError(f"{file} lists nothing: give a list that has a line for each photo or identity")
