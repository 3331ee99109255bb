"""Curved surfaces: bodies with round cross-sections, their normals, and their shading.

One idea: a BodyPart has a coarse grid of points for its form, and a finer picture over the same grid for its colours.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.sample.drawing.conditions import Light
from pipeline.sample.drawing.fields import Field

ROUNDNESS = 2 / 2.25  # of a cross-section: 1 is an ellipse, less is squarer (a superellipse)
SKIN_WRAP = np.array(
    [0.3, 0.18, 0.13], np.float32
)  # RGB: how far light reaches past the shadow's edge, through the skin
CLOTH_WRAP = np.array([0.1, 0.1, 0.1], np.float32)


class BodyPart(NamedTuple):
    """A part of a person: points [h, w, 3] in mm, colours [rows, columns, 3], or 4 with opacity as the last."""

    points: Field
    colours: Field
    depth_offset: float = 0.0  # mm towards the camera: the part with more covers the other where two touch


def along(profile: Field, rows: int) -> Field:
    """Points [rows, n] evenly spaced along a profile [k, n] (first columns y and z), with its corners rounded."""
    length = np.r_[0, np.cumsum(np.hypot(*np.diff(profile[:, :2], axis=0).T))]
    places, soft = np.linspace(0, length[-1], 240), np.hanning(21)[:, None]
    fine = np.stack([np.interp(places, length, column) for column in profile.T], 1)
    padded = np.pad(fine, ((10, 10), (0, 0)), mode="reflect", reflect_type="odd")
    smooth = np.stack([np.convolve(c, soft[:, 0] / soft.sum(), "valid") for c in padded.T], 1)
    chosen = np.linspace(0, 239, rows)
    return np.stack([np.interp(chosen, np.arange(240), c) for c in smooth.T], 1).astype(np.float32)


def around(azimuth: Field) -> tuple[Field, Field]:
    """The sideways and forward extent, each as a share of the radius, of a cross-section at angles in radians.

    azimuth: 0 in front; both results have its shape.
    """
    sine, cosine = np.sin(azimuth), np.cos(azimuth)
    return (
        np.asarray(np.sign(sine) * np.abs(sine) ** ROUNDNESS, np.float32),
        np.asarray(np.sign(cosine) * np.abs(cosine) ** ROUNDNESS, np.float32),
    )


def normals(points: Field) -> Field:
    """The outward unit normals [h, w, 3] of a grid of points [h, w, 3]."""
    right, down = np.gradient(points, axis=1), np.gradient(points, axis=0)
    return unit(np.cross(right, down))


def unit(vectors: Field) -> Field:
    """Vectors [..., 3] scaled to length 1."""
    return np.asarray(vectors / np.sqrt(np.einsum("...i,...i", vectors, vectors) + 1e-9)[..., None], np.float32)


def light_in_body_axes(light: Light, turn: Field) -> Light:
    """A light in the axes of a body; turn [3, 3]: the rotation of the body in the camera's axes."""
    return light._replace(key=light.key @ turn, fill=light.fill @ turn)


def shade(
    colour: Field,
    normal: Field,
    light: Light,
    *,
    view: Field,
    occlusion: Field,
    shadow: Field | None = None,
    gloss: Field | None = None,
    wrap: Field = SKIN_WRAP,
) -> Field:
    """The linear light [h, w, 3] that a surface of a colour [h, w, 3] or [3] sends to the camera.

    Lambert's law with a soft edge (wrap [3]), a fill lamp, light from all sides and two highlights (Blinn-Phong).
    normal [h, w, 3]: of any length. view [3]: towards the camera, in the body's axes. occlusion [h, w]: the share of
    the light from all sides that arrives. shadow [h, w]: the share of the key lamp's. gloss [h, w]: of highlights.
    """
    # plane by plane: numpy is several times slower where the last axis is a pixel's three colours
    planes = cv2.split(normal)
    length = np.sqrt(sum(n * n for n in planes) + np.float32(1e-9))
    planes = [n / length for n in planes]
    facing = _dot(planes, light.key)
    ambient = light.ambient * (0.81 - 0.19 * planes[1] + 0.11 * planes[2]) * occlusion
    ambient += light.fill_strength * np.maximum(_dot(planes, light.fill), 0)
    openness = 0.45 + 0.55 * occlusion
    key_light = openness if shadow is None else openness * shadow
    ambient *= openness
    shine = _shine(planes, facing, light, view) * gloss * occlusion if gloss is not None else None
    shaded = []
    for channel, tint in enumerate(light.tint.tolist()):
        soft = float(wrap[channel])
        plane = np.clip((facing + soft) * np.float32(tint / (1 + soft)), 0, tint) * key_light + ambient
        plane *= colour[..., channel]
        if shine is not None:
            plane += shine * np.float32(tint)
        shaded.append(plane)
    return np.asarray(cv2.merge(shaded), np.float32)


def _dot(planes: Sequence[Field], direction: Field) -> Field:
    x, y, z = (np.float32(v) for v in direction)
    return np.asarray(planes[0] * x + planes[1] * y + planes[2] * z, np.float32)


def _shine(planes: Sequence[Field], facing: Field, light: Light, view: Field) -> Field:
    halfway = light.key + view
    mirrored = np.maximum(_dot(planes, halfway / np.linalg.norm(halfway)), 0)
    broad = whole_power(mirrored, 24)
    return np.asarray((0.16 + 0.1 * broad * broad) * broad * np.clip(facing + 0.1, 0, 1), np.float32)


def whole_power(base: Field, exponent: int) -> Field:
    """A whole power [same shape] by multiplication, which is faster than numpy's by logarithms."""
    result, square = np.ones_like(base), base.copy()
    while exponent:
        if exponent & 1:
            result *= square
        square *= square
        exponent >>= 1
    return result
