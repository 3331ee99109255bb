"""The faces table: each photo's bytes are read once, here, and only the aligned face is kept.

A photo that gives no face keeps its row, with the reason in `failure`. Each photo is read and decoded, searched for
faces, and cut; while the detector works on one photo, other threads decode the next and cut the one before.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from typing import NamedTuple

import cv2
import numpy as np
import pyarrow as pa

from pipeline import schema
from pipeline.faces import quality
from pipeline.faces.align import SIZE, NoFace, align_from_landmarks, align_main_face, main_face
from pipeline.faces.detect import MAX_SIDE
from pipeline.faces.model_file import HELPERS
from pipeline.faces.picture import Image, UnreadablePhoto, decode, decode_shrink, pixel_count, to_jpeg
from pipeline.faces.protocols import DetectedFaces, FaceDetector
from pipeline.sources.index import PhotoRow, SourceLocation, read_photo
from pipeline.sources.photo import PhotoChanged
from pipeline.tables.prefetch import prefetch
from pipeline.tables.table import Shard, read_shard

ROWS = 128  # faces made into columns at a time: as Python objects they take twice as much memory
LARGE = 1 << 24  # pixels, 50 MB; of larger photos a worker holds one at a time
MAX_OTHERS = 32767  # what the column's 16 bits hold


class FaceRow(NamedTuple):
    """A row of the faces table: see schema.FACES."""

    face_id: str
    identity: str | None
    sha: str | None = None
    sketch: bytes | None = None
    jpeg: bytes | None = None
    landmarks: list[float] | None = None
    score: float | None = None
    others: int | None = None
    sharpness: float | None = None
    exposure: float | None = None
    yaw: float | None = None
    size_px: float | None = None
    failure: str | None = None


class DecodedPhoto(NamedTuple):
    """A photo that was read, and its row so far.

    image: [h, w, 3], each side `shrink` times shorter than the photo's; None: the photo is LARGE and not decoded yet.
    box: of the face that the photo is about. aligned: the photo is an aligned crop already.
    """

    row: FaceRow
    data: bytes
    image: Image | None
    shrink: int
    box: Sequence[float] | None
    aligned: bool


class DetectedPhoto(NamedTuple):
    """A photo, its pixels, and the faces that a detector finds in them."""

    photo: DecodedPhoto
    image: Image
    faces: DetectedFaces


def extract_shard(
    part: Shard,
    *,
    root: str,
    detector: FaceDetector,
    aligned: bool,
    locations: Mapping[str, SourceLocation],
    reuse: Sequence[tuple[Shard, Shard]] = (),
) -> pa.Table:
    """The faces of one shard of photos, row by row.

    aligned: the photos are aligned crops and are kept as they are; the detector only adds measures. locations: of each
    source by its name. reuse: shards of photos of an earlier run and the faces made from them with the same detector;
    where a photo is still the same file, its face is taken from there.
    """
    photos = [PhotoRow(**row) for row in read_shard(root, part).to_pylist()]
    earlier = _earlier_faces(root, photos, reuse)
    decoded = prefetch(
        lambda photo: earlier.get(photo.face_id) or _decode(photo, aligned=aligned, locations=locations),
        photos,
        threads=HELPERS,
    )
    rows = prefetch(_finish, (_detect(photo, detector) for photo in decoded), threads=HELPERS)
    return pa.concat_tables(_tables(rows))


def _tables(rows: Iterator[FaceRow]) -> Iterator[pa.Table]:
    yield schema.FACES.empty_table()
    while some_rows := list(islice(rows, ROWS)):
        yield pa.Table.from_pylist([row._asdict() for row in some_rows], schema=schema.FACES)


def _earlier_faces(root: str, photos: Sequence[PhotoRow], reuse: Sequence[tuple[Shard, Shard]]) -> dict[str, FaceRow]:
    """The faces that an earlier run made of these very photos, by face_id, except those that could not be read then."""
    now = {photo.face_id: photo for photo in photos}
    faces = {}
    for photos_then, faces_then in reuse:
        then = (PhotoRow(**row) for row in read_shard(root, photos_then).to_pylist())
        same = [_same_file(now.get(photo.face_id), photo) for photo in then]
        if any(same):
            for row in read_shard(root, faces_then).filter(pa.array(same)).to_pylist():
                face = FaceRow(**row)
                if not (face.failure or "").startswith("unreadable"):
                    faces[face.face_id] = face._replace(identity=now[face.face_id].identity)
    return faces


def _same_file(now: PhotoRow | None, then: PhotoRow) -> bool:
    """Whether two rows are the same photo in the same file. The claimed identity may differ: no face depends on it."""
    return now is not None and now._replace(identity=None) == then._replace(identity=None)


def _decode(photo: PhotoRow, *, aligned: bool, locations: Mapping[str, SourceLocation]) -> FaceRow | DecodedPhoto:
    """A photo read and decoded; its finished row where it cannot be."""
    row = FaceRow(photo.face_id, photo.identity)
    try:
        if photo.failure:
            raise UnreadablePhoto(photo.failure.removeprefix("unreadable: "))
        data = read_photo(photo, locations)
        row = row._replace(sha=sha256(data).hexdigest())
        shrink = 1 if aligned else decode_shrink(data, MAX_SIDE)  # no larger than the detector sees it
        image = decode(data, shrink) if pixel_count(data) <= LARGE * shrink**2 else None
    except (UnreadablePhoto, PhotoChanged) as error:
        return row._replace(failure=f"unreadable: {error}")
    return DecodedPhoto(row, data, image, shrink, None if aligned else photo.box, aligned)


def _detect(photo: FaceRow | DecodedPhoto, detector: FaceDetector) -> FaceRow | DetectedPhoto:
    """A photo and the faces in it; a LARGE one is decoded here and finished before the next, a finished row is kept."""
    if isinstance(photo, FaceRow):
        return photo
    if photo.image is not None:
        return DetectedPhoto(photo, photo.image, detector(photo.image))
    try:
        image = decode(photo.data, photo.shrink)
    except UnreadablePhoto as error:
        return photo.row._replace(failure=f"unreadable: {error}")
    return _finish(DetectedPhoto(photo, image, detector(image)))


def _finish(detected: FaceRow | DetectedPhoto) -> FaceRow:
    """The row of faces of a photo."""
    if isinstance(detected, FaceRow):
        return detected
    try:
        return _keep_aligned(*detected) if detected.photo.aligned else _cut(*detected)
    except UnreadablePhoto as error:
        return detected.photo.row._replace(failure=f"unreadable: {error}")
    except NoFace as error:
        return detected.photo.row._replace(failure=f"no_face: {error}")


def _cut(photo: DecodedPhoto, image: Image, detected: DetectedFaces) -> FaceRow:
    """The row of a photo's main face; the photo is decoded again, whole, if its face is small enough to need that."""
    face, faces, i = align_main_face(image, detected, photo.box, shrink=photo.shrink)
    if photo.shrink > 1 and quality.face_size(faces.landmarks[i]) < photo.shrink * SIZE:
        face = align_from_landmarks(decode(photo.data), faces.landmarks[i])
    return _with_measures(_with_detection(photo.row, faces, i), face, to_jpeg(face))


def _keep_aligned(photo: DecodedPhoto, image: Image, faces: DetectedFaces) -> FaceRow:
    """The row of an aligned crop: its own bytes if its size is right, else resized."""
    if image.shape[:2] == (SIZE, SIZE):
        face, jpeg = image, photo.data
    else:
        face = np.asarray(cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.uint8)
        jpeg = to_jpeg(face)
    row = photo.row
    if len(faces.scores):
        row = _with_detection(row, faces, main_face(faces, width=image.shape[1], height=image.shape[0]))
    return _with_measures(row, face, jpeg)


def _with_measures(row: FaceRow, face: Image, jpeg: bytes) -> FaceRow:
    return row._replace(jpeg=jpeg, **quality.measure_face(face)._asdict())


def _with_detection(row: FaceRow, faces: DetectedFaces, i: int) -> FaceRow:
    landmarks = faces.landmarks[i]
    return row._replace(
        landmarks=landmarks.ravel().tolist(),
        score=float(faces.scores[i]),
        others=min(len(faces.scores) - 1, MAX_OTHERS),
        yaw=quality.yaw(landmarks),
        size_px=quality.face_size(landmarks),
    )
