"""The lines of a list of photos with their identities, in the layouts of published lists.

Without a header the columns are told by the photo's suffix:

  path label            images/00001.jpg 0                    (CelebA's identity_CelebA.txt, LightCNN, AdaFace)
  index label path      17<tab>3.0<tab>00001.jpg              (mxnet's .lst)
  flag path label       1<tab>/data/00001.jpg<tab>3           (InsightFace's .lst)
  label path            3 00001.jpg

A table with a header has the columns path (or file, filename, file_name, image) and identity (or label, person, name,
class), and perhaps a box: x1, y1, x2, y2 or x, y, width, height, in pixels. A .jsonl has an object with such fields on
each line, as the metadata.jsonl of Hugging Face's `imagefolder`.
"""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.sources.photo import Box
from pipeline.sources.photo_names import SUFFIX_PATTERN, plain_path
from pipeline.sources.text_lists import lines_of, plain_cell

LIST_SUFFIXES = (".txt", ".csv", ".tsv", ".lst", ".jsonl")
PATH_COLUMNS = ("path", "file", "filename", "file_name", "image", "image_id", "img", "photo")
LABEL_COLUMNS = ("identity", "label", "person", "name", "class", "class_id", "id")
BOXES = (("x1", "y1", "x2", "y2"), ("x", "y", "width", "height"), ("x", "y", "w", "h"))
PATH_FIRST = re.compile(rf"(?:[01][\t ]+)?(?P<path>.+?{SUFFIX_PATTERN})[\t ,;]+(?P<label>[^\t]+)", re.IGNORECASE)
PATH_LAST = re.compile(rf"(?:\d+\t)?(?P<label>[^\t ,;]+)[\t ,;]+(?P<path>.+{SUFFIX_PATTERN})", re.IGNORECASE)
SECOND_PHOTO = re.compile(rf"{SUFFIX_PATTERN}(?![^ ,;])", re.IGNORECASE)  # a line of a list of pairs
WHOLE = re.compile(r"(-?\d+)\.0+")  # a label as mxnet writes it


class ListedPhoto(NamedTuple):
    """A line of a list: the photo's path as written, and its label; or what is wrong with the line."""

    line: int
    path: str
    label: str
    box: Box | None = None
    fault: str = ""


def listed_photos(file: Path) -> Iterator[ListedPhoto]:
    """The lines of a list; paths that lead out of the list's folders are faults."""
    for listed in _rows(file):
        leads_out = ".." in plain_path(listed.path).split("/")
        yield listed._replace(fault="its path leads out of the folder") if leads_out and not listed.fault else listed


def _rows(file: Path) -> Iterator[ListedPhoto]:
    if file.suffix.lower() == ".jsonl":
        return _json_rows(file)
    header = next((_header(line) for _, line in lines_of(file)), None)
    return _table_rows(file, *header) if header else _plain_rows(file)


def _json_rows(file: Path) -> Iterator[ListedPhoto]:
    for number, line in lines_of(file):
        try:
            fields: Any = json.loads(line)
            path = next(fields[name] for name in PATH_COLUMNS if name in fields)
            label = next(fields[name] for name in LABEL_COLUMNS if name in fields)
            if not (isinstance(path, str) and path and isinstance(label, int | str) and str(label)):
                raise ValueError(path)
        except (ValueError, TypeError, StopIteration, RecursionError):
            yield ListedPhoto(number, "", "", fault="it has no photo or no identity")
            continue
        sides = next(([fields[n] for n in box] for box in BOXES if set(box) <= set(fields)), [])
        yield ListedPhoto(number, path, str(label), _box(sides, is_size="x1" not in fields))


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


def _box(cells: Sequence[Any], *, is_size: bool) -> Box | None:
    """A box as x1, y1, x2, y2; None where a cell is empty or no number: then the main face is looked for."""
    try:
        a, b, c, d = (float(cell) for cell in cells)
    except (ValueError, TypeError):
        return None
    return (a, b, a + c, b + d) if is_size else (a, b, c, d)
