"""Pictures of photos for the pages: an aligned face as it is stored, and the whole photo, decoded and encoded anew.

Nothing of a photo's file reaches the browser but its pixels.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.browse.snapshot import Snapshot
from pipeline.errors import UserError
from pipeline.faces.picture import UnreadablePhoto, decode, decode_shrink
from pipeline.sources.index import PhotoRow, SourceLocation, read_photo
from pipeline.sources.photo import PhotoChanged, SourceUnreachable
from pipeline.tables.parquet import JPEG_ROW_GROUP_ROWS
from pipeline.tables.table import Shard, Table, read_shard, read_slice

LARGE_PX, JPEG_QUALITY = 1600, 85  # of the longer side of a whole photo
CACHED_GROUPS = 12  # blocks of faces in memory, about 4 MB each
Box = tuple[float, float, float, float]


class BoxedFace(NamedTuple):
    """A face of a photo as a share of the photo's sides: left, top, right, bottom; whether it is the one in force."""

    box: Box
    chosen: bool


class WholePhoto(NamedTuple):
    """A photo as JPEG bytes; sides: of the original in pixels, width first."""

    jpeg: bytes
    sides: tuple[int, int]


def check_not_erased(snapshot: Snapshot, row: int) -> None:
    """Raises UserError for a photo that was erased on request: its file may still be there, and is shown to nobody."""
    if snapshot.reason(row) == "erased":
        raise UserError("this photo was erased on request: it is not shown, and nobody is asked about it")


def face_jpeg(snapshot: Snapshot, row: int) -> bytes:
    """The aligned face of a photo as JPEG bytes. Raises UserError where the photo has none, or was erased."""
    check_not_erased(snapshot, row)
    shard, at = snapshot.photos.place(row)
    table = snapshot.refinement.faces
    block = at // JPEG_ROW_GROUP_ROWS
    faces = _block(table.root, table.shards[shard], block)
    jpeg = faces[at - block * JPEG_ROW_GROUP_ROWS].as_py()
    if not jpeg:
        raise UserError("no face of this photo is kept")
    return bytes(jpeg)


@lru_cache(maxsize=CACHED_GROUPS)
def _block(root: str, shard: Shard, block: int) -> pa.ChunkedArray:
    """The faces of one row group of a shard; the faces of an identity are beside each other."""
    return read_slice(root, shard, block * JPEG_ROW_GROUP_ROWS, JPEG_ROW_GROUP_ROWS)["jpeg"]


def whole_photo(snapshot: Snapshot, row: int) -> WholePhoto:
    """The photo, at most LARGE_PX large.

    Raises UserError where it was erased on request, or its file is gone, has changed or is no picture.
    """
    check_not_erased(snapshot, row)
    locations = {name: SourceLocation(*at) for name, at in snapshot.refinement.options.sources.items()}
    photo = PhotoRow(*(photo_values(snapshot.refinement.photos, snapshot, row, schema.PHOTOS.names)))
    if photo.source not in locations or photo.failure:
        raise UserError("the source of this photo is not known here")
    try:
        data = read_photo(photo, locations)
        shrink = decode_shrink(data, LARGE_PX)
        image = decode(data, shrink)
    except (PhotoChanged, SourceUnreachable, UnreadablePhoto) as error:
        raise UserError(f"the photo cannot be shown: {error}") from None
    height, width = image.shape[:2]
    scale = min(1.0, LARGE_PX / max(height, width))
    view = cv2.resize(
        image, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    jpeg = bytes(cv2.imencode(".jpg", view, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])
    return WholePhoto(jpeg, (width * shrink, height * shrink))


def boxed_faces(snapshot: Snapshot, row: int, sides: tuple[int, int]) -> list[BoxedFace]:
    """Every face that was found in a photo, the one in force first; sides: of the photo in pixels."""
    refinement, face = snapshot.refinement, snapshot.photos.face_id(row)
    chosen = photo_values(refinement.faces, snapshot, row, ["landmarks"])[0]
    if chosen is None or refinement.options.aligned:
        return []
    others = []
    if refinement.main_faces is not None:
        others.append(photo_values(refinement.main_faces, snapshot, row, ["landmarks"])[0])
    if refinement.candidates is not None:
        shard, _ = snapshot.photos.place(row)
        candidates = refinement.candidates.shards
        if len(candidates) == len(refinement.faces.shards):
            candidates = [candidates[shard]]
        for of in candidates:
            rows = read_shard(refinement.root, of, ["photo", "landmarks"])
            others += rows.filter(pc.equal(rows["photo"], face))["landmarks"].to_pylist()
    boxes = [BoxedFace(_box(chosen, sides), True)]
    return boxes + [BoxedFace(_box(marks, sides), False) for marks in others if marks and marks != chosen]


def photo_values(table: Table, snapshot: Snapshot, row: int, columns: Sequence[str]) -> list[Any]:
    """The values of these columns in a photo's row of a table that has the rows of the photos."""
    shard, at = snapshot.photos.place(row)
    values = read_shard(table.root, table.shards[shard], columns)
    return [values[c][at].as_py() for c in columns]


def _box(marks: Sequence[float], sides: tuple[int, int]) -> Box:
    """A square around five landmarks, about as wide as the aligned face, as shares of the photo's sides."""
    points = np.array(marks, float).reshape(5, 2)
    centre = points.mean(0)
    half = 1.9 * float(np.abs(points - centre).max()) + 1
    low, high = np.clip((centre - half) / sides, 0, 1), np.clip((centre + half) / sides, 0, 1)
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
