"""The files beside a .rec: .idx (offsets), .lst (a title for each record), property (counts), names.txt (identities).

A title is the last column of a line of the .lst, mostly a photo's path. One idea: in memory a record is a number and an
offset, 16 bytes, so that the largest published files fit; titles are read from the .lst when they are needed. All parts
of a file share these arrays.
"""

import codecs
import re
from array import array
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.sources.files import FileStamp
from pipeline.sources.record_io import codec
from pipeline.sources.record_io.codec import DamagedRecord
from pipeline.sources.text_lists import all_lines

Int64 = NDArray[np.int64]
NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")  # titles that could be a record's number, as str() writes it
CompanionStamps = tuple[tuple[str, int, int], ...]  # name, size and modification time of each file beside a .rec


class Records(NamedTuple):
    """The offset and the number of every record of a file, sorted by offset.

    has_identity_ranges: the file has the classic layout (see reader.py).
    """

    offsets: Int64
    numbers: Int64
    has_identity_ranges: bool


class TitleLines(NamedTuple):
    """The lines of a .lst, sorted by record number."""

    numbers: Int64  # [n] of the records
    starts: Int64  # [n] bytes where the lines begin
    distinct: bool  # whether no two titles are equal
    numeric_titles: Int64  # the titles that are numbers


def companion_files(file: Path) -> list[Path]:
    """The existing files beside a .rec that describe its records."""
    names = [file.with_suffix(".idx"), file.with_suffix(".lst"), file.parent / "names.txt", file.parent / "property"]
    return [path for path in names if path.is_file()]


def _companion(stamps: CompanionStamps, file: Path, suffix: str) -> Path | None:
    path = file.with_suffix(suffix)
    return path if path.name in {name for name, *_ in stamps} else None


@lru_cache(maxsize=2)  # 16 bytes per record; every part of a file needs them
def records_of(rec: str, stamp: FileStamp, stamps: CompanionStamps) -> Records:
    """All records of a .rec file, from its .idx or by a scan; UserError when one is damaged or the two do not fit."""
    file = Path(rec)
    idx = _companion(stamps, file, ".idx")
    with open(file, "rb") as stream:
        try:
            if idx is None:
                numbers, offsets = _scanned(stream.fileno(), stamp.size)
            else:
                numbers, offsets = _indexed(idx, stamp.size)
                _check_end(idx, file, codec.record_end(stream.fileno(), int(offsets[-1]), stamp.size), stamp.size)
            number_0 = offsets[numbers == 0]
            head = codec.read_head(stream.fileno(), int(number_0[0]), stamp.size) if len(number_0) else None
        except DamagedRecord as fault:
            raise UserError(f"{file} is damaged or cut off: {fault}: fetch or write it again") from None
    return Records(
        offsets, numbers, has_identity_ranges=head is not None and head.header.flag == 2 and not head.has_payload
    )


def _scanned(stream: int, size: int) -> tuple[Int64, Int64]:
    """Numbers and offsets without an .idx: the ids in the headers when all differ, else 0, 1, ... in file order."""
    offsets = np.fromiter((offset for offset, _ in codec.scan(stream, size)), np.int64)
    if not len(offsets):
        raise DamagedRecord("it holds no record")
    ids = np.array([codec.read_head(stream, int(o), size).header.id % 2**63 for o in offsets], np.int64)
    return (ids if len(np.unique(ids)) == len(ids) else np.arange(len(ids))), offsets


def _indexed(idx: Path, size: int) -> tuple[Int64, Int64]:
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
                    f"found {line[:40]!r}: repair it or remove the .idx"
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


def _check_end(idx: Path, file: Path, end: int, size: int) -> None:
    if end < size:
        raise UserError(
            f"{idx} lists no record after byte {end} of {file.name}, which has {size} bytes: "
            "fetch both again, or remove the .idx"
        )


def listed_titles(file: Path, rec: FileStamp, stamps: CompanionStamps, numbers: Int64) -> dict[int, str]:
    """The titles of records in the .lst, by the records' numbers; "#number" is added unless all titles differ.

    Empty without a .lst of mxnet's form.
    """
    lst = _companion(stamps, file, ".lst")
    if lst is None:
        return {}
    distinct = _title_lines(str(lst), stamps).distinct
    distinct = distinct and not _titles_clash_with_numbers(str(file), rec, str(lst), stamps)
    titles = {number: _title(columns) for number, columns in _lines_of(lst, stamps, numbers)}
    return titles if distinct else {number: f"{title}#{number}" for number, title in titles.items()}


def listed_labels(file: Path, stamps: CompanionStamps, numbers: Int64) -> dict[int, tuple[float, str]]:
    """The first label and the title of records in the .lst, by the records' numbers; empty without a .lst."""
    lst = _companion(stamps, file, ".lst")
    lines = _lines_of(lst, stamps, numbers) if lst else ()
    return {number: (float(columns[1]), _title(columns)) for number, columns in lines}


def _lines_of(lst: Path, stamps: CompanionStamps, numbers: Int64) -> Iterator[tuple[int, list[bytes]]]:
    """The number and the columns of those records that the .lst lists."""
    lines = _title_lines(str(lst), stamps)
    rows = np.searchsorted(lines.numbers, numbers)
    rows[rows == len(lines.numbers)] = 0
    with open(lst, "rb") as stream:
        for number, row in zip(numbers.tolist(), rows.tolist(), strict=True):
            if len(lines.numbers) and lines.numbers[row] == number:
                stream.seek(int(lines.starts[row]))
                yield number, _columns(stream.readline())


@lru_cache(maxsize=2)
def _titles_clash_with_numbers(file: str, rec: FileStamp, lst: str, stamps: CompanionStamps) -> bool:
    """Whether a title equals the number of a record without a title; such a record's key is its number."""
    lines = _title_lines(lst, stamps)
    untitled = np.setdiff1d(records_of(file, rec, stamps).numbers, lines.numbers)
    return bool(np.isin(untitled, lines.numeric_titles).any())


@lru_cache(maxsize=2)
def _title_lines(lst: str, stamps: CompanionStamps) -> TitleLines:  # noqa: ARG001  stamps: for the cache alone
    """The lines of a .lst; none unless all have mxnet's form: number, labels, title."""
    numbers, starts, hashes, numeric_titles, place = [], [], [], [], 0
    with open(lst, "rb") as stream:
        for line in stream:
            columns = _columns(line)
            if len(columns) < 3 or not _is_id(columns[0]) or not _is_number(columns[1]):
                none = np.empty(0, np.int64)
                return TitleLines(none, none, distinct=True, numeric_titles=none)
            numbers.append(int(columns[0]))
            starts.append(place)
            title = _title(columns)
            hashes.append(hash(title))
            numeric_titles += [int(title)] if NUMBER.fullmatch(title) else []
            place += len(line)
    order = np.argsort(np.array(numbers, np.int64), kind="stable")
    distinct = len(np.unique(np.array(hashes, np.int64))) == len(hashes)
    sorted_numbers, sorted_starts = (np.array(column, np.int64)[order] for column in (numbers, starts))
    return TitleLines(sorted_numbers, sorted_starts, distinct, np.array(numeric_titles, np.int64))


def _columns(line: bytes) -> list[bytes]:
    return line.removeprefix(codecs.BOM_UTF8).strip().split(b"\t")


def _title(columns: list[bytes]) -> str:
    return columns[-1].decode("utf-8", "replace")


def _is_id(text: bytes) -> bool:
    return text.isdigit() and len(text) < 19  # fits an int64


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=2)
def identity_names(folder: str, stamps: CompanionStamps) -> tuple[str, ...]:
    """The identity of each label, from names.txt; empty without that file.

    Raises UserError unless all differ and their number is the one that `property` gives.
    """
    present = {name for name, *_ in stamps}
    if "names.txt" not in present:
        return ()
    names = tuple(all_lines(Path(folder, "names.txt")))
    classes = Path(folder, "property").read_text("utf-8", "replace").split(",")[0] if "property" in present else ""
    if len(set(names)) < len(names) or classes.strip() not in ("", str(len(names))):
        of = repr(classes[:20]) if classes.strip() else len(names)
        raise UserError(
            f"{folder}/names.txt holds {len(set(names))} different names for {of} identities: repair it or remove it"
        )
    return names
