"""Reads published lists of photos or identities: text files with one photo, identity or pair of identities a line."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources.text_lists import whole_number

SAYS = ("right", "wrong", "same", "stay", "go")  # what a list says about its photos or identities: see list_decisions()
PHOTO_SUFFIX = re.compile(r"\.(jpe?g|png|webp|bmp)$", re.IGNORECASE)
LINE_NAMES = {"same": "two identities", "stay": "one identity", "go": "one identity"}  # content of a line, by SAYS


class Line(NamedTuple):
    """A line of a list: a photo or an identity, and a second identity where the line has one."""

    name: str
    other: str | None


def read_lists(files: Sequence[Path], *, says: str, classes: Path | None = None) -> list[Line]:
    """The lines of lists, without comments (#).

    says: one of SAYS. For "right" and "wrong" a line has a photo; for "right" perhaps also the identity it belongs to,
    before or after the photo (C-MS-Celeb: label and path; LightCNN: path and class). For "same" a line has two
    identities, for "stay" and "go" one.
    classes: for lists that give numbers in place of identities: line i of this file is identity i, from 0 on.
    Raises UserError for a file that cannot be read and for a line with other content.
    """
    identities = [line.strip() for line in _text(classes).splitlines()] if classes else []
    return [_line(file, n, words, says, identities) for file in files for n, words in _lines(file)]


def short_photo_name(name: str) -> str:
    """A photo's name as all lists spell it: its folder and its file name without the suffix, like m.01/3-FaceId-0."""
    return PHOTO_SUFFIX.sub("", "/".join(name.replace("\\", "/").rsplit("/", 2)[-2:]))


def _line(file: Path, number: int, words: list[str], says: str, identities: Sequence[str]) -> Line:
    photos = [w for w in words if "/" in w]
    if says in ("right", "wrong") and len(photos) == 1 and len(words) <= 2:
        other = next((_identity(w, identities) for w in words if w not in photos), None)
        folder, slash, rest = photos[0].rpartition("/")
        parent, parent_slash, last = folder.rpartition("/")
        return Line(f"{parent}{parent_slash}{_identity(last, identities)}{slash}{rest}", other)
    if says == "same" and len(words) == 2:
        return Line(_identity(words[0], identities), _identity(words[1], identities))
    if says in ("stay", "go") and len(words) == 1:
        return Line(_identity(words[0], identities), None)
    raise UserError(
        f"{file} line {number}: expected {LINE_NAMES.get(says, 'a photo (MID/photo), perhaps an identity')}, "
        f"found {' '.join(words)[:80]!r}: does --says {says} fit the list?"
    )


def _identity(word: str, identities: Sequence[str]) -> str:
    """The identity of a word, which is the identity itself or its number in the classes file."""
    number = whole_number(word)
    return (identities[number] or word) if number is not None and number < len(identities) else word


def _lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    """The number and the words of each line of a file that is neither a comment nor empty."""
    empty = True
    for number, line in enumerate(_text(file).splitlines(), start=1):
        words = line.split()
        if words and not line.startswith("#"):
            empty = False
            yield number, words
    if empty:
        raise UserError(f"{file} lists nothing: give a list that has a line for each photo or identity")


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the list {file} ({error}): give a text file") from None
