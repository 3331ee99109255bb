"""The faces table: each photo's bytes are read once, here, and only the aligned face is kept.

A photo that gives no face keeps its row, with the reason in `failure`; nothing is dropped and nothing substituted.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import islice
from typing import Any, NamedTuple

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline import schema
from pipeline.errors import UserError
from pipeline.faces import quality
from pipeline.faces.align import SIZE, align_face
from pipeline.faces.detect import LARGEST, main_face
from pipeline.faces.model_file import HELPERS
from pipeline.faces.picture import Image, UnreadablePhoto, decode, decode_shrink, pixels
from pipeline.faces.protocols import DetectedFaces, FaceDetector
from pipeline.faces.sketch import sketch
from pipeline.sources.index import SourceLocation
from pipeline.sources.kinds import source_format
from pipeline.sources.photo import Photo, PhotoChanged
from pipeline.tables.prefetch import prefetch
from pipeline.tables.table import Shard, read_shard

JPEG_QUALITY = 95  # of faces cut from photos; those that come aligned keep their own bytes
ROWS = 128  # faces turned to columns at a time: as Python's objects they take twice as much memory
LARGE = 1 << 24  # pixels, 50 MB; of larger photos a worker holds one at a time
Row = dict[str, Any]


class Opened(NamedTuple):
    """A photo that is read, and its row so far.

    image: decoded, so many times smaller than it is; None: it is LARGE. box: of the face that is meant. aligned: the
    photo is an aligned crop already.
    """

    row: Row
    data: bytes
    image: Image | None
    shrink: int
    box: Sequence[float] | None
    aligned: bool


class Seen(NamedTuple):
    """A photo, its pixels, and the faces that a detector finds in them."""

    photo: Opened
    image: Image
    faces: DetectedFaces


class NoFace(ValueError):  # noqa: N818
    """A picture in which no face can be found or aligned."""


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

    aligned: the photos are aligned crops already and stay as they are; detection only reports.
    locations: of each source by its name. reuse: shards of photos of a former run and the faces made of
    them just so; a photo that is still the same file is not looked at again.
    """
    photos = read_shard(root, part).to_pylist()
    known = _known(root, photos, reuse)
    opened = prefetch(
        lambda photo: _opened(photo, known.get(photo["face_id"]), aligned, locations), photos, threads=HELPERS
    )
    rows = prefetch(_finished, (_looked_at(photo, detector) for photo in opened), threads=HELPERS)
    made = [schema.FACES.empty_table()]
    while some := list(islice(rows, ROWS)):
        made.append(pa.Table.from_pylist(some, schema=schema.FACES))
    return pa.concat_tables(made)


def _known(root: str, photos: Sequence[Row], reuse: Sequence[tuple[Shard, Shard]]) -> dict[str, Row]:
    """The rows of faces that a former run made of these very photos, by face_id; what was unreadable is tried again."""
    now = {photo["face_id"]: photo for photo in photos}
    known = {}
    for then, faces in reuse:
        same = [_file(now.get(photo["face_id"])) == _file(photo) for photo in read_shard(root, then).to_pylist()]
        if any(same):
            for row in read_shard(root, faces).filter(pa.array(same)).to_pylist():
                if not (row["failure"] or "").startswith("unreadable"):
                    known[row["face_id"]] = row | {"identity": now[row["face_id"]]["identity"]}
    return known


def _file(photo: Row | None) -> Row | None:
    """A row of photos without the name that it claims, which no face depends on."""
    return photo and {name: value for name, value in photo.items() if name != "identity"}


def _opened(photo: Row, known: Row | None, aligned: bool, locations: Mapping[str, SourceLocation]) -> Row | Opened:
    """A photo read and decoded, or its row where there is nothing to look at."""
    if known:
        return known
    row: Row = {"face_id": photo["face_id"], "identity": photo["identity"]}
    try:
        if photo["failure"]:
            raise UnreadablePhoto(photo["failure"].removeprefix("unreadable: "))
        data = read_photo(photo, locations)
        row["sha"] = sha256(data).hexdigest()
        shrink = 1 if aligned else decode_shrink(data, LARGEST)  # it is decoded no larger than the detector sees it
        image = decode(data, shrink) if pixels(data) <= LARGE * shrink**2 else None
    except (UnreadablePhoto, PhotoChanged) as error:
        return row | {"failure": f"unreadable: {error}"}
    return Opened(row, data, image, shrink, None if aligned else photo["box"], aligned)


def _looked_at(photo: Row | Opened, detector: FaceDetector) -> Row | Seen:
    """A photo and the faces in it, or its row; a large photo is decoded here, and done with before the next one."""
    if isinstance(photo, dict):
        return photo
    if photo.image is not None:
        return Seen(photo, photo.image, detector(photo.image))
    try:
        image = decode(photo.data, photo.shrink)
    except UnreadablePhoto as error:
        return photo.row | {"failure": f"unreadable: {error}"}
    return _finished(Seen(photo, image, detector(image)))


def _finished(seen: Row | Seen) -> Row:
    """The row of faces of a photo."""
    if isinstance(seen, dict):
        return seen
    row = seen.photo.row
    try:
        return row | (_as_it_is(*seen) if seen.photo.aligned else _cut(*seen))
    except UnreadablePhoto as error:
        return row | {"failure": f"unreadable: {error}"}
    except NoFace as error:
        return row | {"failure": f"no_face: {error}"}


def read_photo(photo: Row, locations: Mapping[str, SourceLocation]) -> bytes:
    """The bytes of a row of photos. Raises PhotoChanged when they are not there any more."""
    kind, path = locations[photo["source"]]
    names = (name for name in Photo._fields if name not in ("failure",))
    return source_format(kind).read(path, Photo(**{name: photo[name] for name in names}))


def _cut(photo: Opened, image: Image, found: DetectedFaces) -> Row:
    """What is kept of a photo, which is decoded once more where its face needs all pixels."""
    face, faces, i = align_main_face(image, found, photo.box, shrink=photo.shrink)
    if photo.shrink > 1 and quality.face_size(faces.landmarks[i]) < photo.shrink * SIZE:
        face = _aligned(decode(photo.data), faces, i)
    return {"jpeg": to_jpeg(face)} | measure_face(face) | _seen(faces, i)


def align_main_face(
    image: Image, faces: DetectedFaces, box: Sequence[float] | None = None, *, shrink: int = 1
) -> tuple[Image, DetectedFaces, int]:
    """The aligned face [112, 112, 3] a picture is about, all faces of the photo, and which of them it is.

    faces: those that a detector finds in the picture. shrink: how many times larger the photo is, in whose pixels the
    box is told and the faces are given back.

    Raises NoFace when there is none, or none that can be aligned.
    """
    if not len(faces.scores):
        raise NoFace("the detector finds none")
    height, width = image.shape[:2]
    whole = DetectedFaces(faces.boxes * shrink, faces.scores, faces.landmarks * shrink)
    i = main_face(whole, width=width * shrink, height=height * shrink, box=None if box is None else tuple(box))
    return _aligned(image, faces, i), whole, i


def _aligned(image: Image, faces: DetectedFaces, i: int) -> Image:
    try:
        return align_face(image, faces.landmarks[i])
    except (ValueError, cv2.error) as error:
        raise NoFace(f"the landmarks cannot be aligned ({error})") from None


def _as_it_is(photo: Opened, image: Image, faces: DetectedFaces) -> Row:
    if image.shape[:2] == (SIZE, SIZE):
        face, jpeg = image, photo.data
    else:
        face = np.asarray(cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.uint8)
        jpeg = to_jpeg(face)
    seen = _seen(faces, main_face(faces, width=image.shape[1], height=image.shape[0])) if len(faces.scores) else {}
    return {"jpeg": jpeg} | measure_face(face) | seen


def measure_face(face: Image) -> Row:
    """What an aligned face [112, 112, 3] says of itself: its sketch, sharpness and exposure."""
    return {"sketch": sketch(face), "sharpness": quality.sharpness(face), "exposure": quality.exposure(face)}


def _seen(faces: DetectedFaces, i: int) -> Row:
    points: NDArray[np.float32] = faces.landmarks[i]
    return {
        "landmarks": points.ravel().tolist(),
        "score": float(faces.scores[i]),
        "others": min(len(faces.scores) - 1, 32767),
        "yaw": quality.yaw(points),
        "size_px": quality.face_size(points),
    }


def to_jpeg(face: Image) -> bytes:
    """A face [h, w, 3] as JPEG bytes. Raises UserError when OpenCV was built without JPEG."""
    done, data = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise UserError("this OpenCV cannot write JPEG: install opencv-python from PyPI")
    return bytes(data)
