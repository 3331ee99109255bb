"""Light changes that a camera, a web site or a printer makes to a face; who it is stays."""

import cv2
import numpy as np
from numpy.typing import NDArray

Face = NDArray[np.uint8]


def change(face: Face, which: float, strength: float) -> Face:
    """A face [s, s, c] changed in one way; which, strength: both 0..1 and drawn by the caller."""
    ways = (_light, _blur, _grey, _compress)
    return ways[min(int(which * len(ways)), len(ways) - 1)](np.ascontiguousarray(face), strength)


def _light(face: Face, strength: float) -> Face:
    lit = face * (0.5 + strength) + 20 * (0.5 - strength)  # half as bright to one and a half
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def _blur(face: Face, strength: float) -> Face:
    small = max(16, int(face.shape[0] * (0.8 - 0.55 * strength)))  # as if the face had been small in its photo
    shrunk = cv2.resize(face, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, face.shape[1::-1]), np.uint8).reshape(face.shape)


def _grey(face: Face, strength: float) -> Face:
    grey = face.mean(axis=2, keepdims=True)
    return np.asarray(face + strength * (grey - face), np.uint8)


def _compress(face: Face, strength: float) -> Face:
    quality = int(70 - 55 * strength)
    data = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), np.uint8).reshape(face.shape)
