"""What differs between two photos of one person: pose, expression, light and camera, all drawn at random.

The spread of these values decides how hard the drawn world is: without it a real ArcFace model makes no error.
"""

from typing import NamedTuple

import numpy as np

from pipeline.sample.drawing.fields import Field

MEAN_MOUTH_OPENING = -2.0  # mm; mean of the drawn opening; a drawn value below 0 gives a shut mouth


class Pose(NamedTuple):
    """Pose and expression of a face in a photo: angles in degrees, lengths in mm, strengths from 0 to 1."""

    yaw: float
    pitch: float
    roll: float
    mouth_open: float  # mm
    smile: float
    lids: float  # 1 open, below 0.5 shut
    gaze: tuple[float, float]  # mm that the iris is moved, x and y
    brow_lift: float  # mm


class Light(NamedTuple):
    """The light of a photo: directions [3] towards the key and the fill lamp in the camera's axes, and strengths."""

    key: Field
    fill: Field
    fill_strength: float
    ambient: float
    tint: Field  # RGB


class Camera(NamedTuple):
    """A camera: the size of its pictures, their scale, and what it does to them."""

    width: int
    height: int
    scale: float  # pixels per mm at the face
    gain: float
    contrast: float
    blur: float  # pixels
    grain: float  # grey levels
    quality: int  # of the JPEG


def random_pose(rng: np.random.Generator) -> Pose:
    """A pose and an expression: mostly frontal and calm, sometimes turned, laughing or blinking."""
    return Pose(
        yaw=_clipped_normal(rng, 16, 35),
        pitch=_clipped_normal(rng, 6, 15),
        roll=_clipped_normal(rng, 7, 20),
        mouth_open=max(0.0, float(rng.normal(MEAN_MOUTH_OPENING, 5))),
        smile=float(np.clip(rng.normal(0.25, 0.4), -0.25, 1)),
        lids=float(rng.choice([1, 0.92, 0.8, 0.35], p=[0.5, 0.3, 0.15, 0.05])),
        gaze=(_clipped_normal(rng, 1.5, 3.5), _clipped_normal(rng, 0.7, 1.5)),
        brow_lift=_clipped_normal(rng, 1.5, 3),
    )


def random_light(rng: np.random.Generator) -> Light:
    """A lamp or the sun from anywhere in front, a weaker lamp from the other side, and light from all sides."""
    azimuth, elevation = np.deg2rad([rng.uniform(-70, 70), rng.uniform(0, 60)])
    key = np.array([np.sin(azimuth) * np.cos(elevation), -np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])
    fill = np.array([-0.8 * np.sin(azimuth), -0.1, 0.6])
    warmth = _clipped_normal(rng, 0.06, 0.12)
    return Light(
        key=key.astype(np.float32),
        fill=(fill / np.linalg.norm(fill)).astype(np.float32),
        fill_strength=float(rng.uniform(0, 0.4)),
        ambient=float(rng.uniform(0.3, 0.75)),
        tint=np.array([1 + warmth, 1, 1 - warmth], np.float32),
    )


def random_camera(rng: np.random.Generator, *, people: int = 1) -> Camera:
    """A camera with pictures of 250 to 400 pixels a side; several people are drawn smaller than a single person."""
    width, height = (int(n) for n in rng.integers(250, 401, 2))
    face = rng.uniform(90, 160) if people == 1 else rng.uniform(78, 112)  # pixels for the 150 mm of a face's width
    if people > 1:
        width, height = max(width, height, 330), max(250, min(width, height))
    return Camera(
        width=width,
        height=height,
        scale=float(min(face, 0.46 * height) / 150),
        gain=float(rng.uniform(0.75, 1.2)),
        contrast=float(rng.uniform(0.85, 1.15)),
        blur=float(rng.choice([0, 0.5, 0.8, 1.2])),
        grain=float(rng.uniform(0, 3.6)),
        quality=int(rng.integers(55, 96)),
    )


def _clipped_normal(rng: np.random.Generator, sd: float, limit: float) -> float:
    return float(np.clip(rng.normal(0, sd), -limit, limit))
