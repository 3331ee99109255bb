"""Pictures for people: the aligned face, large, and beside it the photo that it comes from with a box around it."""

from collections.abc import Collection, Mapping
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline import schema
from pipeline.faces.picture import UnreadablePhoto, decode
from pipeline.refinement import Refinement
from pipeline.review.questions.cases import among
from pipeline.sources.index import PhotoRow, read_photo
from pipeline.sources.photo import PhotoChanged

SIDE = 224  # pixels of a face, and the height of its photo
WIDEST = 320  # pixels of the photo beside it
GAP = 6
QUALITY = 88
BOX = (60, 200, 255)  # BGR: amber, which neither skin nor most backgrounds are
Image = NDArray[np.uint8]


def pictures(done: Refinement, faces: Collection[str]) -> dict[str, bytes]:
    """JPEG bytes for each of the faces, by face_id, training data or test set; one pass over the tables.

    A photo that is not there any more is left out of its picture: the face is kept in the tables.
    """
    wanted = pa.array(sorted(faces), pa.string())
    columns = ["face_id", "jpeg", "landmarks"]
    tables = (done.faces, *done.test_faces)
    rows = {r["face_id"]: r for table in tables for r in among(table, wanted, columns)}
    photos: dict[str, Any] = {}
    if not done.options.aligned:
        photos = {r["face_id"]: r for r in among(done.photos, wanted, schema.PHOTOS.names)}
    where = done.options.sources
    return {f: _jpeg(_beside(row, photos.get(f), where)) for f, row in rows.items() if row["jpeg"] is not None}


def _beside(row: Mapping[str, Any], photo: Mapping[str, Any] | None, where: Mapping[str, Any]) -> Image:
    face = decode(row["jpeg"])
    large = np.asarray(cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)
    whole = None if photo is None or row["landmarks"] is None else _context(photo, row["landmarks"], where)
    if whole is None:
        return large
    gap = np.full((SIDE, GAP, 3), 255, np.uint8)
    return np.concatenate([large, gap, whole], axis=1)


def _context(photo: Mapping[str, Any], landmarks: list[float], where: Mapping[str, Any]) -> Image | None:
    """The photo, SIDE pixels high, around the face where it is too wide, the face in a box."""
    try:
        image = decode(read_photo(PhotoRow(**photo), where))
    except (PhotoChanged, UnreadablePhoto):
        return None
    points = np.array(landmarks, np.float32).reshape(5, 2)
    middle = points.mean(0)
    half = 1.9 * np.abs(points - middle).max() + 1
    scale = SIDE / image.shape[0]
    small = cv2.resize(image, (max(1, round(image.shape[1] * scale)), SIDE), interpolation=cv2.INTER_AREA)
    corner, far = ((middle - half) * scale).astype(int).tolist(), ((middle + half) * scale).astype(int).tolist()
    cv2.rectangle(small, corner, far, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.rectangle(small, corner, far, BOX, 2, cv2.LINE_AA)
    left = int(np.clip(middle[0] * scale - WIDEST / 2, 0, max(0, small.shape[1] - WIDEST)))
    return np.asarray(small[:, left : left + WIDEST], np.uint8)


def _jpeg(image: Image) -> bytes:
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])
