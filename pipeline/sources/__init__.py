"""How others lay out their photos: a source is a module with `parts(path)`, `index(part)` and `read(path, photo)`.

One idea: a source is indexed first, names and where each photo's bytes lie, and a photo's bytes are read once, later,
from where they are. A part carries the sizes and modification times it was made from, so a changed source gives
changed parts; a photo that vanished or changed since it was indexed raises Changed when it is read.
"""

import os
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from pipeline.errors import UserError

Box = tuple[float, float, float, float]
SOURCES = {  # the names on the command line, and the modules that read them
    "image-folder": "formats.image_folder",
    "ms-celeb": "formats.ms_celeb",
    "record-io": "record_io.reader",
    "megaface": "formats.megaface",
}
TEST_SET = {"benchmark": "test_sets.photo_sets"}  # the name is part of every table address of a test set


class Photo(NamedTuple):
    """A picture someone says shows someone, and where its bytes lie.

    Convention: box is x1, y1, x2, y2 with the origin top left; relative to the photo's width and height when all four
    are at most 1, in pixels otherwise. A photo with a failure has no bytes that can be read.
    """

    key: str
    identity: str | None
    file: str  # relative to the source's path; "" is the path itself
    offset: int = 0
    length: int = 0
    modified: int = 0  # of the file when it was indexed, nanoseconds
    box: Box | None = None
    failure: str | None = None


class Changed(Exception):  # noqa: N818  a fact about the photo, told in its row, more than an error of the program
    """A photo's bytes are no longer what was indexed; the message says how."""


class Stamp(NamedTuple):
    """What tells a file from its successor under the same name."""

    size: int
    modified: int


def source(kind: str) -> ModuleType:
    """The module of a source by its name on the command line, or of test sets: "benchmark".

    Raises UserError for any other name.
    """
    modules = SOURCES | TEST_SET
    if kind not in modules:
        raise UserError(f"no source is called {kind}: give one of {', '.join(SOURCES)}")
    return import_module(f"pipeline.sources.{modules[kind]}")


def existing(path: str | Path) -> Path:
    """The absolute path of a source; UserError where there is none."""
    found = Path(path).absolute()
    try:
        found.stat()
    except OSError as error:
        raise UserError(f"{path} is not there ({error.strerror}): give the path of an existing source") from None
    return found


def is_folder(path: Path) -> bool:
    """Whether a folder is there: none is under a name that a list gives and that is too long for any file."""
    return os.path.isdir(path)  # noqa: PTH112  Path.is_dir raises for such names


def is_file(path: Path) -> bool:
    """Whether a file is there, in the same way."""
    return os.path.isfile(path)  # noqa: PTH113


def number(word: str) -> int | None:
    """A whole number as lists write it, in at most nine digits; None for any other word."""
    return int(word) if word.isascii() and word.isdigit() and len(word) < 10 else None


def stamp(path: Path) -> Stamp:
    """Size in bytes and modification time of a file; UserError when it cannot be read."""
    try:
        with open(path, "rb") as stream:
            found = os.fstat(stream.fileno())
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): mend it or leave it out") from None
    return Stamp(found.st_size, found.st_mtime_ns)


def read_bytes(path: str | Path, photo: Photo, *, whole: bool = False) -> bytes:
    """The bytes that a photo's file, offset and length name; whole: they are all of the file.

    Raises Changed when the file vanished, cannot be read, or is not the one that was indexed.
    """
    file = Path(path, photo.file) if photo.file else Path(path)
    try:
        with open(file, "rb", buffering=0) as stream:
            found = os.fstat(stream.fileno())
            if found.st_mtime_ns != photo.modified or (whole and found.st_size != photo.length):
                raise Changed(f"{file.name} changed since it was indexed")
            data = os.pread(stream.fileno(), photo.length, photo.offset)
    except FileNotFoundError:
        raise Changed(f"{file.name} vanished since it was indexed") from None
    except OSError as error:
        raise Changed(f"{file.name} cannot be read: {error.strerror}") from None
    if len(data) != photo.length:
        raise Changed(f"{file.name} ends at byte {found.st_size}, before the photo does")
    return data


def distinct(photos: Iterable[Photo]) -> Iterator[Photo]:
    """The photos with their keys made unique: the first of a name keeps it, a later one adds where its bytes lie.

    Holds the keys it has seen, so give it no more than a part of a source or a shard of identities at a time.
    """
    seen: set[str] = set()
    for photo in photos:
        if photo.key in seen:
            photo = photo._replace(key=f"{photo.key}@{photo.file}:{photo.offset}")
        seen.add(photo.key)
        yield photo
