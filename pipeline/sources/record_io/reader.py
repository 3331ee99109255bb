"""InsightFace RecordIO, read without mxnet: train.rec, with .idx, .lst, property and names.txt where they exist.

Two layouts. Classic: record 0 and one record for each identity hold no photo. Record 0 gives the range [first, end) of
the identities' records, and each of these the range of its photos; all of them are skipped. Newer: every record is a
photo. The first label of a photo's header is its identity: the number, or the line of names.txt with that number. Where
all headers hold the same label and the .lst holds others, the labels of the .lst are used.
One idea: the .idx (or, without one, a scan from record to record) gives every offset, and parts are ranges of these. A
file that is cut off, or an .idx that does not fit it, is an error before any photo is read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources.files import FileStamp, existing_path, file_stamp, read_bytes
from pipeline.sources.photo import Photo, PhotoChanged
from pipeline.sources.record_io import codec
from pipeline.sources.record_io.codec import DamagedRecord
from pipeline.sources.record_io.companions import (
    CompanionStamps,
    companion_files,
    identity_names,
    listed_labels,
    listed_titles,
    records_of,
)
from pipeline.sources.record_io.label_warnings import label_warnings, only_listed
from pipeline.sources.survey import Survey

PART_RECORDS = 1 << 14  # 5.8 million photos make 350 parts


class Part(NamedTuple):
    """Some records of a file, in the order of their offsets, and the stamps of the file and of its companion files."""

    root: str
    file: str
    first: int
    end: int
    prefix: str  # of keys: the file's name where a folder holds several files
    rec: FileStamp
    companions: CompanionStamps
    listed: bool  # whether the labels are those of the .lst


def parts(path: str | Path, *, part_records: int = PART_RECORDS) -> list[Part]:
    """Ranges of the records of one .rec file, or of all .rec files in a folder.

    Raises UserError when there is no .rec file, when one is cut off or damaged, and when an .idx points past the end or
    stops before it. Records in between that an .idx leaves out are not read.
    """
    root = existing_path(path)
    files = _files(root)
    ranges: list[Part] = []
    for name in files:
        file = root / name
        rec, companions = file_stamp(file), tuple((c.name, *file_stamp(c)) for c in companion_files(file))
        prefix = f"{file.stem}/" if len(files) > 1 else ""
        records = records_of(str(file), rec, companions)
        identity_names(str(file.parent), companions)
        listed = only_listed(file, rec, companions)
        for first in range(0, len(records.offsets), part_records):
            end = min(first + part_records, len(records.offsets))
            ranges.append(Part(str(root), name, first, end, prefix, rec, companions, listed))
    return ranges


def index(part: Part) -> Iterator[Photo]:
    """The photos of a part; a record that cannot be read gives a photo with a failure.

    A photo's key is its title in the .lst (see companions.py), or its record's number where it has no title. Where the
    labels are those of the .lst, a photo that it does not list has no identity.
    """
    file = Path(part.root, part.file)
    records = records_of(str(file), part.rec, part.companions)
    numbers = records.numbers[part.first : part.end]
    titles = listed_titles(file, part.rec, part.companions, numbers)
    labels = listed_labels(file, part.companions, numbers) if part.listed else {}
    identities = identity_names(str(file.parent), part.companions)
    with open(file, "rb") as stream:
        for row in range(part.first, part.end):
            number, offset = int(records.numbers[row]), int(records.offsets[row])
            key = part.prefix + titles.get(number, str(number))
            try:
                header, has_payload, end = codec.read_head(stream.fileno(), offset, part.rec.size)
            except DamagedRecord as fault:
                yield Photo(key, None, part.file, offset, 0, part.rec.modified, None, f"unreadable: {fault}")
                continue
            if not (records.has_identity_ranges and header.flag == 2 and not has_payload):
                label = labels.get(number, (None, ""))[0] if part.listed else header.labels[0]
                identity = None if label is None else _identity(label, identities)
                yield Photo(key, identity, part.file, offset, end - offset, part.rec.modified)


def survey(path: str | Path) -> Survey:
    """Warnings about labels that fit neither the .lst nor the folders of its titles; no file counts as ignored."""
    root = existing_path(path)
    warnings = []
    for name in _files(root):
        file = root / name
        companions = tuple((c.name, *file_stamp(c)) for c in companion_files(file))
        warnings += label_warnings(file, file_stamp(file), companions)
    return Survey({}, warnings)


def read(path: str | Path, photo: Photo) -> bytes:
    """The bytes of a photo; raises PhotoChanged when its file vanished or was changed since it was indexed."""
    try:
        return codec.unpack(codec.join(read_bytes(path, photo)))[1]
    except DamagedRecord as fault:
        raise PhotoChanged(f"{photo.key} is no record any more: {fault}") from None


def _identity(label: float, identities: tuple[str, ...]) -> str:
    if not label.is_integer():  # neither are nan and infinity
        return str(label)
    return identities[int(label)] if 0 <= label < len(identities) else str(int(label))


def _files(root: Path) -> list[str]:
    if root.is_file():
        return [""]
    try:
        names = sorted(f.name for f in root.iterdir() if f.suffix == ".rec" and not f.name.startswith("."))
    except OSError as error:
        raise UserError(f"the folder {root} cannot be read ({error.strerror}): repair it") from None
    if not names:
        raise UserError(f"{root} holds no .rec file: give a RecordIO file or the folder that holds it")
    return names
