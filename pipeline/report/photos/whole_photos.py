"""Whole photos for a page, with a box around every face: only they show that another person's face was cut out."""

import json
from base64 import b64encode
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline import schema
from pipeline.faces.picture import Image, UnreadablePhoto, decode, decode_shrink
from pipeline.refinement import Refinement
from pipeline.sources.index import PhotoRow, SourceLocation, read_photo
from pipeline.sources.photo import PhotoChanged, SourceUnreachable
from pipeline.tables.face_rows import rows_of_faces

SIDE_PX, JPEG_QUALITY = 480, 70  # of the longer side: about 30 KB for each photo
MIN_BYTES = 4000  # a photo is hardly smaller
CUT_BGR, OTHER_BGR = (60, 200, 255), (255, 255, 255)  # amber: the face that was cut out; white: the others
Points = Sequence[float]  # x, y of five landmarks in the photo's pixels


class FacesOfPhoto(NamedTuple):
    """The landmarks of the faces of one photo: of the face that was cut out, and of the others that are known."""

    cut: Points
    others: list[Points]


def whole_photos(refinement: Refinement, faces: Sequence[str], *, max_bytes: int) -> dict[str, str]:
    """Data URLs of the photos of the first of these faces, by face_id, as many as fit into max_bytes.

    Faces of test sets, aligned crops, and photos whose file is gone or changed have none. Photos are read one by one.
    """
    order = list(dict.fromkeys(faces))[: max_bytes // MIN_BYTES]
    if not order or refinement.options.aligned:
        return {}
    names = schema.PHOTOS.names
    rows = (dict(zip(names, row, strict=True)) for row in rows_of_faces(refinement.photos, order, names))
    photos = {row["face_id"]: PhotoRow(**row) for row in rows}
    boxed = _faces_of_photos(refinement, order)
    locations = {name: SourceLocation(*at) for name, at in refinement.options.sources.items()}
    addresses: dict[str, str] = {}
    spent = 0
    for face in (f for f in order if f in photos and f in boxed):
        address = _address(photos[face], locations, boxed[face])
        spent += len(address)
        if spent > max_bytes:
            break
        if address:
            addresses[face] = address
    return addresses


def photo_script(photos: Mapping[str, str]) -> str:
    """HTML of the data from which the page's script shows the whole photo of an enlarged face; "" for no photos."""
    if not photos:
        return ""
    data = json.dumps(dict(photos), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="whole-photos">{data}</script>'


def _faces_of_photos(refinement: Refinement, face_ids: Sequence[str]) -> dict[str, FacesOfPhoto]:
    """By face_id the faces of the photo: the one in force, the one that the detector's rule took, and further ones."""
    points = ("face_id", "landmarks")
    cut = {face: marks for face, marks in rows_of_faces(refinement.faces, face_ids, points) if marks is not None}
    others: dict[str, list[Points]] = defaultdict(list)
    if refinement.main_faces is not None:
        for face, marks in rows_of_faces(refinement.main_faces, list(cut), points):
            others[face].append(marks)
    wanted = pa.array(list(cut), pa.string())
    for shard in refinement.candidates.batches(["photo", "landmarks"]) if refinement.candidates is not None else ():
        rows = shard.filter(pc.is_in(shard["photo"], value_set=wanted))
        for face, marks in zip(rows["photo"].to_pylist(), rows["landmarks"].to_pylist(), strict=True):
            others[face].append(marks)
    return {face: FacesOfPhoto(marks, [o for o in others[face] if o != marks]) for face, marks in cut.items()}


def _address(photo: PhotoRow, locations: Mapping[str, SourceLocation], faces: FacesOfPhoto) -> str:
    """The photo with its boxes as a small JPEG in a data URL; empty where it cannot be shown."""
    try:
        data = read_photo(photo, locations)
        shrink = decode_shrink(data, SIDE_PX)
        image = decode(data, shrink)
    except (PhotoChanged, SourceUnreachable, UnreadablePhoto):
        return ""
    encoded = bytes(cv2.imencode(".jpg", draw_boxes(image, faces, shrink), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])
    return "data:image/jpeg;base64," + b64encode(encoded).decode()


def draw_boxes(image: Image, faces: FacesOfPhoto, shrink: int = 1) -> Image:
    """The photo, at most SIDE_PX large, with a white box around each face and an amber one around that which was cut.

    image: the photo, each side `shrink` times shorter.
    """
    scale = min(1.0, SIDE_PX / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    view = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    for marks, colour in (*((marks, OTHER_BGR) for marks in faces.others), (faces.cut, CUT_BGR)):
        low, high = _box(np.array(marks, float).reshape(5, 2) * (scale / shrink))
        cv2.rectangle(view, low, high, (0, 0, 0), 4, cv2.LINE_AA)
        cv2.rectangle(view, low, high, colour, 2, cv2.LINE_AA)
    return np.asarray(view, np.uint8)


def _box(points: NDArray[np.float64]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Two corners of a square around a face, which is about as wide as the aligned face."""
    centre = points.mean(0)
    half = 1.9 * float(np.abs(points - centre).max()) + 1
    (x1, y1), (x2, y2) = (centre - half).astype(int).tolist(), (centre + half).astype(int).tolist()
    return (x1, y1), (x2, y2)
