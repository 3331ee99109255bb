"""Bent grids: a body of round cross-sections, its normals, and how light falls on it.

A Part is what gets drawn: a coarse grid of points for where it is, and a finer picture over the same grid for its
colour.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.sample.drawing.fields import Field
from pipeline.sample.drawing.moments import Light

ROUNDNESS = 2 / 2.25  # of a cross-section: 1 is an ellipse, less is squarer (a superellipse)
SKIN_WRAP = np.array([0.3, 0.18, 0.13], np.float32)  # light that goes under the skin and round the edge, RGB
CLOTH_WRAP = np.array([0.1, 0.1, 0.1], np.float32)


class Part(NamedTuple):
    """A piece of a person: points [h, w, 3] in mm, colours [rows, columns, 3] or with a share as fourth channel."""

    points: Field
    colours: Field
    nudge: float = 0.0  # mm towards the viewer, where two parts touch


def along(profile: Field, rows: int) -> Field:
    """Points [rows, n] evenly along a profile [k, n] whose first two columns are y and z, with its corners rounded."""
    length = np.r_[0, np.cumsum(np.hypot(*np.diff(profile[:, :2], axis=0).T))]
    at, soft = np.linspace(0, length[-1], 240), np.hanning(21)[:, None]
    fine = np.stack([np.interp(at, length, column) for column in profile.T], 1)
    padded = np.pad(fine, ((10, 10), (0, 0)), mode="reflect", reflect_type="odd")
    smooth = np.stack([np.convolve(c, soft[:, 0] / soft.sum(), "valid") for c in padded.T], 1)
    chosen = np.linspace(0, 239, rows)
    return np.stack([np.interp(chosen, np.arange(240), c) for c in smooth.T], 1).astype(np.float32)


def around(azimuth: Field) -> tuple[Field, Field]:
    """The sideways and forward shares [same] of a cross-section's radii at angles in radians, 0 in front."""
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
    """Vectors [..., 3] at length 1."""
    return np.asarray(vectors / np.sqrt(np.einsum("...i,...i", vectors, vectors) + 1e-9)[..., None], np.float32)


def turned(light: Light, turn: Field) -> Light:
    """The same light as a body turned by [3, 3] sees it, so that the body's normals need no turning."""
    return light._replace(key=light.key @ turn, fill=light.fill @ turn)


def lit(
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
    """The light [h, w, 3] that a surface of some colour [h, w, 3] or [3] sends to us.

    Lambert's law with a soft edge (wrap [3]), a second lamp, light from all sides that does not reach into hollows
    (occlusion [h, w]), and two highlights (Blinn-Phong). normal [h, w, 3]: of any length. view [3]: towards us, in the
    body's axes. shadow [h, w]: the share of the lamp that arrives.
    """
    # plane by plane: numpy is several times slower where the last axis is a pixel's three colours
    planes = cv2.split(normal)
    length = np.sqrt(sum(n * n for n in planes) + np.float32(1e-9))
    planes = [n / length for n in planes]
    facing = _dot(planes, light.key)
    around_us = light.ambient * (0.81 - 0.19 * planes[1] + 0.11 * planes[2]) * occlusion
    around_us += light.fill_strength * np.maximum(_dot(planes, light.fill), 0)
    open_to = 0.45 + 0.55 * occlusion
    lamp = open_to if shadow is None else open_to * shadow
    around_us *= open_to
    shine = _shine(planes, facing, light, view) * gloss * occlusion if gloss is not None else None
    sent = []
    for channel, tint in enumerate(light.tint.tolist()):
        soft = float(wrap[channel])
        plane = np.clip((facing + soft) * np.float32(tint / (1 + soft)), 0, tint) * lamp + around_us
        plane *= colour[..., channel]
        if shine is not None:
            plane += shine * np.float32(tint)
        sent.append(plane)
    return np.asarray(cv2.merge(sent), np.float32)


def _dot(planes: Sequence[Field], direction: Field) -> Field:
    x, y, z = (np.float32(v) for v in direction)
    return np.asarray(planes[0] * x + planes[1] * y + planes[2] * z, np.float32)


def _shine(planes: Sequence[Field], facing: Field, light: Light, view: Field) -> Field:
    halfway = light.key + view
    mirrored = np.maximum(_dot(planes, halfway / np.linalg.norm(halfway)), 0)
    broad = power(mirrored, 24)
    return np.asarray((0.16 + 0.1 * broad * broad) * broad * np.clip(facing + 0.1, 0, 1), np.float32)


def power(base: Field, exponent: int) -> Field:
    """A whole power [same] by multiplying: numpy's own goes through logarithms."""
    result, square = np.ones_like(base), base.copy()
    while exponent:
        if exponent & 1:
            result *= square
        square *= square
        exponent >>= 1
    return result
