"""The eyes and brows of a face, each eye painted in a window of the face's chart.

Convention: in an eye's chart the origin is the middle of the eye, and x grows away from the nose for both eyes.
"""

from typing import NamedTuple

import numpy as np

from pipeline.sample.drawing.colours import GAMMA, HAIR
from pipeline.sample.drawing.conditions import Pose
from pipeline.sample.drawing.face.chart import Chart
from pipeline.sample.drawing.fields import Field, darken, paint_over, smooth_noise, smooth_step
from pipeline.sample.people import Person

IRIS = (
    np.array([[62, 36, 20], [84, 52, 28], [106, 80, 44], [92, 104, 72], [84, 108, 128], [112, 126, 134]], np.float32)
    / 255
)
IRIS_RADIUS, PUPIL_RADIUS = 5.9, 2.35  # mm
PINK, WHITE = np.array([0.45, 0.18, 0.15], np.float32), np.array([0.72, 0.66, 0.615], np.float32)
WINDOW = (-30.0, 12.0)  # mm from the eyes' height: from above the highest brow to below the lower lid


class Lids(NamedTuple):
    """The lids of one eye in its window; y and x in mm."""

    along: Field  # [1, w] -1 at the inner, 1 at the outer corner
    arch: Field  # [1, w] 1 in the middle, 0 at the corners and beyond
    upper: Field  # [1, w] y of the upper lid's edge
    lower: Field  # [1, w] y of the lower lid's edge
    inside: Field  # [h, w] opacity of the open eye, 0 to 1


def paint_eyes(person: Person, pose: Pose, chart: Chart, colours: Field, heights: Field) -> None:
    """Paint both eyes and brows over a face's colours [h, w, 3] and lower its heights [h, w] there, in place."""
    strands = 0.6 * smooth_noise(person.random_for(4), (42, 140), (5, 1.3), (64, 210))
    for side in (-1, 1):
        middle = side * person.shape.eye_x
        rows, columns, window = chart.window(middle - 36, middle + 36, *WINDOW)
        eye_chart = Chart((window.x - middle) * side, window.y)  # x grows outward
        lids = _lids(person, pose, eye_chart, side)
        image, eye_heights = colours[rows, columns], heights[rows, columns]
        paint_over(image, _eyeball(person, pose, eye_chart, lids, side), lids.inside)
        _lashes(person, eye_chart, lids, image, eye_heights)
        _brow(person, pose, eye_chart, strands[:, :105] if side < 0 else strands[:, 105:], image)


def _lids(person: Person, pose: Pose, chart: Chart, side: int) -> Lids:
    s = person.shape
    along = chart.x / s.eye_length
    arch = np.clip(1 - along * along, 0, 1)
    axis = -0.5 * s.eye_tilt * along + (0.35 * s.asymmetry if side > 0 else 0)
    lower = axis + 0.78 * s.eye_opening * arch**0.85 * (1 - 0.25 * max(pose.smile, 0.0))
    upper = axis - 1.15 * s.eye_opening * pose.lids * arch**0.72 * (1 - 0.15 * along)
    if pose.lids < 0.5:
        upper = axis + 0.35 * s.eye_opening * arch
    below_upper = smooth_step(chart.y, upper - 0.5, upper + 0.5)
    inside = (np.abs(along) < 1) * below_upper * smooth_step(chart.y, lower + 0.5, lower - 0.5)
    return Lids(along, arch, upper, lower, inside)


def _eyeball(person: Person, pose: Pose, chart: Chart, lids: Lids, side: int) -> Field:
    dx, dy = chart.x - pose.gaze[0] * side, chart.y + 0.6 - pose.gaze[1]
    radius, angle = np.sqrt(dx * dx + dy * dy), np.arctan2(dy, dx)
    white = WHITE * (1 - 0.35 * np.clip(lids.along, -1, 1) ** 2)[..., None]
    rays = 1 + 0.12 * np.cos(17 * angle + person.number) + 0.25 * np.cos(29 * angle)
    rim = 1 - 0.75 * smooth_step(radius, IRIS_RADIUS - 1.4, IRIS_RADIUS)
    iris = (
        (rays * (0.75 + 0.6 * smooth_step(radius, 1.5, 4.5)) * rim)[..., None]
        * IRIS[person.colouring.iris] ** GAMMA
        * 1.15
    )
    iris *= smooth_step(radius, PUPIL_RADIUS - 0.4, PUPIL_RADIUS + 0.4)[..., None]
    disc = smooth_step(radius, IRIS_RADIUS + 0.4, IRIS_RADIUS - 0.4)[..., None]
    eye = white + (iris + 0.004 - white) * disc
    eye *= (1 - 0.6 * np.exp(-np.clip(chart.y - lids.upper, 0, 9) / 1.7))[..., None]  # the lid's shadow
    eye += 0.85 * np.exp(-((((dx + 1.9 * side) ** 2 + (dy + 2) ** 2) / 1.1) ** 2))[..., None]
    paint_over(eye, PINK, 0.8 * np.exp(-(((chart.x + 0.93 * person.shape.eye_length) / 1.7) ** 2)) * np.ones_like(dy))
    return np.asarray(eye, np.float32)


def _lashes(person: Person, chart: Chart, lids: Lids, image: Field, heights: Field) -> None:
    """Paint the lash lines and the crease above the lid, and carve the crease and the eye into the heights."""
    s, near = person.shape, np.abs(lids.along)
    upper = np.exp(-(((chart.y - lids.upper + 0.3) / (0.85 + 0.5 * person.makeup)) ** 2))
    upper = upper * smooth_step(near, 1.08, 0.95)
    darken(image, 0.82 * upper)
    darken(image, (0.35 + 0.3 * person.makeup) * np.exp(-(((chart.y - lids.lower - 0.2) / 0.7) ** 2)) * (near < 1))
    lid_height = 2.2 + 2.8 * s.lid_fold
    crease = np.exp(-(((chart.y - lids.upper + lid_height) / 0.85) ** 2)) * smooth_step(near, 1.15, 0.85)
    darken(image, 0.45 * float(np.clip(0.25 + s.lid_fold, 0, 1)) * crease)
    if person.makeup:
        eye_shadow = smooth_step(chart.y, lids.upper - lid_height - 3, lids.upper - 1)
        eye_shadow = eye_shadow * smooth_step(chart.y, lids.upper + 0.5, lids.upper - 0.5)
        darken(image, 0.35 * person.makeup * eye_shadow * smooth_step(near, 1.2, 0.8))
    heights += 0.8 * upper - 1.2 * s.lid_fold * crease - 1.4 * lids.inside


def _brow(person: Person, pose: Pose, chart: Chart, strands: Field, image: Field) -> None:
    s = person.shape
    along = (chart.x + s.eye_x - s.brow_gap) / (2 * s.brow_length)
    share = np.clip(along, 0, 1)
    middle = s.brow_y - pose.brow_lift - 4.4 * s.brow_arch * share * (1 - share) - s.brow_slope * (along - 0.5)
    middle = middle + 5 * np.clip(along - 0.65, 0, 1)
    thickness = s.brow_thickness * (1 - 0.62 * share**1.6) * smooth_step(along, -0.12, 0.1)
    thickness = thickness * smooth_step(along, 1.08, 0.9) + 0.05
    hairs = np.exp(-(np.abs((chart.y - middle) / thickness) ** 2.6)) * smooth_step(along, -0.12, 0.06)
    hairs = hairs * smooth_step(along, 1.06, 0.92)
    noise = np.asarray(strands, np.float32)
    rows = np.linspace(0, len(noise) - 1, chart.size[0]).astype(int)[:, None]
    columns = np.linspace(0, noise.shape[1] - 1, chart.size[1]).astype(int)
    hairs = np.clip(hairs * person.brow_density * (1 + 0.45 * noise[rows, columns]), 0, 0.95)
    hair = HAIR[person.colouring.hair] ** GAMMA
    paint_over(image, np.minimum(hair, 0.12) * 0.8 if person.colouring.hair < 7 else hair * 0.5, hairs)
