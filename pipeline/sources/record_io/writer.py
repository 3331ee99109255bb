"""InsightFace RecordIO, written without mxnet: train.rec, train.idx, train.lst and property, in both layouts.

A further file, train.crc32, holds a checksum of each record.

One idea: samples stream through; files are written under temporary names and renamed when all are complete.
"""

import errno
import os
import re
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from pipeline.errors import UserError
from pipeline.sources.record_io.checksums import entry
from pipeline.sources.record_io.codec import Header, frame, pack

Layout = Literal["identity_ranges", "plain"]
MAX_LABEL = 1 << 24  # labels are float32: whole numbers up to here are exact
NAMES = ("train.rec", "train.crc32", "train.lst", "property", "names.txt", "train.idx")  # renamed in this order


class Sample(NamedTuple):
    """A photo to train on: its label, the bytes of its JPEG, and its key for the .lst."""

    label: int
    jpeg: bytes
    key: str


class _Files(NamedTuple):
    rec: BinaryIO
    idx: BinaryIO
    lst: BinaryIO
    crc32: BinaryIO


def write_record_io(
    out: str | Path,
    samples: Iterable[Sample | tuple[int, bytes, str]],
    *,
    layout: Layout = "identity_ranges",
    size: tuple[int, int] = (112, 112),
    names: Iterable[str] | None = None,
) -> int:
    """Write samples, grouped by label 0, 1, 2..., into a folder; returns the number of samples.

    size: height and width in pixels, for `property`. names: the identity of each label, for names.txt. The layout plain
    takes labels in any order. Raises ValueError for labels out of order, UserError when the disk is full, the folder
    cannot be written or the layout cannot hold all samples; no incomplete file is left behind.
    """
    folder = Path(out)
    with _temporary_files(folder) as temporary, ExitStack() as stack:
        files = _Files(*(stack.enter_context(open(temporary[f"train.{s}"], "wb")) for s in _Files._fields))
        count, classes = (_write_identity_ranges if layout == "identity_ranges" else _write_plain)(files, samples)
        for stream in files:
            stream.flush()
            os.fsync(stream.fileno())
        temporary["property"].write_text(f"{classes},{size[0]},{size[1]}\n")
        if names is not None:
            temporary["names.txt"].write_text("".join(f"{_one_line(name)}\n" for name in names), "utf-8")
    return count


def _write_plain(files: _Files, samples: Iterable[Sample | tuple[int, bytes, str]]) -> tuple[int, int]:
    """Write photos from record 0 on; returns the number of photos and of labels."""
    count = classes = 0
    for label, jpeg, key in samples:
        _write_record(files, count, (_exact_label(label),), jpeg)
        files.lst.write(_lst_line(count, label, key))
        count, classes = count + 1, max(classes, label + 1)
    return count, classes


def _write_identity_ranges(files: _Files, samples: Iterable[Sample | tuple[int, bytes, str]]) -> tuple[int, int]:
    """Write photos from record 1 on, then each identity's range of photos, then record 0: the range of these records.

    Returns the number of photos and of labels.
    """
    begins: list[int] = []
    number = 1
    for label, jpeg, key in samples:
        if label == len(begins):
            begins.append(number)
        elif label != len(begins) - 1:
            raise ValueError(f"label {label} after {len(begins) - 1}: identity ranges need photos grouped by label")
        _write_record(files, number, (label,), jpeg)
        files.lst.write(_lst_line(number, label, key))
        number += 1
    _exact_label(number + len(begins))
    for label, (begin, end) in enumerate(zip(begins, [*begins[1:], number], strict=False)):
        _write_record(files, number + label, (begin, end), b"")
    _write_record(files, 0, (number, number + len(begins)), b"")
    return number - 1, len(begins)


def _write_record(files: _Files, number: int, labels: tuple[float, ...], payload: bytes) -> None:
    start = files.rec.tell()
    files.idx.write(f"{number}\t{start}\n".encode())
    record = frame(pack(Header(labels, number, flag=0 if len(labels) == 1 else len(labels)), payload))
    files.crc32.write(entry(start, record))
    files.rec.write(record)


def _exact_label(value: int) -> int:
    """The value itself; UserError when a float32 label cannot hold it exactly."""
    if value > MAX_LABEL:
        raise UserError(f"{value} does not fit a float32 label exactly: above {MAX_LABEL} records use the layout plain")
    return value


def _lst_line(number: int, label: int, key: str) -> bytes:
    return f"{number}\t{label}\t{_one_line(key)}\n".encode()


def _one_line(text: str) -> str:
    """A name on one line and in one column: control characters become %NN."""
    return re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]", lambda m: "".join(f"%{b:02X}" for b in m[0].encode()), text)


@contextmanager
def _temporary_files(folder: Path) -> Iterator[dict[str, Path]]:
    """A temporary path for each of NAMES; the files are renamed when the block succeeds and removed when it fails."""
    run = uuid.uuid4().hex
    temporary = {name: folder / f".{name}.{run}.tmp" for name in NAMES}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield temporary
        for name in NAMES:
            if temporary[name].exists():
                temporary[name].replace(folder / name)
            else:
                (folder / name).unlink(missing_ok=True)  # of an earlier export
    except OSError as error:
        reason = "no room left on the disk" if error.errno == errno.ENOSPC else (error.strerror or str(error))
        raise UserError(f"cannot write RecordIO to {folder}: {reason}: give another folder or make room") from error
    finally:
        for path in temporary.values():
            with suppress(OSError):
                path.unlink()
