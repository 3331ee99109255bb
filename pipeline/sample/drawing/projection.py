"""From a person's axes in millimetres to the pixels of a photo: rotation about the neck, and perspective."""

from typing import NamedTuple

import numpy as np

from pipeline.sample.drawing.fields import Field

DISTANCE = 900.0  # mm from the camera to the head
PIVOT = np.array([0, 60, -25], np.float32)  # mm: the point that a head turns about


class FramePosition(NamedTuple):
    """The position of a person in the frame: x, y of the point between the eyes in pixels, and pixels per mm."""

    x: float
    y: float
    scale: float


def rotation(yaw: float, pitch: float, roll: float) -> Field:
    """The rotation matrix [3, 3] of angles in degrees: about y, then x, then z."""
    (sy, sp, sr), (cy, cp, cr) = np.sin(np.deg2rad([yaw, pitch, roll])), np.cos(np.deg2rad([yaw, pitch, roll]))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x @ about_y, np.float32)


def project(points: Field, turn: Field, position: FramePosition) -> Field:
    """Points [..., 3] in mm projected to pixels x, y and a depth in mm [..., 3].

    turn [3, 3]: the rotation about the neck.
    """
    moved = (points - PIVOT) @ turn.T + PIVOT
    nearness = DISTANCE / (DISTANCE + 60 - moved[..., 2:])
    origin = np.array((position.x, position.y), np.float32)
    return np.concatenate([moved[..., :2] * nearness * position.scale + origin, moved[..., 2:]], -1)
