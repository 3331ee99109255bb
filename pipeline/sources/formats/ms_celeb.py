"""MS-Celeb-1M as Microsoft published it: tab-separated text files with a photo in base64 in the last column.

Three layouts, recognised by their columns (published on msceleb.org/download):
  faces   Freebase MID, image search rank, image URL, page URL, FaceID, face rectangle, face data   (cropped, aligned)
  photos  MID, query, rank, image URL, page URL, image data                                         (whole pictures)
  dev     MID, entity name, image URL, FaceID, face rectangle, face data                            (development set)
The MID (Freebase's id of a person) is the identity. One idea: a file is indexed range by range, and a photo is the byte
range of its base64, so the 90 GB of the data set are neither held in memory nor copied. The face rectangle refers to
the picture on the web page, but the stored photo is a crop already (in the development set too): no photo has a box.
"""

import binascii
import os
import re
from bisect import bisect_right, insort
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import BinaryIO, NamedTuple

from pipeline.errors import UserError
from pipeline.sources.files import existing_path, file_stamp, read_bytes
from pipeline.sources.photo import Photo, PhotoChanged, distinct_keys
from pipeline.sources.survey import Survey

PART_BYTES = 1 << 28  # 90 GB make 350 parts
LONGEST_LINE = 1 << 26  # bytes; the published lines stay under 1 MiB
COLUMNS = {"faces": 7, "photos": 6, "dev": 6}
CHUNK = 1 << 20
BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


class Part(NamedTuple):
    """The lines of a file that begin within a range of bytes, and the file's size and modification time."""

    root: str
    file: str
    layout: str
    start: int
    end: int
    size: int
    modified: int


class Line(NamedTuple):
    """A line of a file and where it begins; text: without the line end; None for a line longer than LONGEST_LINE."""

    offset: int
    text: bytes | None


def parts(path: str | Path, *, part_bytes: int = PART_BYTES) -> list[Part]:
    """Ranges of one .tsv file, or of all .tsv files in a folder that hold photos.

    Raises UserError when there is no .tsv file, and when none has a single well-formed line.
    """
    root = existing_path(path)
    ranges: list[Part] = []
    for name, layout in _layouts(root).layout.items():
        size, modified = file_stamp(root / name)
        for start in range(0, size, part_bytes):
            ranges.append(Part(str(root), name, layout, start, min(start + part_bytes, size), size, modified))
    return ranges


def index(part: Part) -> Iterator[Photo]:
    """A photo for each line of a part, in order; a malformed line gives a photo with a failure that has its number.

    Empty lines are skipped. A key that comes twice in a part is made distinct.
    """
    yield from distinct_keys(_photos(part))


def _photos(part: Part) -> Iterator[Photo]:
    path, first_number = Path(part.root, part.file), 0
    for line_in_part, line in enumerate(_lines(path, part.start, part.end)):
        if line.text == b"":
            continue
        columns = [] if line.text is None else line.text.split(b"\t")
        if fault := _fault(part.layout, columns):
            first_number = first_number or _line_number(path, line.offset, part.modified) - line_in_part
            has_key = len(columns) == COLUMNS[part.layout] and _mid(columns)
            key = _key(part.layout, columns) if has_key else f"{path.name}:line {first_number + line_in_part}"
            failure = f"unreadable: {path.name} line {first_number + line_in_part}: {fault}"
            yield Photo(key, _mid(columns), part.file, line.offset, 0, part.modified, None, failure)
        else:
            offset = line.offset + len(line.text or b"") - len(columns[-1])
            yield Photo(_key(part.layout, columns), _mid(columns), part.file, offset, len(columns[-1]), part.modified)


def read(path: str | Path, photo: Photo) -> bytes:
    """The bytes of a photo, decoded from base64.

    Raises PhotoChanged when its file vanished or was changed since it was indexed.
    """
    try:
        return binascii.a2b_base64(read_bytes(path, photo), strict_mode=True)
    except binascii.Error as error:
        raise PhotoChanged(f"{photo.key} is no base64 any more: {error}") from None


def survey(path: str | Path) -> Survey:
    """The number of entries of a folder that are not .tsv files of photos; a warning for each .tsv file among them."""
    root = existing_path(path)
    others = len(list(root.iterdir())) - len(_files(root)) if root.is_dir() else 0
    faults = _layouts(root).faults
    counts = {"no .tsv file": others, "a .tsv file without photos": len(faults)}
    warnings = [f"{fault.partition(': give')[0]}: it is passed over" for fault in faults]
    return Survey({reason: count for reason, count in counts.items() if count}, warnings)


class _Layouts(NamedTuple):
    """The layout of each file that holds photos, by name, and for each other .tsv file why it holds none."""

    layout: dict[str, str]
    faults: list[str]


def _layouts(root: Path) -> _Layouts:
    """The layouts of all .tsv files. Other tables lie beside the photos' files, such as the list of the MIDs' names."""
    layouts = _Layouts({}, [])
    for name in _files(root):
        file_stamp(root / name)
        try:
            layouts.layout[name] = _layout(root / name)
        except UserError as error:
            layouts.faults.append(str(error))
    if not layouts.layout:
        raise UserError(layouts.faults[0])
    return layouts


def _files(root: Path) -> list[str]:
    if root.is_file():
        return [""]
    try:
        names = sorted(f.name for f in root.iterdir() if f.suffix.lower() == ".tsv" and not f.name.startswith("."))
    except OSError as error:
        raise UserError(f"the folder {root} cannot be read ({error.strerror}): repair it") from None
    if not names:
        raise UserError(f"{root} holds no .tsv file: give a file of MS-Celeb-1M or the folder that holds them")
    return names


def _layout(path: Path) -> str:
    """The layout of the first well-formed line; the whole file is read only where no line is well-formed."""
    first_fault = ""
    for number, line in enumerate(_lines(path, 0, path.stat().st_size), start=1):
        columns = [] if line.text is None else line.text.split(b"\t")
        for layout in COLUMNS:
            if not _fault(layout, columns) and _fits_layout(layout, columns):
                return layout
        first_fault = first_fault or (f"line {number}: {_fault('faces', columns)}" if line.text != b"" else "")
    raise UserError(
        f"{path} holds no line of MS-Celeb-1M ({first_fault or 'it is empty'}): give the .tsv as it was published"
    )


def _fits_layout(layout: str, columns: list[bytes]) -> bool:
    """Whether the columns' contents fit a layout; the number of columns does not tell "photos" from "dev"."""
    return layout == "faces" or (columns[2].strip().isdigit() if layout == "photos" else _is_rectangle(columns[4]))


def _is_rectangle(text: bytes) -> bool:
    try:
        return len(binascii.a2b_base64(text.strip(), strict_mode=True)) == 16  # bytes: four float32
    except binascii.Error:
        return False


def _fault(layout: str, columns: list[bytes]) -> str:
    """What is wrong with a line; "" when nothing is."""
    if not columns:
        return f"longer than {LONGEST_LINE >> 20} MiB"
    if len(columns) != COLUMNS[layout]:
        expected = f"{COLUMNS[layout]}" if len(columns) in COLUMNS.values() else "6 or 7"
        return f"found {len(columns)} columns, expected {expected}"
    if not columns[0].strip():
        return "the first column, the MID, is empty"
    if not (photo := columns[-1]):
        return "the last column, the photo, is empty"
    other_letters = photo.rstrip(b"=").translate(None, BASE64)  # decoding would take five times as long
    right_length = len(photo) % 4 == 0 and len(photo) - len(photo.rstrip(b"=")) < 3
    return "" if right_length and not other_letters else "the last column, the photo, is no base64"


def _key(layout: str, columns: list[bytes]) -> str:
    """The photo's name in published lists of this data set: MID/rank-FaceId-k; MID/rank for a whole picture."""
    mid, text = _mid(columns), [_text(c) for c in columns]
    if layout == "photos":
        return f"{mid}/{text[2]}"
    face = text[4 if layout == "faces" else 3]
    face = f"FaceId-{face}" if face.isdigit() else face
    return f"{mid}/{text[1]}-{face}" if layout == "faces" else f"{mid}/{face}"


def _mid(columns: list[bytes]) -> str | None:
    """The claimed identity; None for a malformed line whose first column does not look like a MID."""
    mid = _text(columns[0]) if columns else ""
    return mid if mid and (len(columns) in COLUMNS.values() or re.fullmatch(r"[mg][./]\w{1,32}", mid)) else None


def _text(column: bytes) -> str:
    return column.decode("utf-8", "replace").lstrip("\ufeff").strip()


def _lines(path: Path, start: int, end: int) -> Iterator[Line]:
    """The lines that begin at or after start and before end; one line at a time is in memory."""
    with open(path, "rb", buffering=CHUNK) as stream:
        if start:
            stream.seek(start - 1)
            _skip_line(stream)
        while (offset := stream.tell()) < end:
            text = stream.readline(LONGEST_LINE)
            if len(text) == LONGEST_LINE and not text.endswith(b"\n"):
                _skip_line(stream)
                yield Line(offset, None)
            else:
                yield Line(offset, text.rstrip(b"\r\n"))


def _skip_line(stream: BinaryIO) -> None:
    while (text := stream.readline(CHUNK)) and not text.endswith(b"\n"):
        pass


# To number a line, all lines before it must be counted. So only malformed lines are numbered, and the counts are kept
# as sorted pairs (offset, lines before it): a process reads a file at most once for its line numbers.
_LINES_BEFORE: dict[tuple[str, int], list[tuple[int, int]]] = {}
_COUNTING = Lock()


def _line_number(path: Path, offset: int, modified: int) -> int:
    with _COUNTING:
        counts = _LINES_BEFORE.setdefault((str(path), modified), [(0, 0)])
        position, lines = counts[bisect_right(counts, (offset, offset)) - 1]
        with open(path, "rb") as stream:
            while position < offset and (text := os.pread(stream.fileno(), min(CHUNK, offset - position), position)):
                lines += text.count(b"\n")
                position += len(text)
        insort(counts, (offset, lines))
    return lines + 1
