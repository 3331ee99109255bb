"""Published lists as files: the photos or identities that their lines name."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources.text_lists import whole_number

SAYS = ("right", "wrong", "same", "stay", "go")  # what a list says of the things that it names
PHOTO_SUFFIX = re.compile(r"\.(jpe?g|png|webp|bmp)$", re.IGNORECASE)
LINE_NAMES = {"same": "two identities", "stay": "one identity", "go": "one identity"}  # by what a list says


class Line(NamedTuple):
    """A line of a list: the photo or identity that it names first, and a second identity, if it names one."""

    name: str
    other: str | None


def read_lists(files: Sequence[Path], *, says: str, classes: Path | None = None) -> list[Line]:
    """The lines of lists, comments (#) left out; classes: a file whose line i is the identity that lists call i.

    says: "right" and "wrong": lines are photos, and of those that are right perhaps the identity they belong to, before
    or after them (C-MS-Celeb's label and path, LightCNN's path and class); "same": two identities; "stay" and "go":
    one identity. Raises UserError for a file that cannot be read and for a line that names something else.
    """
    identities = [line.strip() for line in _text(classes).splitlines()] if classes else []
    return [_line(file, n, words, says, identities) for file in files for n, words in _lines(file)]


def short_photo_name(name: str) -> str:
    """A photo's name as all lists spell it: the last folder and the file, without the file's suffix."""
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
        f"found {' '.join(words)[:80]!r}: is the list one of --says {says}?"
    )


def _identity(word: str, identities: Sequence[str]) -> str:
    """The identity that a word names, directly or by its number among the classes."""
    number = whole_number(word)
    return (identities[number] or word) if number is not None and number < len(identities) else word


def _lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    empty = True
    for number, line in enumerate(_text(file).splitlines(), start=1):
        words = line.split()
        if words and not line.startswith("#"):
            empty = False
            yield number, words
    if empty:
        raise UserError(f"{file} lists nothing: give a list with a line for each photo or identity")


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the list {file} ({error}): give a text file") from None
