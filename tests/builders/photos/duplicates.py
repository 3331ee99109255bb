"""Duplicates of drawn faces, and the sketches by which the pipeline finds duplicates."""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces.sketch import sketch

Image = NDArray[np.uint8]


def sketch_of(face: Image) -> NDArray[np.uint8]:
    """The flat sketch [SIDE * SIDE] of a face [112, 112, 3]."""
    return np.frombuffer(sketch(face), np.uint8)


def duplicate_of(face: Image, *, shift: float = 0.0, scale: float = 1.0, quality: int = 60) -> Image:
    """The face [112, 112, 3] as cut from a smaller copy of the photo: shifted, scaled, and compressed again."""
    matrix = np.array([[scale, 0, shift], [0, scale, -shift]], np.float32)
    moved = cv2.warpAffine(face, matrix, (112, 112), borderMode=cv2.BORDER_REPLICATE)
    small = cv2.resize(moved, (48, 48), interpolation=cv2.INTER_AREA)
    jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.resize(decoded, (112, 112), interpolation=cv2.INTER_CUBIC), np.uint8)
