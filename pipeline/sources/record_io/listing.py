"""What stands beside a .rec file: its .idx, .lst, property and names.txt, as arrays that all parts of it share.

One idea: a number and an offset a record, 16 bytes, so that the largest published files stay small; titles stay in the
.lst and are read where they lie.
"""

import re
from array import array
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.sources import Stamp
from pipeline.sources.record_io import codec
from pipeline.sources.record_io.codec import Damaged

Int = NDArray[np.int64]
NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")  # as a record without a line of its own is called
Others = tuple[tuple[str, int, int], ...]  # name, size and modification time of each file beside a .rec


class Records(NamedTuple):
    """Where the records of a file begin and which number each has, sorted by offset; ranges: the classic layout."""

    offsets: Int
    numbers: Int
    ranges: bool


class Names(NamedTuple):
    """The lines of a .lst: a record's number -> where its line begins; whether their last column tells them apart, and
    which numbers it consists of."""

    numbers: Int
    starts: Int
    distinct: bool
    called: Int


def companions(file: Path) -> list[Path]:
    """The files beside a .rec that say what its records are."""
    beside = [file.with_suffix(".idx"), file.with_suffix(".lst"), file.parent / "names.txt", file.parent / "property"]
    return [b for b in beside if b.is_file()]


def _beside(others: Others, file: Path, suffix: str) -> Path | None:
    beside = file.with_suffix(suffix)
    return beside if beside.name in {name for name, *_ in others} else None


@lru_cache(maxsize=2)  # 16 bytes a record; every part of a file asks again
def records_of(rec: str, about: Stamp, others: Others) -> Records:
    """Every record of a .rec file, by its .idx or walked through; UserError when either is damaged or they disagree."""
    file = Path(rec)
    idx = _beside(others, file, ".idx")
    with open(file, "rb") as stream:
        try:
            if idx is None:
                numbers, offsets = _walked(stream.fileno(), about.size)
            else:
                numbers, offsets = _indexed(idx, about.size)
                _fits(idx, file, codec.extent(stream.fileno(), int(offsets[-1]), about.size), about.size)
            zero = offsets[numbers == 0]
            first = codec.glance(stream.fileno(), int(zero[0]), about.size) if len(zero) else None
        except Damaged as fault:
            raise UserError(f"{file} is damaged or cut off: {fault}: fetch or write it again") from None
    return Records(offsets, numbers, first is not None and first.header.flag == 2 and not first.filled)


def _walked(stream: int, size: int) -> tuple[Int, Int]:
    """Numbers and offsets without an .idx: the ids in the headers when they differ, else the order in the file."""
    offsets = np.fromiter((offset for offset, _ in codec.scan(stream, size)), np.int64)
    if not len(offsets):
        raise Damaged("it holds no record")
    ids = np.array([codec.glance(stream, int(o), size).header.id % 2**63 for o in offsets], np.int64)
    return (ids if len(np.unique(ids)) == len(ids) else np.arange(len(ids))), offsets


def _indexed(idx: Path, size: int) -> tuple[Int, Int]:
    keys, offsets = array("q"), array("q")
    with open(idx, "rb") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                key, offset = (int(word) for word in line.split(b"\t"))
                keys.append(key)
                offsets.append(offset)
            except (ValueError, OverflowError):
                raise UserError(
                    f"{idx} line {number}: expected a number, a tab and an offset, "
                    f"found {line[:40]!r}: mend it or remove the .idx"
                ) from None
            if not 0 <= offset < size:
                raise UserError(
                    f"{idx} line {number}: offset {offset} is past the end of the .rec ({size} bytes): "
                    "fetch both again, or remove the .idx"
                )
    if not keys:
        raise UserError(f"{idx} is empty: remove it, and the .rec is walked through instead")
    if any(len(np.unique(np.frombuffer(a, np.int64))) < len(a) for a in (keys, offsets)):
        raise UserError(f"{idx} names a record or an offset twice: remove it, and the .rec is walked through instead")
    order = np.argsort(np.frombuffer(offsets, np.int64))
    return np.frombuffer(keys, np.int64)[order], np.frombuffer(offsets, np.int64)[order]


def _fits(idx: Path, file: Path, end: int, size: int) -> None:
    if end < size:
        raise UserError(
            f"{idx} names nothing after byte {end} of {file.name}, which has {size}: "
            "fetch both again, or remove the .idx"
        )


def titles_of(file: Path, rec: Stamp, others: Others, numbers: Int) -> dict[int, str]:
    """What the .lst calls the records of these numbers; nothing for a .lst that is not mxnet's."""
    lst = _beside(others, file, ".lst")
    if lst is None:
        return {}
    names = _names(str(lst), others)
    where = np.searchsorted(names.numbers, numbers)
    where[where == len(names.numbers)] = 0
    titles: dict[int, str] = {}
    distinct = names.distinct and not _taken(str(file), rec, str(lst), others)
    with open(lst, "rb") as stream:
        for number, row in zip(numbers.tolist(), where.tolist(), strict=True):
            if len(names.numbers) and names.numbers[row] == number:
                stream.seek(int(names.starts[row]))
                title = _title(_columns(stream.readline()))
                titles[number] = title if distinct else f"{title}#{number}"
    return titles


@lru_cache(maxsize=2)
def _taken(file: str, rec: Stamp, lst: str, others: Others) -> bool:
    """Whether a record has for its title the number of one that is not listed, which is called by it."""
    names = _names(lst, others)
    return bool(np.isin(np.setdiff1d(records_of(file, rec, others).numbers, names.numbers), names.called).any())


@lru_cache(maxsize=2)
def _names(lst: str, others: Others) -> Names:  # noqa: ARG001  stamps, for the cache alone
    """Where each line of a .lst begins, if its lines are mxnet's: number, labels, path."""
    numbers, starts, hashes, called, place = [], [], [], [], 0
    with open(lst, "rb") as stream:
        for line in stream:
            columns = _columns(line)
            if len(columns) < 3 or not _is_id(columns[0]) or not _is_number(columns[1]):
                none = np.empty(0, np.int64)
                return Names(none, none, distinct=True, called=none)
            numbers.append(int(columns[0]))
            starts.append(place)
            title = _title(columns)
            hashes.append(hash(title))
            called += [int(title)] if NUMBER.fullmatch(title) else []
            place += len(line)
    order = np.argsort(np.array(numbers, np.int64), kind="stable")
    distinct = len(np.unique(np.array(hashes, np.int64))) == len(hashes)
    listed, lines = (np.array(column, np.int64)[order] for column in (numbers, starts))
    return Names(listed, lines, distinct, np.array(called, np.int64))


def _columns(line: bytes) -> list[bytes]:
    return line.strip().split(b"\t")


def _title(columns: list[bytes]) -> str:
    return columns[-1].decode("utf-8", "replace")


def _is_id(text: bytes) -> bool:
    return text.isdigit() and len(text) < 19  # what an int64 holds


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=2)
def identity_names(folder: str, others: Others) -> tuple[str, ...]:
    """The lines of names.txt, label by label; UserError unless they are as many as `property` says and all differ."""
    beside = {name for name, *_ in others}
    if "names.txt" not in beside:
        return ()
    names = tuple(Path(folder, "names.txt").read_text("utf-8", "replace").splitlines())
    classes = Path(folder, "property").read_text("utf-8", "replace").split(",")[0] if "property" in beside else ""
    if len(set(names)) < len(names) or classes.strip() not in ("", str(len(names))):
        of = repr(classes[:20]) if classes.strip() else len(names)
        raise UserError(
            f"{folder}/names.txt holds {len(set(names))} different names for {of} identities: mend it or remove it"
        )
    return names
