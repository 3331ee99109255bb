"""Pictures for annotators: the aligned face enlarged, and beside it the whole photo with a box around the face; also
the same photo large.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import schema
from pipeline.faces.picture import UnreadablePhoto, decode
from pipeline.refinement import Refinement
from pipeline.review.questions.question import FacePicture
from pipeline.sources.index import PhotoRow, SourceLocation, read_photo
from pipeline.sources.photo import PhotoChanged, SourceUnreachable
from pipeline.tables.face_rows import rows_of_faces

FACE_PX = 224  # side of the enlarged face, and height of the photo beside it
MAX_PHOTO_WIDTH_PX = 320
GAP_PX = 6
JPEG_QUALITY = 88
BOX_BGR = (60, 200, 255)  # amber, which neither skin nor most backgrounds are
Image = NDArray[np.uint8]  # [height, width, 3], BGR


class StoredFace(NamedTuple):
    """The aligned face as JPEG bytes, five landmarks (x, y in the photo's pixels), and where its photo is."""

    jpeg: bytes
    landmarks: list[float] | None
    photo: PhotoRow | None  # None: there is no photo to show (a test face, an aligned crop)


@dataclass(frozen=True)
class FaceViews:
    """Makes the pictures of faces; photos are read when their picture is made, so only a few are in memory."""

    faces: Mapping[str, StoredFace]  # by face_id
    locations: Mapping[str, SourceLocation]  # of the sources, by name

    def pictures(
        self, with_photo: Collection[str], alone: Collection[str] = (), *, large_px: int
    ) -> dict[str, FacePicture]:
        """The pictures of those faces that have one, by face_id.

        with_photo: face_ids of faces beside their photo; alone: of further ones, whose photos are not read; large_px:
        the longest side of a large photo.
        """
        shown = dict.fromkeys(alone, False) | dict.fromkeys(with_photo, True)
        return {f: self._picture(self.faces[f], large_px, beside=b) for f, b in shown.items() if f in self.faces}

    def _picture(self, face: StoredFace, large_px: int, *, beside: bool) -> FacePicture:
        photo = self._photo(face) if beside else None
        large_face = np.asarray(
            cv2.resize(decode(face.jpeg), (FACE_PX, FACE_PX), interpolation=cv2.INTER_CUBIC), np.uint8
        )
        if photo is None or face.landmarks is None:
            return FacePicture(_jpeg(large_face), None)
        boxed = _cut_to_width(_boxed(photo, face.landmarks, FACE_PX / photo.shape[0]))
        scale = min(1.0, large_px / max(photo.shape[:2]))
        return FacePicture(_jpeg(_side_by_side(large_face, boxed)), _jpeg(_boxed(photo, face.landmarks, scale).image))

    def _photo(self, face: StoredFace) -> Image | None:
        """The photo of a face; None where there is none to show, or its file is gone or changed."""
        if face.photo is None or face.landmarks is None:
            return None
        try:
            return decode(read_photo(face.photo, self.locations))
        except (PhotoChanged, SourceUnreachable, UnreadablePhoto):
            return None


def read_face_views(refinement: Refinement, face_ids: Collection[str]) -> FaceViews:
    """The views of these faces, which may be of the data or of its test sets; photos are not read yet.

    A picture is the face alone for a test face, for an aligned crop, and where the photo's file is gone or changed.
    """
    photos: dict[str, PhotoRow] = {}
    if not refinement.options.aligned:
        names = schema.PHOTOS.names
        rows = (dict(zip(names, row, strict=True)) for row in rows_of_faces(refinement.photos, face_ids, names))
        photos = {row["face_id"]: PhotoRow(**row) for row in rows}
    tables = (refinement.faces, *refinement.test_faces)
    stored = (row for table in tables for row in rows_of_faces(table, face_ids, ("face_id", "jpeg", "landmarks")))
    faces = {f: StoredFace(jpeg, landmarks, photos.get(f)) for f, jpeg, landmarks in stored if jpeg is not None}
    return FaceViews(faces, {name: SourceLocation(*at) for name, at in refinement.options.sources.items()})


class _BoxedPhoto(NamedTuple):
    """A photo with a box around a face, and the x of the box's centre in its pixels."""

    image: Image
    centre_x: float


def _boxed(photo: Image, landmarks: list[float], scale: float) -> _BoxedPhoto:
    """The scaled photo with a box around the face; landmarks: x, y of five points in the pixels of `photo`."""
    points = np.array(landmarks, np.float32).reshape(5, 2)
    centre = points.mean(0)
    half_box = 1.9 * np.abs(points - centre).max() + 1
    size = (max(1, round(photo.shape[1] * scale)), max(1, round(photo.shape[0] * scale)))
    view = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    corners = [((centre + sign * half_box) * scale).astype(int).tolist() for sign in (-1, 1)]
    cv2.rectangle(view, *corners, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.rectangle(view, *corners, BOX_BGR, 2, cv2.LINE_AA)
    return _BoxedPhoto(np.asarray(view, np.uint8), float(centre[0] * scale))


def _cut_to_width(photo: _BoxedPhoto) -> Image:
    """The part of a photo around the box, at most MAX_PHOTO_WIDTH_PX wide."""
    image = photo.image
    left = int(np.clip(photo.centre_x - MAX_PHOTO_WIDTH_PX / 2, 0, max(0, image.shape[1] - MAX_PHOTO_WIDTH_PX)))
    return np.asarray(image[:, left : left + MAX_PHOTO_WIDTH_PX], np.uint8)


def _side_by_side(face: Image, photo: Image) -> Image:
    gap = np.full((FACE_PX, GAP_PX, 3), 255, np.uint8)
    return np.concatenate([face, gap, photo], axis=1)


def _jpeg(image: Image) -> bytes:
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])
