"""Augmentation: random changes of a face's light, sharpness, colour and compression, as photos on the web have them."""

import cv2
import numpy as np
from numpy.typing import NDArray

Face = NDArray[np.uint8]


def augment(face: Face, choice: float, strength: float) -> Face:
    """A face [s, s, c] with one of the changes applied.

    choice, strength: random numbers from 0 to 1 that decide which change it is, and how strong.
    """
    changes = (_light, _blur, _grey, _compress)
    return changes[min(int(choice * len(changes)), len(changes) - 1)](np.ascontiguousarray(face), strength)


def _light(face: Face, strength: float) -> Face:
    lit = face * (0.5 + strength) + 20 * (0.5 - strength)  # from half to one and a half times as bright
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def _blur(face: Face, strength: float) -> Face:
    small = max(16, int(face.shape[0] * (0.8 - 0.55 * strength)))  # side in pixels of a face that is small in its photo
    shrunk = cv2.resize(face, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, face.shape[1::-1]), np.uint8).reshape(face.shape)


def _grey(face: Face, strength: float) -> Face:
    grey = face.mean(axis=2, keepdims=True)
    return np.asarray(face + strength * (grey - face), np.uint8)


def _compress(face: Face, strength: float) -> Face:
    quality = int(70 - 55 * strength)
    data = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), np.uint8).reshape(face.shape)
