"""Reads a test set of pairs: aligned faces, and a list of genuine and impostor pairs of these faces, in folds.

It is a folder of two files (columns in pipeline.schema): faces.parquet has a row per photo, whose jpeg is null when no
face was detected in the photo; pairs.parquet has a row per pair. Faces are decoded a few at a time, so only the
embeddings of all faces are in memory together.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline import schema
from pipeline.errors import UserError

PAIRS_AT_ONCE = 1 << 14  # their embeddings of length 512 take 64 MB
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class PairSet:
    """n pairs of m photos.

    a, b [n]: the rows of a pair's photos in faces.parquet. same [n]: whether a pair is genuine. fold [n]: its fold of
    cross-validation. unit: the number of the person [n] that a pair belongs to, or of its two persons [n, 2], for
    bootstrap samples (see intervals.py); None when no pair names a person. has_face [m]: whether a face was detected in
    a photo.
    """

    folder: Path
    a: NDArray[np.intp] = field(repr=False)
    b: NDArray[np.intp] = field(repr=False)
    same: Mask = field(repr=False)
    fold: NDArray[np.int64] = field(repr=False)
    unit: NDArray[np.int64] | None = field(repr=False)
    has_face: Mask = field(repr=False)

    @property
    def missing(self) -> int:
        """The number of pairs of which a photo has no face; their cosine is -1, below every threshold."""
        return int((~(self.has_face[self.a] & self.has_face[self.b])).sum())


def load_pairs(folder: str | Path) -> PairSet:
    """The test set in a folder.

    Raises UserError when a file or column is missing, when there are no pairs, and when a pair names an unknown face.
    """
    folder = Path(folder)
    faces, listed = _open(folder / "faces.parquet", schema.TEST_FACES), _open(folder / "pairs.parquet", schema.PAIRS)
    pairs = listed.read(schema.PAIRS.names, use_threads=False)
    if not len(pairs):
        raise UserError(f"{folder / 'pairs.parquet'} holds no pairs: give a test set that lists some")
    ids = faces.read(["face_id"], use_threads=False)["face_id"]
    has_face = [~_nulls(faces, g) for g in range(faces.num_row_groups)] or [np.zeros(0, bool)]
    a, b = (_rows(pairs[c], ids, folder) for c in ("a", "b"))
    same, fold = (pairs[c].to_numpy() for c in ("same", "fold"))
    return PairSet(folder, a, b, same.astype(bool), fold.astype(np.int64), _units(pairs), np.concatenate(has_face))


def without_people(pairs: PairSet, left_out: Collection[str]) -> PairSet:
    """The test set without the pairs of certain people or photos; left_out: their identities and face_ids.

    Raises UserError when no pair is left.
    """
    photos = _open(pairs.folder / "faces.parquet", schema.TEST_FACES).read(["face_id", "identity"], use_threads=False)
    dropped = np.zeros(len(photos), bool)
    for column in ("face_id", "identity"):
        dropped |= np.asarray(pc.is_in(photos[column], value_set=pa.array(sorted(left_out), pa.string())))
    kept = ~(dropped[pairs.a] | dropped[pairs.b])
    if not kept.any():
        raise UserError(f"all {len(kept)} pairs of {pairs.folder.name} are about people found in the training data")
    unit = None if pairs.unit is None else pairs.unit[kept]
    return replace(pairs, a=pairs.a[kept], b=pairs.b[kept], same=pairs.same[kept], fold=pairs.fold[kept], unit=unit)


def read_faces(pairs: PairSet, *, batch: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.uint8]]]:
    """The faces of all photos that are in a pair, at most `batch` at a time: rows [k] and BGR pixels [k, h, w, 3].

    rows: of the photos in faces.parquet.
    """
    path = pairs.folder / "faces.parquet"
    file = _open(path, schema.TEST_FACES)
    is_needed = np.zeros(len(pairs.has_face), bool)
    is_needed[pairs.a] = is_needed[pairs.b] = True
    is_needed &= pairs.has_face
    first_row = 0  # of the row group
    for group in range(file.num_row_groups):
        jpegs = file.read_row_group(group, ["jpeg"], use_threads=False)["jpeg"]
        needed = np.flatnonzero(is_needed[first_row : first_row + len(jpegs)])
        for start in range(0, len(needed), batch):
            rows = needed[start : start + batch]
            yield first_row + rows, np.stack([_decode(jpegs[int(i)], path, first_row + int(i)) for i in rows])
        first_row += len(jpegs)


def pair_cosines(pairs: PairSet, x: NDArray[np.floating]) -> NDArray[np.float32]:
    """The cosine of every pair [n], from embeddings x [m, d] of norm 1; -1 when a photo of the pair has no face."""
    cosines = np.full(len(pairs.same), -1, np.float32)
    complete = np.flatnonzero(pairs.has_face[pairs.a] & pairs.has_face[pairs.b])
    for start in range(0, len(complete), PAIRS_AT_ONCE):
        at = complete[start : start + PAIRS_AT_ONCE]
        a, b = (x[rows[at]].astype(np.float32) for rows in (pairs.a, pairs.b))
        cosines[at] = np.einsum("nd,nd->n", a, b)
    return cosines


def _open(path: Path, columns: pa.Schema) -> pq.ParquetFile:
    """The Parquet file at a path. Raises UserError when it cannot be read or lacks one of the columns."""
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f"cannot read {path} ({' '.join(str(error).split())[:160]}): make the test set anew") from None
    present = file.schema_arrow
    wrong = [
        f"{f.name} {f.type}" for f in columns if f.name not in present.names or present.field(f.name).type != f.type
    ]
    if wrong:
        raise UserError(f"{path} has no column {', '.join(wrong)}: make the test set anew")
    return file


def _nulls(file: pq.ParquetFile, group: int) -> Mask:
    """Which photos of a row group have no face. The jpegs are read only when the file's statistics do not tell it."""
    metadata = file.metadata.row_group(group)
    statistics = metadata.column(file.schema_arrow.names.index("jpeg")).statistics
    if statistics is not None and statistics.has_null_count and not statistics.null_count:
        return np.zeros(metadata.num_rows, bool)
    column = file.read_row_group(group, ["jpeg"], use_threads=False)["jpeg"]
    return np.asarray(column.is_null().to_numpy(), bool)


def _rows(face_ids: pa.ChunkedArray, ids: pa.ChunkedArray, folder: Path) -> NDArray[np.intp]:
    """The position of each face_id of a pair among all ids. Raises UserError for an unknown one."""
    rows = pc.index_in(face_ids, value_set=ids)
    if rows.null_count:
        unknown = face_ids.filter(rows.is_null())[0].as_py()
        raise UserError(
            f"{folder / 'pairs.parquet'} lists the face {unknown}, which faces.parquet does not hold: "
            "make the test set anew"
        )
    return np.asarray(rows.to_numpy(), np.intp)


def _units(pairs: pa.Table) -> NDArray[np.int64] | None:
    """PairSet.unit: the persons in the columns unit and other, as numbers; a pair without a person has its own number.

    The array is [n] when the column other is empty, and [n, 2] when it is not.
    """
    columns = [pairs[c] for c in ("unit", "other") if pairs[c].null_count < len(pairs)]
    if not columns:
        return None
    persons = pc.unique(pa.chunked_array([c for column in columns for c in column.chunks]).drop_null())
    codes = [pc.index_in(column, value_set=persons).to_numpy(zero_copy_only=False) for column in columns]
    own_numbers = len(persons) + np.arange(len(pairs))
    filled = [
        np.where(column.is_null().to_numpy(), own_numbers, np.nan_to_num(c))
        for column, c in zip(columns, codes, strict=True)
    ]
    stacked = np.stack(filled, 1)
    numbers = np.asarray(np.unique(stacked, return_inverse=True)[1].reshape(stacked.shape), np.int64)
    return numbers[:, 0] if len(filled) == 1 else numbers


def _decode(jpeg: pa.BinaryScalar, path: Path, row: int) -> NDArray[np.uint8]:
    face = cv2.imdecode(np.frombuffer(jpeg.as_buffer(), np.uint8), cv2.IMREAD_COLOR)
    if face is None:
        raise UserError(f"{path} row {row} is not a picture: make the test set anew")
    return np.asarray(face, np.uint8)
