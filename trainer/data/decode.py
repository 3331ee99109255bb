"""Decodes a stored face to the pixels that a network takes: square, of the run's size and channels."""

import cv2
import numpy as np
from numpy.typing import NDArray


def decode_face(jpeg: bytes | None, *, size: int, channels: int) -> NDArray[np.uint8] | None:
    """The face [size, size, channels] in an encoded picture, in RGB or grey; None when it cannot be decoded."""
    if not jpeg:
        return None
    mode = cv2.IMREAD_COLOR if channels == 3 else cv2.IMREAD_GRAYSCALE
    face = cv2.imdecode(np.frombuffer(jpeg, np.uint8), mode)
    return None if face is None else resize_square(face if channels == 1 else face[..., ::-1], size=size)


def resize_square(face: NDArray[np.uint8], *, size: int) -> NDArray[np.uint8]:
    """A face [h, w] or [h, w, c] resized to [size, size, c]: by area when it shrinks, else bilinearly."""
    if face.shape[:2] != (size, size):
        interpolation = cv2.INTER_AREA if face.shape[0] > size else cv2.INTER_LINEAR
        face = cv2.resize(np.ascontiguousarray(face), (size, size), interpolation=interpolation)
    return np.asarray(face[..., None] if face.ndim == 2 else face)
