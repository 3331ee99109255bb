"""The eyes and brows of a face, painted on its chart in a window each."""

from typing import NamedTuple

import numpy as np

from pipeline.sample.drawing.face_map import Chart
from pipeline.sample.drawing.fields import Field, darken, mottle, over, step
from pipeline.sample.drawing.moments import Moment
from pipeline.sample.drawing.skin import GAMMA, HAIR
from pipeline.sample.people import Person

IRIS = (
    np.array([[62, 36, 20], [84, 52, 28], [106, 80, 44], [92, 104, 72], [84, 108, 128], [112, 126, 134]], np.float32)
    / 255
)
IRIS_RADIUS, PUPIL_RADIUS = 5.9, 2.35  # mm
PINK, WHITE = np.array([0.45, 0.18, 0.15], np.float32), np.array([0.72, 0.66, 0.615], np.float32)
WINDOW = (-30.0, 12.0)  # mm from the eyes' height: from above the highest brow to below the lower lid


class Lids(NamedTuple):
    """One eye in its window: along its length (-1 inner, 1 outer corner), the edges of its lids, what they leave."""

    along: Field
    arch: Field
    upper: Field
    lower: Field
    inside: Field


def paint_eyes(who: Person, moment: Moment, on: Chart, drawn: Field, heights: Field) -> None:
    """Both eyes and brows, painted over a face [h, w, 3] and carved into its relief [h, w], in place."""
    strands = 0.6 * mottle(who.draws(4), (42, 140), (5, 1.3), (64, 210))
    for side in (-1, 1):
        middle = side * who.shape.eye_x
        rows, columns, part = on.window(middle - 36, middle + 36, *WINDOW)
        local = Chart((part.x - middle) * side, part.y)  # x grows outward
        lids = _lids(who, moment, local, side)
        below, form = drawn[rows, columns], heights[rows, columns]
        over(below, _eyeball(who, moment, local, lids, side), lids.inside)
        _lashes(who, local, lids, below, form)
        _brow(who, moment, local, strands[:, :105] if side < 0 else strands[:, 105:], below)


def _lids(who: Person, moment: Moment, at: Chart, side: int) -> Lids:
    s = who.shape
    along = at.x / s.eye_length
    arch = np.clip(1 - along * along, 0, 1)
    axis = -0.5 * s.eye_tilt * along + (0.35 * s.asymmetry if side > 0 else 0)
    lower = axis + 0.78 * s.eye_opening * arch**0.85 * (1 - 0.25 * max(moment.smile, 0.0))
    upper = axis - 1.15 * s.eye_opening * moment.lids * arch**0.72 * (1 - 0.15 * along)
    if moment.lids < 0.5:
        upper = axis + 0.35 * s.eye_opening * arch
    inside = (np.abs(along) < 1) * step(at.y, upper - 0.5, upper + 0.5) * step(at.y, lower + 0.5, lower - 0.5)
    return Lids(along, arch, upper, lower, inside)


def _eyeball(who: Person, moment: Moment, at: Chart, lids: Lids, side: int) -> Field:
    dx, dy = at.x - moment.gaze[0] * side, at.y + 0.6 - moment.gaze[1]
    radius, angle = np.sqrt(dx * dx + dy * dy), np.arctan2(dy, dx)
    white = WHITE * (1 - 0.35 * np.clip(lids.along, -1, 1) ** 2)[..., None]
    rays = 1 + 0.12 * np.cos(17 * angle + who.number) + 0.25 * np.cos(29 * angle)
    iris = (
        (rays * (0.75 + 0.6 * step(radius, 1.5, 4.5)) * (1 - 0.75 * step(radius, IRIS_RADIUS - 1.4, IRIS_RADIUS)))[
            ..., None
        ]
        * IRIS[who.colouring.iris] ** GAMMA
        * 1.15
    )
    iris *= step(radius, PUPIL_RADIUS - 0.4, PUPIL_RADIUS + 0.4)[..., None]
    disc = step(radius, IRIS_RADIUS + 0.4, IRIS_RADIUS - 0.4)[..., None]
    eye = white + (iris + 0.004 - white) * disc
    eye *= (1 - 0.6 * np.exp(-np.clip(at.y - lids.upper, 0, 9) / 1.7))[..., None]  # the lid's shadow
    eye += 0.85 * np.exp(-((((dx + 1.9 * side) ** 2 + (dy + 2) ** 2) / 1.1) ** 2))[..., None]
    over(eye, PINK, 0.8 * np.exp(-(((at.x + 0.93 * who.shape.eye_length) / 1.7) ** 2)) * np.ones_like(dy))
    return np.asarray(eye, np.float32)


def _lashes(who: Person, at: Chart, lids: Lids, below: Field, form: Field) -> None:
    """The lash lines and the crease above the lid; the crease and the eye itself lie deeper."""
    s, near = who.shape, np.abs(lids.along)
    upper = np.exp(-(((at.y - lids.upper + 0.3) / (0.85 + 0.5 * who.makeup)) ** 2)) * step(near, 1.08, 0.95)
    darken(below, 0.82 * upper)
    darken(below, (0.35 + 0.3 * who.makeup) * np.exp(-(((at.y - lids.lower - 0.2) / 0.7) ** 2)) * (near < 1))
    lid_height = 2.2 + 2.8 * s.lid_fold
    crease = np.exp(-(((at.y - lids.upper + lid_height) / 0.85) ** 2)) * step(near, 1.15, 0.85)
    darken(below, 0.45 * float(np.clip(0.25 + s.lid_fold, 0, 1)) * crease)
    if who.makeup:
        shade = step(at.y, lids.upper - lid_height - 3, lids.upper - 1) * step(at.y, lids.upper + 0.5, lids.upper - 0.5)
        darken(below, 0.35 * who.makeup * shade * step(near, 1.2, 0.8))
    form += 0.8 * upper - 1.2 * s.lid_fold * crease - 1.4 * lids.inside


def _brow(who: Person, moment: Moment, at: Chart, strands: Field, below: Field) -> None:
    s = who.shape
    along = (at.x + s.eye_x - s.brow_gap) / (2 * s.brow_length)
    share = np.clip(along, 0, 1)
    middle = s.brow_y - moment.brow_lift - 4.4 * s.brow_arch * share * (1 - share) - s.brow_slope * (along - 0.5)
    middle = middle + 5 * np.clip(along - 0.65, 0, 1)
    thick = s.brow_thickness * (1 - 0.62 * share**1.6) * step(along, -0.12, 0.1) * step(along, 1.08, 0.9) + 0.05
    hairs = np.exp(-(np.abs((at.y - middle) / thick) ** 2.6)) * step(along, -0.12, 0.06) * step(along, 1.06, 0.92)
    noise = np.asarray(strands, np.float32)
    rows = np.linspace(0, len(noise) - 1, at.size[0]).astype(int)[:, None]
    columns = np.linspace(0, noise.shape[1] - 1, at.size[1]).astype(int)
    hairs = np.clip(hairs * who.brow_density * (1 + 0.45 * noise[rows, columns]), 0, 0.95)
    hair = HAIR[who.colouring.hair] ** GAMMA
    over(below, np.minimum(hair, 0.12) * 0.8 if who.colouring.hair < 7 else hair * 0.5, hairs)
