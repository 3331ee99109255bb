"""The faces table: each photo's bytes are read once, here, and only the aligned face is kept.

A photo that gives no face keeps its row, with the reason in `failure`; nothing is dropped and nothing substituted.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline import schema
from pipeline.errors import UserError
from pipeline.faces import quality
from pipeline.faces.align import SIZE, warp
from pipeline.faces.detect import LARGEST, Detector, Faces, meant
from pipeline.faces.picture import Image, Unreadable, decode, shrinks
from pipeline.noise.duplicates import sketch
from pipeline.sources import Changed, Photo, source
from pipeline.table import Shard, read_shard

JPEG_QUALITY = 95  # of faces cut from photos; those that come aligned keep their own bytes
ROWS = 128  # faces turned to columns at a time: as Python's objects they take twice as much memory
Row = dict[str, Any]


class NoFace(ValueError):  # noqa: N818
    """A picture in which no face can be found or aligned."""


def extract_shard(
    part: Shard,
    *,
    root: str,
    detector: Detector,
    aligned: bool,
    where: Mapping[str, tuple[str, str]],
    before: Sequence[tuple[Shard, Shard]] = (),
) -> pa.Table:
    """The faces of one shard of photos, row by row.

    aligned: the photos are aligned crops already and stay as they are; detection only reports.
    where: kind and path of each source by its name. before: shards of photos of a former run and the faces made of
    them just so; a photo that is still the same file is not looked at again.
    """
    photos = read_shard(root, part).to_pylist()
    known = _known(root, photos, before)
    made = [schema.FACES.empty_table()]
    for at in range(0, len(photos), ROWS):
        some = photos[at : at + ROWS]
        rows = [known.get(photo["face_id"]) or _row(photo, detector, aligned, where) for photo in some]
        made.append(pa.Table.from_pylist(rows, schema=schema.FACES))
    return pa.concat_tables(made)


def _known(root: str, photos: Sequence[Row], before: Sequence[tuple[Shard, Shard]]) -> dict[str, Row]:
    """The rows of faces that a former run made of these very photos, by face_id; what was unreadable is tried again."""
    now = {photo["face_id"]: photo for photo in photos}
    known = {}
    for then, faces in before:
        same = [_file(now.get(photo["face_id"])) == _file(photo) for photo in read_shard(root, then).to_pylist()]
        if any(same):
            for row in read_shard(root, faces).filter(pa.array(same)).to_pylist():
                if not (row["failure"] or "").startswith("unreadable"):
                    known[row["face_id"]] = row | {"identity": now[row["face_id"]]["identity"]}
    return known


def _file(photo: Row | None) -> Row | None:
    """A row of photos without the name that it claims, which no face depends on."""
    return photo and {name: value for name, value in photo.items() if name != "identity"}


def _row(photo: Row, detector: Detector, aligned: bool, where: Mapping[str, tuple[str, str]]) -> Row:
    row: Row = {"face_id": photo["face_id"], "identity": photo["identity"]}
    try:
        if photo["failure"]:
            raise Unreadable(photo["failure"].removeprefix("unreadable: "))
        data = read_photo(photo, where)
        row["sha"] = sha256(data).hexdigest()
        row |= _as_it_is(data, decode(data), detector) if aligned else _cut(data, detector, photo["box"])
    except (Unreadable, Changed) as error:
        row["failure"] = f"unreadable: {error}"
    except NoFace as error:
        row["failure"] = f"no_face: {error}"
    return row


def read_photo(photo: Row, where: Mapping[str, tuple[str, str]]) -> bytes:
    """The bytes of a row of photos. Raises Changed when they are not there any more."""
    kind, path = where[photo["source"]]
    names = (name for name in Photo._fields if name not in ("failure",))
    found: bytes = source(kind).read(path, Photo(**{name: photo[name] for name in names}))
    return found


def _cut(data: bytes, detector: Detector, box: list[float] | None) -> Row:
    """A large photo is decoded no larger than the detector sees it, and once more where its face needs all pixels."""
    shrink = shrinks(data, LARGEST)
    face, faces, i = the_face(decode(data, shrink), detector, box, shrink=shrink)
    if shrink > 1 and quality.face_size(faces.landmarks[i]) < shrink * SIZE:
        face = _aligned(decode(data), faces, i)
    return {"jpeg": to_jpeg(face)} | measure(face) | _seen(faces, i)


def the_face(
    image: Image, detector: Detector, box: list[float] | None = None, *, shrink: int = 1
) -> tuple[Image, Faces, int]:
    """The aligned face [112, 112, 3] a picture is about, all faces seen in it, and which of them it is.

    shrink: how many times larger the photo is whose pixels the box and the faces are told in.

    Raises NoFace when there is none, or none that can be aligned.
    """
    faces = detector(image)
    if not len(faces.scores):
        raise NoFace("the detector finds none")
    height, width = image.shape[:2]
    whole = Faces(faces.boxes * shrink, faces.scores, faces.landmarks * shrink)
    i = meant(whole, width=width * shrink, height=height * shrink, box=None if box is None else tuple(box))
    return _aligned(image, faces, i), whole, i


def _aligned(image: Image, faces: Faces, i: int) -> Image:
    try:
        return warp(image, faces.landmarks[i])
    except (ValueError, cv2.error) as error:
        raise NoFace(f"the landmarks cannot be aligned ({error})") from None


def _as_it_is(data: bytes, image: Image, detector: Detector) -> Row:
    faces = detector(image)
    if image.shape[:2] == (SIZE, SIZE):
        face, jpeg = image, data
    else:
        face = np.asarray(cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.uint8)
        jpeg = to_jpeg(face)
    seen = _seen(faces, meant(faces, width=image.shape[1], height=image.shape[0])) if len(faces.scores) else {}
    return {"jpeg": jpeg} | measure(face) | seen


def measure(face: Image) -> Row:
    """What an aligned face [112, 112, 3] says of itself: its sketch, sharpness and exposure."""
    return {"sketch": sketch(face), "sharpness": quality.sharpness(face), "exposure": quality.exposure(face)}


def _seen(faces: Faces, i: int) -> Row:
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
