"""A set of verification questions on disk: aligned faces, and which two of them may be one person.

A folder of two files (columns in pipeline.schema): faces.parquet, a row a photo, the jpeg null where no face was found,
and pairs.parquet. Faces are decoded a few at a time; only vectors are held for all of them.
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

PAIRS_AT_ONCE = 1 << 14  # of d = 512, 64 MB of gathered vectors
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class PairSet:
    """n questions about m photos: a and b [n] are rows of the faces, there [m] says which photos have a face.

    unit: [n], or [n, 2], the numbers of the people that a pair hangs on (see bootstrap); None where nobody is named.
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
        """Pairs that lack a face and are answered "different" unseen."""
        return int((~(self.has_face[self.a] & self.has_face[self.b])).sum())


def load_pairs(folder: str | Path) -> PairSet:
    """The pair set in a folder.

    Raises UserError when a file or column is missing, there are no pairs, or a pair names a face that is not there.
    """
    folder = Path(folder)
    faces, pairs = _open(folder / "faces.parquet", schema.TEST_FACES), _open(folder / "pairs.parquet", schema.PAIRS)
    asked = pairs.read(schema.PAIRS.names, use_threads=False)
    if not len(asked):
        raise UserError(f"{folder / 'pairs.parquet'} holds no pairs: give a test set that asks something")
    ids = faces.read(["face_id"], use_threads=False)["face_id"]
    there = [~_nulls(faces, g) for g in range(faces.num_row_groups)] or [np.zeros(0, bool)]
    a, b = (_rows(asked[c], ids, folder) for c in ("a", "b"))
    same, fold = (asked[c].to_numpy() for c in ("same", "fold"))
    return PairSet(folder, a, b, same.astype(bool), fold.astype(np.int64), _units(asked), np.concatenate(there))


def without_people(pairs: PairSet, names: Collection[str]) -> PairSet:
    """The questions about nobody of these: people by identity, photos by face_id.

    Raises UserError when nothing is left.
    """
    about = _open(pairs.folder / "faces.parquet", schema.TEST_FACES).read(["face_id", "identity"], use_threads=False)
    gone = np.zeros(len(about), bool)
    for column in ("face_id", "identity"):
        gone |= np.asarray(pc.is_in(about[column], value_set=pa.array(sorted(names), pa.string())))
    kept = ~(gone[pairs.a] | gone[pairs.b])
    if not kept.any():
        raise UserError(f"all {len(kept)} pairs of {pairs.folder.name} are about people found in the training data")
    unit = None if pairs.unit is None else pairs.unit[kept]
    return replace(pairs, a=pairs.a[kept], b=pairs.b[kept], same=pairs.same[kept], fold=pairs.fold[kept], unit=unit)


def faces(pairs: PairSet, *, batch: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.uint8]]]:
    """Rows [k] and BGR pictures [k, h, w, 3] of the faces that are asked about, at most `batch` at a time."""
    path = pairs.folder / "faces.parquet"
    file = _open(path, schema.TEST_FACES)
    asked = np.zeros(len(pairs.has_face), bool)
    asked[pairs.a] = asked[pairs.b] = True
    asked &= pairs.has_face
    first = 0
    for group in range(file.num_row_groups):
        jpegs = file.read_row_group(group, ["jpeg"], use_threads=False)["jpeg"]
        wanted = np.flatnonzero(asked[first : first + len(jpegs)])
        for start in range(0, len(wanted), batch):
            chosen = wanted[start : start + batch]
            yield first + chosen, np.stack([_decode(jpegs[int(i)], path, first + int(i)) for i in chosen])
        first += len(jpegs)


def pair_cosines(pairs: PairSet, x: NDArray[np.floating]) -> NDArray[np.float32]:
    """The cosine of every pair [n] of unit vectors x [m, d]; -1 where a face is missing."""
    found = np.full(len(pairs.same), -1, np.float32)
    seen = np.flatnonzero(pairs.has_face[pairs.a] & pairs.has_face[pairs.b])
    for start in range(0, len(seen), PAIRS_AT_ONCE):
        at = seen[start : start + PAIRS_AT_ONCE]
        a, b = (x[rows[at]].astype(np.float32) for rows in (pairs.a, pairs.b))
        found[at] = np.einsum("nd,nd->n", a, b)
    return found


def _open(path: Path, columns: pa.Schema) -> pq.ParquetFile:
    """A Parquet file that has these columns."""
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f"cannot read {path} ({' '.join(str(error).split())[:160]}): make the test set anew") from None
    found = file.schema_arrow
    wrong = [f"{f.name} {f.type}" for f in columns if f.name not in found.names or found.field(f.name).type != f.type]
    if wrong:
        raise UserError(f"{path} has no column {', '.join(wrong)}: make the test set anew")
    return file


def _nulls(file: pq.ParquetFile, group: int) -> Mask:
    """Which photos of a row group have no face; the pictures are read only where the file does not say "none"."""
    about = file.metadata.row_group(group)
    known = about.column(file.schema_arrow.names.index("jpeg")).statistics
    if known is not None and known.has_null_count and not known.null_count:
        return np.zeros(about.num_rows, bool)
    column = file.read_row_group(group, ["jpeg"], use_threads=False)["jpeg"]
    return np.asarray(column.is_null().to_numpy(), bool)


def _rows(names: pa.ChunkedArray, ids: pa.ChunkedArray, folder: Path) -> NDArray[np.intp]:
    rows = pc.index_in(names, value_set=ids)
    if rows.null_count:
        name = names.filter(rows.is_null())[0].as_py()
        raise UserError(
            f"{folder / 'pairs.parquet'} asks about the face {name}, which faces.parquet does not hold: "
            "make the test set anew"
        )
    return np.asarray(rows.to_numpy(), np.intp)


def _units(pairs: pa.Table) -> NDArray[np.int64] | None:
    """Numbers for the people a pair hangs on; a pair without a name stands for itself."""
    columns = [pairs[c] for c in ("unit", "other") if pairs[c].null_count < len(pairs)]
    if not columns:
        return None
    names = pc.unique(pa.chunked_array([c for column in columns for c in column.chunks]).drop_null())
    codes = [pc.index_in(column, value_set=names).to_numpy(zero_copy_only=False) for column in columns]
    alone = len(names) + np.arange(len(pairs))
    filled = [
        np.where(column.is_null().to_numpy(), alone, np.nan_to_num(c)) for column, c in zip(columns, codes, strict=True)
    ]
    stacked = np.stack(filled, 1)
    numbers = np.asarray(np.unique(stacked, return_inverse=True)[1].reshape(stacked.shape), np.int64)
    return numbers[:, 0] if len(filled) == 1 else numbers


def _decode(jpeg: pa.BinaryScalar, path: Path, row: int) -> NDArray[np.uint8]:
    picture = cv2.imdecode(np.frombuffer(jpeg.as_buffer(), np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise UserError(f"{path} row {row} is no picture: make the test set anew")
    return np.asarray(picture, np.uint8)
