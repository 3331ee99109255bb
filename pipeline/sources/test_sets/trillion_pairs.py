"""Trillion-Pairs' test set as DeepGlint distributed it: testdata_lmk.txt, and the photos that it names.

A line is a photo's path below the list's folder, and x and y of five landmarks in its pixels (left eye, right eye,
nose, corners of the mouth). The persons in the photos were never published: participants submitted a file of embeddings
in the order of the list. The list is large, so only one shard of it is in memory at a time.
"""

import codecs
from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.schema import ID_BYTES
from pipeline.sources.files import file_stamp_or_missing
from pipeline.sources.test_sets.landmarks import MAX_COORDINATE, PHOTOS_PER_SHARD, LandmarkedPhoto

LIST = "testdata_lmk.txt"
MAX_LINE = 4096  # bytes, longer than any path and ten numbers


class Part(NamedTuple):
    """Some lines of the list: their offset and length in bytes, and a digest of them and of their photos' stamps."""

    offset: int
    length: int
    digest: str


def is_trillion_pairs(path: str | Path) -> bool:
    """Whether a path is the list of Trillion-Pairs, or a folder that holds it."""
    path = Path(path)
    return (path.name == LIST and path.is_file()) or (path / LIST).is_file()


def folder(path: str | Path) -> Path:
    """The folder that holds the list and, below it, the photos."""
    path = Path(path).absolute()
    return path.parent if path.name == LIST and path.is_file() else path


def parts(path: str | Path) -> list[Part]:
    """The list cut into shards. Raises UserError for a list that cannot be read, or a line of another form."""
    root = folder(path)
    try:
        with open(root / LIST, "rb") as stream:
            return list(_parts(root, iter(lambda: stream.readline(MAX_LINE), b"")))
    except OSError as error:
        raise UserError(
            f"cannot read {root / LIST} ({error.strerror or error}): repair it, or fetch it again"
        ) from None


def read_part(folder: str | Path, part: Part) -> list[LandmarkedPhoto]:
    """The photos of some lines of the list, without the stamps of their files (the part's digest covers those)."""
    with open(Path(folder, LIST), "rb") as stream:
        stream.seek(part.offset)
        lines = stream.read(part.length).split(b"\n")  # split as readline does: a carriage return ends no line
    return [photo for line in lines if (photo := _photo(line)) is not None]


def _parts(root: Path, lines: Iterator[bytes]) -> Iterator[Part]:
    offset = number = 0
    while shard := list(islice(lines, PHOTOS_PER_SHARD)):
        hasher = blake2b(digest_size=ID_BYTES)
        for line in shard:
            number += 1
            try:
                photo = _photo(line)
            except ValueError:
                raise UserError(
                    f"{root / LIST} line {number}: expected a photo and ten numbers, found "
                    f"{line.strip()[:60].decode('utf-8', 'replace')!r}"
                ) from None
            if photo:
                hasher.update(line + repr(tuple(file_stamp_or_missing(root / photo.path))).encode())
        length = sum(map(len, shard))
        yield Part(offset, length, hasher.hexdigest())
        offset += length
    if not offset:
        raise UserError(f"{root / LIST} is empty: fetch it again")


def _photo(line: bytes) -> LandmarkedPhoto | None:
    """A photo and its landmarks; None for an empty line. Raises ValueError for a malformed line."""
    words = line.removeprefix(codecs.BOM_UTF8).decode("utf-8").split()
    if not words:
        return None
    landmarks = [float(word) for word in words[1:]]
    if len(landmarks) != 10 or not all(abs(value) < MAX_COORDINATE for value in landmarks):
        raise ValueError(len(landmarks))
    return LandmarkedPhoto(words[0], 0, 0, landmarks)
