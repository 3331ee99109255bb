"""Pictures for annotators: the aligned face enlarged, and beside it the whole photo with a box around the face."""

from collections.abc import Collection, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import schema
from pipeline.faces.picture import UnreadablePhoto, decode
from pipeline.refinement import Refinement
from pipeline.sources.index import PhotoRow, SourceLocation, read_photo
from pipeline.sources.photo import PhotoChanged, SourceUnreachable
from pipeline.tables.face_rows import rows_of_faces

FACE_PX = 224  # side of the enlarged face, and height of the photo beside it
MAX_PHOTO_WIDTH_PX = 320
GAP_PX = 6
JPEG_QUALITY = 88
BOX_BGR = (60, 200, 255)  # amber, which neither skin nor most backgrounds are
Image = NDArray[np.uint8]  # [height, width, 3], BGR


def face_pictures(refinement: Refinement, face_ids: Collection[str]) -> dict[str, bytes]:
    """JPEG bytes of the picture of each face, by face_id; faces may be of the data or of its test sets.

    The picture is the face alone for a test face, for an aligned crop, and where the photo's file is gone or changed.
    """
    columns = ("face_id", "jpeg", "landmarks")
    tables = (refinement.faces, *refinement.test_faces)
    faces = {face: rest for table in tables for face, *rest in rows_of_faces(table, face_ids, columns)}
    photos: dict[str, PhotoRow] = {}
    if not refinement.options.aligned:
        names = schema.PHOTOS.names
        rows = (dict(zip(names, row, strict=True)) for row in rows_of_faces(refinement.photos, face_ids, names))
        photos = {row["face_id"]: PhotoRow(**row) for row in rows}
    locations = {name: SourceLocation(*location) for name, location in refinement.options.sources.items()}
    pictures = {}
    for face, (jpeg, landmarks) in faces.items():
        if jpeg is not None:
            photo = photos.get(face) if landmarks is not None else None
            view = None if photo is None else _photo_view(photo, landmarks, locations)
            pictures[face] = _jpeg(_side_by_side(decode(jpeg), view))
    return pictures


def _side_by_side(face: Image, photo_view: Image | None) -> Image:
    large = np.asarray(cv2.resize(face, (FACE_PX, FACE_PX), interpolation=cv2.INTER_CUBIC), np.uint8)
    if photo_view is None:
        return large
    gap = np.full((FACE_PX, GAP_PX, 3), 255, np.uint8)
    return np.concatenate([large, gap, photo_view], axis=1)


def _photo_view(photo: PhotoRow, landmarks: list[float], locations: Mapping[str, SourceLocation]) -> Image | None:
    """The photo, FACE_PX high and at most MAX_PHOTO_WIDTH_PX wide, with a box around the face; None where it is gone.

    landmarks: x, y of five points in the photo's pixels.
    """
    try:
        image = decode(read_photo(photo, locations))
    except (PhotoChanged, SourceUnreachable, UnreadablePhoto):
        return None
    points = np.array(landmarks, np.float32).reshape(5, 2)
    centre = points.mean(0)
    half_box = 1.9 * np.abs(points - centre).max() + 1
    scale = FACE_PX / image.shape[0]
    view = cv2.resize(image, (max(1, round(image.shape[1] * scale)), FACE_PX), interpolation=cv2.INTER_AREA)
    corners = [((centre + sign * half_box) * scale).astype(int).tolist() for sign in (-1, 1)]
    cv2.rectangle(view, *corners, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.rectangle(view, *corners, BOX_BGR, 2, cv2.LINE_AA)
    left = int(np.clip(centre[0] * scale - MAX_PHOTO_WIDTH_PX / 2, 0, max(0, view.shape[1] - MAX_PHOTO_WIDTH_PX)))
    return np.asarray(view[:, left : left + MAX_PHOTO_WIDTH_PX], np.uint8)


def _jpeg(image: Image) -> bytes:
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])
