"""Trillion-Pairs' test set as DeepGlint distributed it: testdata_lmk.txt, and the photos that it names.

A line is a photo's path below the list's folder, and x and y of five points in its pixels (left eye, right eye, nose,
corners of the mouth). Whom the photos show was never published: vectors are handed in, all in one file in the order of
the list. The points are given, so no detector looks at these photos; of the list no more than a shard is in memory.
"""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.errors import UserError
from pipeline.schema import ID_BYTES
from pipeline.sources.test_sets import ijb

LIST = "testdata_lmk.txt"
PHOTOS_A_SHARD = 2048
LINE = 4096  # bytes, longer than any path and ten numbers


class Part(NamedTuple):
    """Some lines of the list: where they begin, how many bytes they take, and a digest of them and of their photos."""

    offset: int
    length: int
    digest: str


def recognise(path: str | Path) -> bool:
    """Whether a path is such a list, or a folder that holds one."""
    given = Path(path)
    return (given.name == LIST and given.is_file()) or (given / LIST).is_file()


def folder(path: str | Path) -> Path:
    """Where the list lies, and the photos below."""
    given = Path(path).absolute()
    return given.parent if given.name == LIST and given.is_file() else given


def parts(path: str | Path) -> list[Part]:
    """What is cut shard by shard. Raises UserError for a list that cannot be read, or a line that is none of it."""
    root = folder(path)
    try:
        with open(root / LIST, "rb") as stream:
            return list(_parts(root, iter(lambda: stream.readline(LINE), b"")))
    except OSError as error:
        raise UserError(f"cannot read {root / LIST} ({error.strerror or error}): mend it, or fetch it again") from None


def cut_shard(part: Part, *, folder: str) -> pa.Table:
    """The faces of some lines, cut by their points; what cannot be cut keeps its row with the reason."""
    offset, length, _ = part
    with open(Path(folder, LIST), "rb") as stream:
        stream.seek(offset)
        lines = stream.read(length).split(b"\n")  # as they were counted: a carriage return ends none
    return ijb.cut_shard([[p, 0, 0, points] for p, points in filter(None, map(_photo, lines))], folder=folder)


def _parts(root: Path, lines: Iterator[bytes]) -> Iterator[Part]:
    offset = number = 0
    while some := list(islice(lines, PHOTOS_A_SHARD)):
        hasher = blake2b(digest_size=ID_BYTES)
        for line in some:
            number += 1
            try:
                found = _photo(line)
            except ValueError:
                raise UserError(
                    f"{root / LIST} line {number}: expected a photo and ten numbers, found "
                    f"{line.strip()[:60].decode('utf-8', 'replace')!r}"
                ) from None
            if found:
                hasher.update(line + repr(ijb.stamp(root / found[0])).encode())
        length = sum(map(len, some))
        yield Part(offset, length, hasher.hexdigest())
        offset += length
    if not offset:
        raise UserError(f"{root / LIST} is empty: fetch it again")


def _photo(line: bytes) -> tuple[str, list[float]] | None:
    """A photo and its points [10]; None for an empty line. Raises ValueError for any other."""
    words: list[Any] = line.decode("utf-8").split()
    if not words:
        return None
    points = [float(w) for w in words[1:]]
    if len(points) != 10 or not all(abs(p) < ijb.FURTHEST for p in points):
        raise ValueError(len(points))
    return words[0], points
