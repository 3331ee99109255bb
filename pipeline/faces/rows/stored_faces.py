"""Faces as the tables store them, decoded for a model."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces.align import SIZE


def decode_faces(pictures: Sequence[bytes | memoryview]) -> NDArray[np.uint8]:
    """The faces [n, 112, 112, 3] in BGR of n aligned faces of the tables; pictures: the bytes of each."""
    faces = np.empty((len(pictures), SIZE, SIZE, 3), np.uint8)
    for face, picture in zip(faces, pictures, strict=True):
        face[...] = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    return faces
