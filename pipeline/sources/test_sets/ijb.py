"""IJB-B and IJB-C as InsightFace distributes them: loose crops with five points each, and lists of templates.

    meta/ijbc_face_tid_mid.txt          photo, template, medium
    meta/ijbc_template_pair_label.txt   template, template, 1 for one person
    meta/ijbc_name_5pts_score.txt       photo, ten numbers in its pixels, the detector's score
    meta/ijbc_1N_gallery_G1.csv, ..G2.csv, ijbc_1N_probe_mixed.csv   a head; template, subject, photo; may be missing
    loose_crop/                         the photos

The points are given, so no detector looks at these photos: a face is cut by what the list says.
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline import schema
from pipeline.errors import UserError
from pipeline.faces.align import warp
from pipeline.faces.extract import to_jpeg
from pipeline.faces.picture import Unreadable, decode
from pipeline.sources import number as number_of

PHOTOS_A_SHARD = 2048
FURTHEST = 1e9  # pixels: no picture has a point there
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Ijb:
    """The lists of one such set: for each face row [n] its photo, template, medium, points [n, 10] and score."""

    name: str
    photos: list[str]
    template: Numbers
    medium: Numbers
    points: NDArray[np.float32] = field(repr=False)
    score: NDArray[np.float32] = field(repr=False)
    pairs: Numbers = field(repr=False)  # [m, 3]: template, template, same
    galleries: Mapping[str, Mapping[int, int]] = field(repr=False)  # by name (G1): the subject of each template
    probes: Mapping[int, int] = field(repr=False)


def recognise(path: str | Path) -> bool:
    """Whether a folder holds such a set."""
    return Path(path).is_dir() and any(Path(path, "meta").glob("*_face_tid_mid.txt"))


def read_lists(path: str | Path) -> Ijb:
    """All lists of a set. Raises UserError for a list that is missing, or a line that is none of it."""
    meta = Path(path, "meta")
    name = next(iter(sorted(meta.glob("*_face_tid_mid.txt")))).name.removesuffix("_face_tid_mid.txt")
    faces = _rows(meta / f"{name}_face_tid_mid.txt", 3, "a photo, its template and medium", _counted)
    scored = _rows(meta / f"{name}_name_5pts_score.txt", 12, "a photo, ten points, a score", _measured)
    points = {row[0]: row[1:] for row in scored}
    lost = next((row[0] for row in faces if row[0] not in points), None)
    if lost is not None:
        raise UserError(
            f"{meta / name}_name_5pts_score.txt has no line for {lost[:80]}, which {name}_face_tid_mid.txt names"
        )
    numbers = np.array([[float(v) for v in points[row[0]]] for row in faces], np.float32)
    pairs = _rows(meta / f"{name}_template_pair_label.txt", 3, "two templates and 0 or 1", _counted, 0)
    odd = next((row for row in pairs if float(row[2]) not in (0, 1)), None)
    if odd is not None:
        raise UserError(
            f"{meta / name}_template_pair_label.txt says {odd[2]} of {odd[0]} and {odd[1]}: expected 0 or 1"
        )
    galleries = {f.stem.rpartition("_")[2]: _subjects(f) for f in sorted(meta.glob(f"{name}_1N_gallery_*.csv"))}
    probes = _subjects(meta / f"{name}_1N_probe_mixed.csv") if galleries else {}
    return Ijb(
        name,
        [row[0] for row in faces],
        _column(faces, 1),
        _column(faces, 2),
        numbers[:, :10],
        numbers[:, 10],
        np.stack([_column(pairs, i) for i in range(3)], 1),
        galleries,
        probes,
    )


def parts(path: str | Path, lists: Ijb) -> list[list[list[Any]]]:
    """What is cut shard by shard: rows of photo, size and modification time of its file, and its points.

    A photo in several templates is cut once. A missing file has size -1.
    """
    rows, seen = [], set()
    for photo, points in zip(lists.photos, lists.points.tolist(), strict=True):
        if photo not in seen:
            seen.add(photo)
            rows.append([photo, *stamp(Path(path, "loose_crop", photo)), points])
    return [rows[i : i + PHOTOS_A_SHARD] for i in range(0, len(rows), PHOTOS_A_SHARD)]


def cut_shard(part: list[list[Any]], *, folder: str) -> pa.Table:
    """The faces of some photos, cut by their points; what cannot be cut keeps its row with the reason."""
    rows = []
    for photo, _, _, points in part:
        row: dict[str, Any] = {"face_id": schema.face_id("ijb", photo), "landmarks": points}
        try:
            if Path(photo).is_absolute() or ".." in Path(photo).parts or "\0" in photo:
                raise Unreadable("its name leads out of the folder")
            image = decode(Path(folder, photo).read_bytes())
            row["jpeg"] = to_jpeg(warp(image, np.array(points, np.float64).reshape(5, 2)))
        except (OSError, Unreadable) as error:
            row["failure"] = f"unreadable: {error}"
        except (ValueError, cv2.error) as error:
            row["failure"] = f"no_face: {error}"
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=schema.FACES)


def _rows(file: Path, columns: int, what: str, is_right: Callable[[str], bool], names: int = 1) -> list[list[str]]:
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {file} ({error}): the set is not whole") from None
    rows = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if words and (len(words) != columns or not all(map(is_right, words[names:]))):
            raise UserError(f"{file} line {number}: expected {what}, found {line[:60]!r}")
        rows += [words] if words else []
    if not rows:
        raise UserError(f"{file} is empty: the set is not whole")
    return rows


def _measured(word: str) -> bool:
    """Whether a word is a number that a picture may have in it."""
    try:
        return abs(float(word)) < FURTHEST
    except ValueError:
        return False


def _counted(word: str) -> bool:
    """Whether a word is a whole number; some lists write them as 1.0."""
    return _measured(word) and float(word).is_integer()


def _column(rows: list[list[str]], i: int) -> Numbers:
    return np.array([int(float(row[i])) for row in rows], np.int64)


def _subjects(file: Path) -> dict[int, int]:
    """The subject of each template of a list with a head."""
    try:
        with open(file, newline="", encoding="utf-8") as stream:
            rows = list(csv.reader(stream))[1:]
        found = {_whole(row[0]): _whole(row[1]) for row in rows if row}
    except (OSError, UnicodeDecodeError, ValueError, IndexError, csv.Error) as error:
        raise UserError(f"cannot read {file} ({error}): expected a head, then template, subject and photo") from None
    if not found:
        raise UserError(f"{file} lists no template: the set is not whole")
    return found


def _whole(word: str) -> int:
    if (found := number_of(word.strip())) is None:
        raise ValueError(f"{word[:40]!r} is no number of a template or subject")
    return found


def stamp(file: Path) -> tuple[int, int]:
    """A photo's size in bytes and time of change; -1 and 0 for one that is not there."""
    try:
        found = file.stat()
    except (OSError, ValueError):  # the latter for names that no file has
        return -1, 0
    return found.st_size, found.st_mtime_ns
