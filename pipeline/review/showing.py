"""How an annotator's browser comes to the pictures: inside the task, or from a folder that the server may show.

A picture is the aligned face, a square as high as the picture, and to its right the photo around it, if there is one.
"""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import storage

SIDE = 112  # pixels of the grey square for a face that cannot be shown
QUALITY = 88


class Shown(NamedTuple):
    """Addresses of pictures by face_id: with the photo around the face, and the face alone."""

    whole: dict[str, str]
    face: dict[str, str]


def shown(faces: set[str], pictures: Mapping[str, bytes], media: Path | None) -> Shown:
    """Addresses for the pictures (JPEG bytes by face_id); a face without one is a grey square.

    media: a folder, named by what is in the pictures, so that each is written once; None puts them into the address.
    """
    whole = {f: pictures.get(f) or _grey() for f in faces}
    return Shown(
        {f: _address(p, media) for f, p in whole.items()}, {f: _address(_left(p), media) for f, p in whole.items()}
    )


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
