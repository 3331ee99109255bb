"""How an annotator's browser comes to the pictures: inside the task, or from a folder that the server may show.

A picture is the aligned face, a square as high as the picture, and to its right the photo around it, if there is one.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.review.questions.question import GRID, Question
from pipeline.tables import storage

SIDE = 112  # pixels of the grey square for a face that cannot be shown
QUALITY = 88


class Wanted(NamedTuple):
    """Faces that are shown with the photo around them, and those that are shown alone, by face_id."""

    whole: frozenset[str]
    alone: frozenset[str]


class Shown(NamedTuple):
    """Addresses of their pictures."""

    whole: dict[str, str]
    alone: dict[str, str]


def wanted(questions: Iterable[Question]) -> Wanted:
    """In a grid the sure faces stand alone, so that they all fit beside each other; all others show their photo."""
    whole, alone = set[str](), set[str]()
    for question in questions:
        (alone if question.page == GRID else whole).update(question.left)
        whole.update(question.right, (item.face for item in question.items if item.face))
    return Wanted(frozenset(whole), frozenset(alone))


def shown(faces: Wanted, pictures: Mapping[str, bytes], media: Path | None) -> Shown:
    """Addresses for pictures (JPEG bytes by face_id); a face without one is a grey square.

    media: a folder, where a picture is named by its content, so that each is written once; None puts it into the
    address.
    """
    whole = {f: pictures.get(f) or _grey() for f in faces.whole | faces.alone}
    alone = {f: _address(_left(whole[f]), media) for f in faces.alone}
    return Shown({f: _address(whole[f], media) for f in faces.whole}, alone)


def _address(picture: bytes, media: Path | None) -> str:
    if media is None:
        return "data:image/jpeg;base64," + b64encode(picture).decode()
    name = f"{blake2b(picture, digest_size=16).hexdigest()}.jpg"
    if not (media / name).exists():
        storage.put(str(media), name, picture)
    return f"/data/local-files/?d={media.name}/{name}"


def _left(picture: bytes) -> bytes:
    """The face alone: the square at the left."""
    image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    if image is None or image.shape[1] <= image.shape[0]:
        return picture
    return _jpeg(np.asarray(image[:, : image.shape[0]], np.uint8))


def _grey() -> bytes:
    return _jpeg(np.full((SIDE, SIDE, 3), 160, np.uint8))


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])
