"""The addresses from which an annotator's browser loads pictures: data inside the task, or a file on the server.

A picture is the aligned face, a square as high as the picture, and to its right the whole photo, if there is one.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.review.questions.question import GRID, FacePicture, Question
from pipeline.tables import storage

GREY_SIDE_PX = 112  # side of the grey square that stands for a face without a picture
JPEG_QUALITY = 88


class ShownFaces(NamedTuple):
    """The face_ids of faces that are shown beside their photo, and of those that are shown alone."""

    with_photo: frozenset[str]
    alone: frozenset[str]


class PictureAddresses(NamedTuple):
    """The addresses of pictures of a face beside its photo, of a face alone, and of a large photo, by face_id."""

    with_photo: Mapping[str, str]
    alone: Mapping[str, str]
    large: Mapping[str, str]  # of the whole photo, large; without a photo that of the face


def shown_faces(questions: Iterable[Question]) -> ShownFaces:
    """The faces on the questions' pages. The sure faces of a grid are shown alone, all others beside their photo."""
    with_photo, alone = set[str](), set[str]()
    for question in questions:
        (alone if question.page == GRID else with_photo).update(question.left)
        with_photo.update(question.right, (item.face for item in question.items if item.face))
    return ShownFaces(frozenset(with_photo), frozenset(alone))


def picture_addresses(
    faces: ShownFaces, pictures: Mapping[str, FacePicture], *, media: Path | None
) -> PictureAddresses:
    """The addresses of the pictures of these faces; a face without a picture gets a grey square.

    pictures: by face_id. media: a folder that the server may show; pictures
    are written there as files named by a digest of their content. None: a data address holds the picture itself.
    """
    picture = {f: pictures.get(f) or FacePicture(_grey(), None) for f in faces.with_photo | faces.alone}
    return PictureAddresses(
        {f: _address(picture[f].view, media) for f in faces.with_photo},
        {f: _address(_face_alone(picture[f].view), media) for f in faces.alone},
        {f: _address(picture[f].large or picture[f].view, media) for f in faces.with_photo},
    )


def _address(picture: bytes, media: Path | None) -> str:
    if media is None:
        return "data:image/jpeg;base64," + b64encode(picture).decode()
    name = f"{blake2b(picture, digest_size=16).hexdigest()}.jpg"
    if not (media / name).exists():
        storage.put(str(media), name, picture)
    return f"/data/local-files/?d={media.name}/{name}"


def _face_alone(picture: bytes) -> bytes:
    """The aligned face of a picture: the square at its left."""
    image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    if image is None or image.shape[1] <= image.shape[0]:
        return picture
    return _jpeg(np.asarray(image[:, : image.shape[0]], np.uint8))


def _grey() -> bytes:
    return _jpeg(np.full((GREY_SIDE_PX, GREY_SIDE_PX, 3), 160, np.uint8))


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])
