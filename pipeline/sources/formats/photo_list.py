"""Photos that a text file lists with their identities: CelebA, the lists of LightCNN, AdaFace and arcface-pytorch, CSV.

Each line names a photo and its label. Without a header the columns are told by the photo's suffix:

  path label            images/00001.jpg 0                    (CelebA's identity_CelebA.txt, LightCNN, AdaFace)
  index label path      17<tab>3.0<tab>00001.jpg              (mxnet's .lst)
  flag path label       1<tab>/data/00001.jpg<tab>3           (InsightFace's .lst)
  label path            3 00001.jpg

A table with a header has the columns path (or file, filename, image) and identity (or label, person, name, class), and
perhaps a box: x1, y1, x2, y2 or x, y, width, height, in pixels. One idea: the first lines show below which folder the
photos lie, and how many leading folders of the listed paths belong to the machine where the list was written.
"""

import csv
import os
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.sources.files import existing_path, file_stamp, file_stamp_or_missing, is_file, read_bytes
from pipeline.sources.formats.folder_walk import walk
from pipeline.sources.photo import Box, Photo, distinct_keys
from pipeline.sources.photo_names import SUFFIX_PATTERN, path_tails, plain_path
from pipeline.sources.survey import Survey
from pipeline.sources.text_lists import lines_of, plain_cell

KNOWN_LISTS = ("identity_CelebA.txt",)  # looked for in a folder that is given in place of a list
LIST_SUFFIXES = (".txt", ".csv", ".tsv", ".lst")
PATH_COLUMNS = ("path", "file", "filename", "file_name", "image", "image_id", "img", "photo")
LABEL_COLUMNS = ("identity", "label", "person", "name", "class", "class_id", "id")
BOXES = (("x1", "y1", "x2", "y2"), ("x", "y", "width", "height"), ("x", "y", "w", "h"))
PATH_FIRST = re.compile(rf"(?:[01][\t ]+)?(?P<path>.+?{SUFFIX_PATTERN})[\t ,;]+(?P<label>[^\t]+)", re.IGNORECASE)
PATH_LAST = re.compile(rf"(?:\d+\t)?(?P<label>[^\t ,;]+)[\t ,;]+(?P<path>.+{SUFFIX_PATTERN})", re.IGNORECASE)
SECOND_PHOTO = re.compile(rf"{SUFFIX_PATTERN}(?![^ ,;])", re.IGNORECASE)  # a line of a list of pairs
WHOLE = re.compile(r"(-?\d+)\.0+")  # a label as mxnet writes it
TRIED_LINES = 50  # by which the folder of the photos is found
FIRST_LINES = 3  # of these, by which folders beside the list are tried


class Place(NamedTuple):
    """Where the photos of a list lie: in a folder, relative to the list's, without leading folders of their paths."""

    folder: str
    skipped_folders: int


class Part(NamedTuple):
    """A list, where its photos lie, and a digest of the sizes and times of all files."""

    file: str
    place: Place
    digest: str


class ListedPhoto(NamedTuple):
    """A line of a list: the photo's path as written, and its label; or what is wrong with the line."""

    line: int
    path: str
    label: str
    box: Box | None = None
    fault: str = ""


def parts(path: str | Path) -> list[Part]:
    """The one part of a list; path: of the list, or of a folder with a list of a known name.

    Raises UserError for a file that is no list of photos, or of whose photos none is there.
    """
    file = _list_file(path)
    place = _find_place(file)
    hasher = blake2b(repr(tuple(file_stamp(file))).encode(), digest_size=16)
    for listed in _listed_photos(file):
        hasher.update(repr(tuple(file_stamp_or_missing(_photo_file(file, place, listed.path)))).encode())
    return [Part(str(file), place, hasher.hexdigest())]


def index(part: Part) -> Iterator[Photo]:
    """A photo for each line; a line that names none gives a photo with a failure that has its number."""
    yield from distinct_keys(_photos(Path(part.file), part.place))


def read(path: str | Path, photo: Photo) -> bytes:
    """The bytes of a photo; raises PhotoChanged when its file vanished or was changed since it was indexed."""
    return read_bytes(_list_file(path).parent, photo, whole_file=True)


def survey(path: str | Path) -> Survey:
    """The number of photos below the list's folder of photos that the list does not name."""
    file = _list_file(path)
    place = _find_place(file)
    folder = file.parent / place.folder
    listed = {_below(place, photo.path) for photo in _listed_photos(file) if not photo.fault}
    found = (entry.name for _, entries, _ in walk(folder) for entry in entries if not entry.ignored)
    unlisted = sum(name not in listed for name in found)
    return Survey({"photo that the list does not name": unlisted} if unlisted else {})


def lists_beside(folder: Path) -> list[str]:
    """The names of text files in a folder that name photos which are there, with their labels."""
    found = []
    for file in sorted(p for p in folder.iterdir() if p.suffix.lower() in LIST_SUFFIXES and is_file(p)):
        try:
            _find_place(file)
        except UserError:
            continue
        found.append(file.name)
    return found


def _list_file(path: str | Path) -> Path:
    """The list at a path, or in a folder that holds one of a known name."""
    file = existing_path(path)
    if not file.is_dir():
        return file
    known = [file / name for name in KNOWN_LISTS if is_file(file / name)]
    if not known:
        raise UserError(f"{path} is a folder: give the list in it that names each photo and its identity")
    return known[0]


@lru_cache(maxsize=1024)
def _real_folder(folder: Path) -> Path:
    """A folder without links; most neighbouring lines of a list name photos of one folder."""
    return folder.resolve()


def _real_file(photo: Path) -> Path:
    """A photo's path without links."""
    real = _real_folder(photo.parent) / photo.name
    return real.resolve() if real.is_symlink() else real


def _photos(file: Path, place: Place) -> Iterator[Photo]:
    folder = file.parent.parent if place.folder.startswith("..") else file.parent
    source = folder.resolve()
    for listed in _listed_photos(file):
        if listed.fault:
            failure = f"unreadable: {file.name} line {listed.line}: {listed.fault}"
            yield Photo(f"{file.name}:line {listed.line}", listed.label or None, "", failure=failure)
            continue
        key = _below(place, listed.path)
        photo = _photo_file(file, place, listed.path)
        size, modified = file_stamp_or_missing(photo)
        relative = f"{place.folder}/{key}" if place.folder != "." else key
        if size < 0:
            failure = f"unreadable: {file.name} line {listed.line}: the photo is not there"
            yield Photo(key, listed.label, relative, 0, 0, 0, listed.box, failure)
        elif not _real_file(photo).is_relative_to(source):
            failure = f"unreadable: {file.name} line {listed.line}: a link leads out of the source"
            yield Photo(key, listed.label, relative, 0, 0, 0, listed.box, failure)
        else:
            yield Photo(key, listed.label, relative, 0, size, modified, listed.box)


def _listed_photos(file: Path) -> Iterator[ListedPhoto]:
    """The lines of a list; paths that lead out of the list's folders are faults."""
    header = next((_header(line) for _, line in lines_of(file)), None)
    for listed in _table_rows(file, *header) if header else _plain_rows(file):
        leads_out = ".." in plain_path(listed.path).split("/")
        yield listed._replace(fault="its path leads out of the folder") if leads_out and not listed.fault else listed


def _plain_rows(file: Path) -> Iterator[ListedPhoto]:
    for number, line in lines_of(file):
        match = PATH_FIRST.fullmatch(line) or PATH_LAST.fullmatch(line)
        if match and SECOND_PHOTO.search(match["label"]):
            yield ListedPhoto(number, "", "", fault="it names two photos")
        elif match:
            label = WHOLE.sub(r"\1", match["label"].strip(" "))
            yield ListedPhoto(number, match["path"], label)
        elif number > 1 or not line.isdigit():  # CelebA's other lists begin with their number of lines
            yield ListedPhoto(number, "", "", fault="it names no photo with a label")


def _header(line: str) -> tuple[str, list[str]] | None:
    """The delimiter and the columns of a table's header; None where a line is none."""
    for delimiter in ("\t", ",", ";"):
        names = [cell.strip().strip('"').lower() for cell in line.split(delimiter)]
        if set(names) & set(PATH_COLUMNS) and set(names) & set(LABEL_COLUMNS):
            return delimiter, names
    return None


def _table_rows(file: Path, delimiter: str, names: Sequence[str]) -> Iterator[ListedPhoto]:
    place = {name: i for i, name in reversed(list(enumerate(names)))}
    path, label = (next(place[n] for n in known if n in place) for known in (PATH_COLUMNS, LABEL_COLUMNS))
    sides = next(([place[n] for n in box] for box in BOXES if set(box) <= set(place)), [])
    is_size = bool(sides) and "x1" not in place
    lines = lines_of(file)
    next(lines)
    for number, line in lines:
        cells = [plain_cell(cell.strip()) for cell in next(csv.reader([line], delimiter=delimiter), [])]
        if len(cells) <= max(path, label, *sides) or not cells[path] or not cells[label]:
            yield ListedPhoto(number, "", "", fault="it has no photo or no identity")
            continue
        box = _box([cells[i] for i in sides], is_size=is_size)
        yield ListedPhoto(number, cells[path], WHOLE.sub(r"\1", cells[label]), box)


def _box(cells: Sequence[str], *, is_size: bool) -> Box | None:
    """A box as x1, y1, x2, y2; None where a cell is empty or no number: then the main face is looked for."""
    try:
        a, b, c, d = (float(cell) for cell in cells)
    except ValueError:
        return None
    return (a, b, a + c, b + d) if is_size else (a, b, c, d)


def _find_place(file: Path) -> Place:
    """Where the photos of the first lines lie: most of them must be there."""
    tried = [p for p in islice(_listed_photos(file), TRIED_LINES) if not p.fault]
    if not tried:
        raise UserError(f"{file} names no photos with their identities: give a list of lines such as a/1.jpg Ann")
    depth = max(plain_path(listed.path).count("/") for listed in tried)

    def count(folders: Sequence[Path], photos: Sequence[ListedPhoto]) -> dict[Place, int]:
        """In each place how many of the photos are there; places without one are left out."""
        places = (Place(os.path.relpath(folder, file.parent), n) for n in range(depth + 1) for folder in folders)
        counts = {place: sum(is_file(_photo_file(file, place, p.path)) for p in photos) for place in places}
        return {place: n for place, n in counts.items() if n}

    there = count([file.parent, file.parent.parent], tried)
    if not there:  # of the folders beside the list, of which there may be many, those with one of the first photos
        beside = sorted(path for path in file.parent.iterdir() if path.is_dir())
        likely = count(beside, tried[:FIRST_LINES])
        there = count(sorted({file.parent / place.folder for place in likely}), tried)
    if not there:
        raise UserError(
            f"none of the first photos of {file} is in {file.parent} or its folders, {tried[0].path[:200]} for "
            "example: put the list beside the photos"
        )
    return max(there, key=lambda place: there[place])


def _below(place: Place, path: str) -> str:
    """A listed path relative to the folder of the photos."""
    plain = plain_path(path)
    return next(islice(path_tails(plain), place.skipped_folders, None), plain.rpartition("/")[2])


def _photo_file(file: Path, place: Place, path: str) -> Path:
    return file.parent / place.folder / _below(place, path)
