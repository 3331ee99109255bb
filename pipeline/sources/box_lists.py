"""Lists of the boxes that show which of a photo's faces is the claimed person, as data sets publish them.

  VGGFace2    loose_bb_train.csv, loose_bb_test.csv: NAME_ID,X,Y,W,H, where NAME_ID is n000002/0001_01
  FaceScrub   facescrub_actors.txt, facescrub_actresses.txt: name, image_id, face_id, url, bbox (x1,y1,x2,y2), sha256
  IMDb-Face   IMDb-Face.csv: name, index, image, rect (x1 y1 x2 y2), height width, url
  any table with a column path (file, image...) and the columns x1, y1, x2, y2 or x, y, width, height

Boxes are in pixels of the published photo; IMDb-Face gives that photo's size, so its boxes are relative. One idea: a
box belongs to the photo whose path ends as the line's does, or the other way round, whatever the suffix: lists and data
sets begin at different folders. In memory a listed path takes 16 bytes for its box, and 12 for each name that it is
found by: one where it has one folder, one more for each further folder. So the largest lists (3.3 million) fit.
"""

import csv
import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.sources.files import file_stamp, files_near, is_file
from pipeline.sources.photo import Box
from pipeline.sources.photo_names import folded_path, path_tails
from pipeline.sources.text_lists import lines_of

IMDB, FACESCRUB = "imdb-face.csv", ("facescrub_actors.txt", "facescrub_actresses.txt")
PATH_COLUMNS = ("name_id", "path", "file", "filename", "file_name", "image", "image_id", "img", "photo")
SIDES = (("x1", "y1", "x2", "y2"), ("x", "y", "width", "height"), ("x", "y", "w", "h"))
END = "\0"  # begins the name of a path's end, which no path does
BoxFiles = tuple[tuple[str, int, int], ...]  # path, size and modification time of each list


class BoxTable(NamedTuple):
    """The boxes of lists: boxes [paths, 4] (see photo.Photo), found by the hashes [n] of photos' names, sorted."""

    hashes: NDArray[np.uint64]
    paths: NDArray[np.int32]  # [n] the number of the listed path that has this name
    boxes: NDArray[np.float32]

    def box_of(self, key: str) -> Box | None:
        """The box of a photo by its key; None where no list has one, or several lists differ."""
        path = self.path_of(key)
        if path is None:
            return None
        x1, y1, x2, y2 = self.boxes[path].tolist()
        return (x1, y1, x2, y2)

    def path_of(self, key: str) -> int | None:
        """The number of the listed path that has most folders in common with a photo's key."""
        for name in _sought_names(folded_path(key)):
            row = int(np.searchsorted(self.hashes, _hash(name)))
            if row < len(self.hashes) and self.hashes[row] == _hash(name):
                return int(self.paths[row])
        return None


def box_files(given: Sequence[str], source: str | Path) -> BoxFiles:
    """The lists of boxes for a source: the given ones, else those of known names beside its photos.

    They lie in the source's folder, in its folder bb_landmark (VGGFace2), or one level above.
    """
    files = [Path(path).absolute() for path in given] or beside(Path(source))
    return tuple((str(file), *file_stamp(file)) for file in files)


def beside(source: Path) -> list[Path]:
    """The lists of boxes with known names that lie beside a source's photos, sorted."""
    folder = source if source.is_dir() else source.parent
    near = (folder, folder / "bb_landmark")
    above = (folder.parent, folder.parent / "bb_landmark")
    found = [file for place in near if place.is_dir() for file in files_near(place) if is_box_list(file.name)]
    # above lie the lists of other parts of the data set, too
    named = {f"loose_bb_{folder.name.lower()}.csv", IMDB, *FACESCRUB}
    found += [file for place in above if place.is_dir() for file in files_near(place) if file.name.lower() in named]
    return sorted({file for file in found if is_file(file)})


def is_box_list(name: str) -> bool:
    """Whether a file has the name of a published list of boxes."""
    lower = name.lower()
    return lower in (IMDB, *FACESCRUB) or (lower.startswith("loose_bb_") and lower.endswith(".csv"))


@lru_cache(maxsize=2)
def read_boxes(files: BoxFiles) -> BoxTable:
    """The boxes of lists. A box without an area is left out, and so are those of a photo with several different ones.

    Raises UserError for a file that is no list of boxes, and for a line with other content.
    """
    hashes, numbers, values = array("Q"), array("i"), array("f")
    for file, *_ in files:
        for path, box in _rows(Path(file)):
            if all(map(math.isfinite, box)) and box[0] < box[2] and box[1] < box[3]:
                for name in _listed_names(path):
                    hashes.append(int(_hash(name)))
                    numbers.append(len(values) // 4)
                values.extend(box)
    order = np.argsort(np.frombuffer(hashes, np.uint64), kind="stable")
    keys, paths = np.frombuffer(hashes, np.uint64)[order], np.frombuffer(numbers, np.int32)[order]
    boxes = np.frombuffer(values, np.float32).reshape(-1, 4)
    if not len(keys):
        raise UserError(f"{files[0][0]} lists no box: give a list of boxes, or leave it out")
    first = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    differs = np.r_[False, (boxes[paths[1:]] != boxes[paths[:-1]]).any(1) & (keys[1:] == keys[:-1])]
    same = np.add.reduceat(differs, first) == 0
    return BoxTable(keys[first][same], paths[first][same], boxes)


def _sought_names(path: str) -> Iterator[str]:
    """What a photo's path is sought by: its ends, as whole lines; itself, as the end of a line; its file name."""
    if "/" not in path:
        yield path
        return
    yield from path_tails(path)
    yield f"{END}{path}"
    yield path.rpartition("/")[2]


def _listed_names(path: str) -> Iterator[str]:
    """What a line's path is found by: itself, and its ends of a folder and the file at least."""
    yield path
    yield from (f"{END}{tail}" for tail in islice(path_tails(path), 1, None))


def _hash(name: str) -> np.uint64:
    return np.uint64(int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little"))


class _Layout(NamedTuple):
    """How the rows of a list are read: its delimiter, its number of columns, the names and the box of a row."""

    delimiter: str
    columns: int
    names: Callable[[Sequence[str]], Sequence[str]]
    box: Callable[[Sequence[str]], Box]


def _rows(file: Path) -> Iterator[tuple[str, Box]]:
    """Each path that a list names, folded, and its box; a line may name several for one photo."""
    lines = lines_of(file)
    header = next(lines, (0, ""))[1]
    layout = _layout(header)
    if layout is None:
        raise UserError(
            f"{file} is no list of boxes (its first line: {header[:60]!r}): give loose_bb_*.csv, facescrub_actors.txt, "
            "IMDb-Face.csv, or a table with the columns path, x1, y1, x2, y2 or path, x, y, width, height"
        )
    for number, line in lines:
        try:
            cells = _cells(line, layout.delimiter)
            if len(cells) < layout.columns:
                raise ValueError(line)
            paths, box = [folded_path(name) for name in layout.names(cells)], layout.box(cells)
        except (ValueError, ZeroDivisionError):
            raise UserError(
                f"{file} line {number}: expected a photo and its box, found {line[:60]!r}: repair it or remove it"
            ) from None
        for path in paths:
            yield path, box


def _cells(line: str, delimiter: str) -> list[str]:
    plain = line.split(delimiter) if '"' not in line else next(csv.reader([line], delimiter=delimiter))
    return [cell.strip() for cell in plain]


def _layout(header: str) -> _Layout | None:
    """The layout that a list's header shows; None where it is none of a list of boxes."""
    for delimiter in ("\t", ",", ";"):
        place = {name.lower(): i for i, name in reversed(list(enumerate(_cells(header, delimiter))))}
        if {"name", "image_id", "face_id", "bbox"} <= place.keys():
            return _Layout(delimiter, max(place.values()), _facescrub_names(place), _corners(place["bbox"], ","))
        if {"name", "index", "image", "rect", "height width"} <= place.keys():
            return _Layout(delimiter, 5, _imdb_names(place), _relative_box(place["rect"], place["height width"]))
        sides = next((s for s in SIDES if set(s) <= place.keys()), None)
        path = next((place[name] for name in PATH_COLUMNS if name in place), None)
        if sides is not None and path is not None:
            columns = [place[name] for name in sides]
            box = _box_of_columns(columns, is_size="x1" not in sides)
            return _Layout(delimiter, max(path, *columns) + 1, _one_name(path), box)
    return None


def _one_name(path: int) -> Callable[[Sequence[str]], Sequence[str]]:
    return lambda cells: [cells[path]]


def _facescrub_names(place: dict[str, int]) -> Callable[[Sequence[str]], Sequence[str]]:
    """FaceScrub's list names no files: those who fetch the photos call them by the face's number, or by the digest."""

    def names(cells: Sequence[str]) -> list[str]:
        person, image, face = (cells[place[column]] for column in ("name", "image_id", "face_id"))
        digest = [cells[place["sha256"]]] if place.get("sha256", len(cells)) < len(cells) else []
        return [f"{person}/{file}" for file in (f"{person}_{face}", f"{person}_{image}_{face}", *digest) if file]

    return names


def _imdb_names(place: dict[str, int]) -> Callable[[Sequence[str]], Sequence[str]]:
    """IMDb-Face's photos lie in folders of the person's number, or of the name."""
    return lambda cells: [f"{cells[place[folder]]}/{cells[place['image']]}" for folder in ("index", "name")]


def _box_of_columns(columns: Sequence[int], *, is_size: bool) -> Callable[[Sequence[str]], Box]:
    def box(cells: Sequence[str]) -> Box:
        a, b, c, d = (float(cells[i]) for i in columns)
        return (a, b, a + c, b + d) if is_size else (a, b, c, d)

    return box


def _corners(column: int, delimiter: str) -> Callable[[Sequence[str]], Box]:
    def box(cells: Sequence[str]) -> Box:
        x1, y1, x2, y2 = (float(word) for word in cells[column].split(delimiter))
        return (x1, y1, x2, y2)

    return box


def _relative_box(rect: int, size: int) -> Callable[[Sequence[str]], Box]:
    def box(cells: Sequence[str]) -> Box:
        height, width = (float(word) for word in cells[size].split())
        x1, y1, x2, y2 = (float(word) for word in cells[rect].split())
        inside = (max(0.0, x1) / width, max(0.0, y1) / height, x2 / width, y2 / height)
        return (inside[0], inside[1], min(1.0, inside[2]), min(1.0, inside[3]))

    return box
