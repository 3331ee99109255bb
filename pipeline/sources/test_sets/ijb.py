"""IJB-B and IJB-C as InsightFace distributes them: loose crops with five landmarks each, and lists of templates.

    meta/ijbc_face_tid_mid.txt          photo, template, medium
    meta/ijbc_template_pair_label.txt   template, template, 1 for a genuine pair
    meta/ijbc_name_5pts_score.txt       photo, ten coordinates in its pixels, the detector's score
    meta/ijbc_1N_gallery_G1.csv, ..G2.csv, ijbc_1N_probe_mixed.csv   a header; template, subject, photo; optional
    loose_crop/                         the photos

A template is a set of photos of one subject; a medium is the still or the video that a photo was taken from.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.sources.files import file_stamp_or_missing
from pipeline.sources.test_sets.landmarks import MAX_COORDINATE, PHOTOS_PER_SHARD, LandmarkedPhoto
from pipeline.sources.text_lists import csv_rows, numbered_lines, whole_number

PHOTOS = "loose_crop"
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class IjbLists:
    """The lists of IJB-B or IJB-C: for each face [n] its photo, template, medium, landmarks [n, 10] and score."""

    name: str
    photos: list[str]
    template: Numbers
    medium: Numbers
    landmarks: NDArray[np.float32] = field(repr=False)
    score: NDArray[np.float32] = field(repr=False)
    pairs: Numbers = field(repr=False)  # [m, 3]: template, template, 1 for a genuine pair or 0
    galleries: Mapping[str, Mapping[int, int]] = field(repr=False)  # by name (G1): the subject of each template
    probes: Mapping[int, int] = field(repr=False)


def is_ijb(path: str | Path) -> bool:
    """Whether a path is a folder with the lists of IJB-B or IJB-C."""
    return Path(path).is_dir() and any(Path(path, "meta").glob("*_face_tid_mid.txt"))


def read_lists(path: str | Path) -> IjbLists:
    """All lists of a set. Raises UserError for a list that is missing, or a line of another form."""
    meta = Path(path, "meta")
    name = next(iter(sorted(meta.glob("*_face_tid_mid.txt")))).name.removesuffix("_face_tid_mid.txt")
    faces = _rows(meta / f"{name}_face_tid_mid.txt", 3, "a photo, its template and medium", _is_whole)
    landmarks = _landmarks(meta, name, [row[0] for row in faces])
    pairs = _pairs(meta / f"{name}_template_pair_label.txt")
    galleries = {f.stem.rpartition("_")[2]: _subjects(f) for f in sorted(meta.glob(f"{name}_1N_gallery_*.csv"))}
    return IjbLists(
        name=name,
        photos=[row[0] for row in faces],
        template=_column(faces, 1),
        medium=_column(faces, 2),
        landmarks=landmarks[:, :10],
        score=landmarks[:, 10],
        pairs=pairs,
        galleries=galleries,
        probes=_subjects(meta / f"{name}_1N_probe_mixed.csv") if galleries else {},
    )


def parts(path: str | Path, lists: IjbLists) -> list[list[LandmarkedPhoto]]:
    """The photos whose faces are to be aligned, shard by shard; a photo of several templates comes once."""
    photos, seen = [], set()
    for photo, landmarks in zip(lists.photos, lists.landmarks.tolist(), strict=True):
        if photo not in seen:
            seen.add(photo)
            photos.append(LandmarkedPhoto(photo, *file_stamp_or_missing(Path(path, PHOTOS, photo)), landmarks))
    return [photos[i : i + PHOTOS_PER_SHARD] for i in range(0, len(photos), PHOTOS_PER_SHARD)]


def _landmarks(meta: Path, name: str, photos: list[str]) -> NDArray[np.float32]:
    """The ten coordinates and the score [n, 11] of each photo."""
    rows = _rows(meta / f"{name}_name_5pts_score.txt", 12, "a photo, ten points, a score", _is_coordinate)
    values_of_photo = {row[0]: row[1:] for row in rows}
    missing = next((photo for photo in photos if photo not in values_of_photo), None)
    if missing is not None:
        raise UserError(
            f"{meta / name}_name_5pts_score.txt has no line for {missing[:80]}, which {name}_face_tid_mid.txt lists"
        )
    return np.array([[float(v) for v in values_of_photo[photo]] for photo in photos], np.float32)


def _pairs(file: Path) -> Numbers:
    """Pairs of templates [m, 3]: template, template, 1 for a genuine pair or 0."""
    rows = _rows(file, 3, "two templates and 0 or 1", _is_whole, first_number=0)
    wrong = next((row for row in rows if float(row[2]) not in (0, 1)), None)
    if wrong is not None:
        raise UserError(f"{file} labels the pair {wrong[0]}, {wrong[1]} as {wrong[2]}: expected 0 or 1")
    return np.stack([_column(rows, i) for i in range(3)], 1)


def _rows(
    file: Path, columns: int, expected: str, is_number: Callable[[str], bool], *, first_number: int = 1
) -> list[list[str]]:
    """The words of each line of a list; the columns from first_number on must be numbers.

    expected: what a line should hold, for the error message.
    """
    rows = []
    for number, words in numbered_lines(file):
        if len(words) != columns or not all(map(is_number, words[first_number:])):
            raise UserError(f"{file} line {number}: expected {expected}, found {' '.join(words)[:60]!r}")
        rows.append(words)
    if not rows:
        raise UserError(f"{file} is empty: the set is incomplete")
    return rows


def _is_coordinate(word: str) -> bool:
    """Whether a word is a number that may be a coordinate in a photo."""
    try:
        return abs(float(word)) < MAX_COORDINATE
    except ValueError:
        return False


def _is_whole(word: str) -> bool:
    """Whether a word is a whole number; some lists write them as 1.0."""
    return _is_coordinate(word) and float(word).is_integer()


def _column(rows: list[list[str]], i: int) -> Numbers:
    return np.array([int(float(row[i])) for row in rows], np.int64)


def _subjects(file: Path) -> dict[int, int]:
    """The subject of each template of a .csv with a header."""
    try:
        subjects = {_number(row[0]): _number(row[1]) for _, row in islice(csv_rows(file), 1, None)}
    except (ValueError, IndexError) as error:
        raise UserError(f"cannot read {file} ({error}): expected a header, then template, subject and photo") from None
    if not subjects:
        raise UserError(f"{file} lists no template: the set is incomplete")
    return subjects


def _number(word: str) -> int:
    if (number := whole_number(word.strip())) is None:
        raise ValueError(f"{word[:40]!r} is not the number of a template or subject")
    return number
