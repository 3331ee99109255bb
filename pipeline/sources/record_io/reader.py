"""InsightFace RecordIO, read without mxnet: train.rec, with .idx, .lst, property and names.txt where they are there.

Two layouts. Classic: record 0 holds the labels [first, end) of the records that in turn hold each identity's range of
photos; these hold no photo and are passed over. Newer: every record is a photo. The first label of a photo's header is
its identity: the number, or that line of names.txt.
One idea: the .idx (or, without one, a walk from record to record) gives every offset; parts are ranges of those, and a
file that is cut off or an .idx that does not fit is told before anything is read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources import Changed, Photo, Stamp, existing, read_bytes, stamp
from pipeline.sources.record_io import codec
from pipeline.sources.record_io.codec import Damaged, Header
from pipeline.sources.record_io.listing import Others, companions, identity_names, records_of, titles_of

PART_RECORDS = 1 << 14  # 5.8 million photos make 350 parts


class Part(NamedTuple):
    """Some records of a file, in the order of their offsets, and the stamps of all files that say what they are."""

    root: str
    file: str
    first: int
    end: int
    prefix: str  # of keys: what tells the files of a folder apart
    rec: Stamp
    others: Others


def parts(path: str | Path, *, part_records: int = PART_RECORDS) -> list[Part]:
    """Ranges of the records of one .rec file, or of all in a folder.

    Raises UserError when there is none, when one is cut off or damaged, and when an .idx points past the end or stops
    before it. An .idx that leaves out records in between is taken at its word.
    """
    root = existing(path)
    files = _files(root)
    found: list[Part] = []
    for name in files:
        file = root / name
        rec, others = stamp(file), tuple((o.name, *stamp(o)) for o in companions(file))
        prefix = f"{file.stem}/" if len(files) > 1 else ""
        records = records_of(str(file), rec, others)
        identity_names(str(file.parent), others)
        for first in range(0, len(records.offsets), part_records):
            end = min(first + part_records, len(records.offsets))
            found.append(Part(str(root), name, first, end, prefix, rec, others))
    return found


def index(part: Part) -> Iterator[Photo]:
    """A photo for each record of a part that is one; a record that cannot be read gives a failure.

    A key is the record's number, or its name in the .lst; where names come twice there, or one is another's number, all
    have their number added.
    """
    file = Path(part.root, part.file)
    records = records_of(str(file), part.rec, part.others)
    titles = titles_of(file, part.rec, part.others, records.numbers[part.first : part.end])
    who = identity_names(str(file.parent), part.others)
    with open(file, "rb") as stream:
        for row in range(part.first, part.end):
            number, offset = int(records.numbers[row]), int(records.offsets[row])
            key = part.prefix + titles.get(number, str(number))
            try:
                header, filled, end = codec.glance(stream.fileno(), offset, part.rec.size)
            except Damaged as fault:
                yield Photo(key, None, part.file, offset, 0, part.rec.modified, None, f"unreadable: {fault}")
                continue
            if not (records.ranges and header.flag == 2 and not filled):
                yield Photo(key, _identity(header, who), part.file, offset, end - offset, part.rec.modified)


def read(path: str | Path, photo: Photo) -> bytes:
    """The bytes of a photo without its header; raises Changed when its file vanished or is not what was indexed."""
    try:
        return codec.unpack(codec.join(read_bytes(path, photo)))[1]
    except Damaged as fault:
        raise Changed(f"{photo.key} is no record any more: {fault}") from None


def _identity(header: Header, who: tuple[str, ...]) -> str:
    label = header.labels[0]
    if not label.is_integer():  # neither are nan and infinity
        return str(label)
    return who[int(label)] if 0 <= label < len(who) else str(int(label))


def _files(root: Path) -> list[str]:
    if root.is_file():
        return [""]
    try:
        found = sorted(f.name for f in root.iterdir() if f.suffix == ".rec" and not f.name.startswith("."))
    except OSError as error:
        raise UserError(f"the folder {root} cannot be read ({error.strerror}): mend it") from None
    if not found:
        raise UserError(f"{root} holds no .rec file: give a RecordIO file or the folder that holds it")
    return found
