"""What a photo adds to a person: pose, expression, light and the camera. This is what makes two photos differ.

The spreads here are the difficulty of the drawn world: with none of them a real ArcFace makes no mistake.
"""

from typing import NamedTuple

import numpy as np

from pipeline.sample.drawing.fields import Field

MOUTH_SLACK = -2.0  # mm: below 0 the mouth is shut, so most are


class Moment(NamedTuple):
    """One face in one photo: angles in degrees, openings in mm, the rest shares."""

    yaw: float
    pitch: float
    roll: float
    mouth_open: float
    smile: float
    lids: float  # 1 open, under .5 shut
    gaze: tuple[float, float]
    brow_lift: float


class Light(NamedTuple):
    """The light of a photo: directions [3] towards the lamps in the camera's axes, and how strong each is."""

    key: Field
    fill: Field
    fill_strength: float
    ambient: float
    tint: Field  # RGB


class Camera(NamedTuple):
    """What the camera does: pixels per mm of a face, and everything after the lens."""

    width: int
    height: int
    scale: float  # pixels per mm at the face
    gain: float
    contrast: float
    blur: float  # pixels
    grain: float  # grey levels
    quality: int  # of the JPEG


def moment(rng: np.random.Generator) -> Moment:
    """A pose and an expression: mostly frontal and calm, now and then turned, laughing or blinking."""
    return Moment(
        yaw=_around(rng, 16, 35),
        pitch=_around(rng, 6, 15),
        roll=_around(rng, 7, 20),
        mouth_open=max(0.0, float(rng.normal(MOUTH_SLACK, 5))),
        smile=float(np.clip(rng.normal(0.25, 0.4), -0.25, 1)),
        lids=float(rng.choice([1, 0.92, 0.8, 0.35], p=[0.5, 0.3, 0.15, 0.05])),
        gaze=(_around(rng, 1.5, 3.5), _around(rng, 0.7, 1.5)),
        brow_lift=_around(rng, 1.5, 3),
    )


def light(rng: np.random.Generator) -> Light:
    """A lamp or the sun from anywhere in front, a weaker light from the other side, and what comes from all sides."""
    azimuth, elevation = np.deg2rad([rng.uniform(-70, 70), rng.uniform(0, 60)])
    key = np.array([np.sin(azimuth) * np.cos(elevation), -np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])
    fill = np.array([-0.8 * np.sin(azimuth), -0.1, 0.6])
    warmth = _around(rng, 0.06, 0.12)
    return Light(
        key=key.astype(np.float32),
        fill=(fill / np.linalg.norm(fill)).astype(np.float32),
        fill_strength=float(rng.uniform(0, 0.4)),
        ambient=float(rng.uniform(0.3, 0.75)),
        tint=np.array([1 + warmth, 1, 1 - warmth], np.float32),
    )


def camera(rng: np.random.Generator, *, people: int = 1) -> Camera:
    """A camera and a frame of 250 to 400 pixels a side; more people stand farther away."""
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


def _around(rng: np.random.Generator, sd: float, farthest: float) -> float:
    return float(np.clip(rng.normal(0, sd), -farthest, farthest))
