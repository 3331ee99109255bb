"""The relief of a face: the height in mm of each point of the chart above the bare head.

A real embedder recognises drawn people by these forms: when all have the same relief, it takes them for one person.
"""

from collections.abc import Iterator

import numpy as np

from pipeline.sample.drawing.conditions import Pose
from pipeline.sample.drawing.face.chart import CHART_SIZE, Bump, Chart, sum_of_bumps
from pipeline.sample.drawing.face.mouth import lip_depths, mouth_curves
from pipeline.sample.drawing.fields import Field, gaussian, smooth_noise, smooth_step
from pipeline.sample.measures import Shape
from pipeline.sample.people import Person


def relief(person: Person, pose: Pose, chart: Chart) -> Field:
    """The heights [h, w] of a person's face in a pose, in mm."""
    heights = sum_of_bumps(chart, _bumps(person.shape, pose)) + _unevenness_of_person(person, chart)
    _nose(person.shape, chart, heights)
    _lips(person.shape, pose, chart, heights)
    rows, columns, window = chart.window(-60, 60, person.shape.nose_length - 14, person.shape.mouth_y + 26)
    heights[rows, columns] -= (0.9 * person.folds + 1.6 * max(pose.smile, 0)) * nasolabial_fold(
        person.shape, pose, window
    )
    return heights


def _bumps(s: Shape, pose: Pose) -> Iterator[Bump]:
    smile, jaw_drop = max(pose.smile, 0.0), pose.mouth_open
    yield Bump(-s.socket, s.eye_x, -3, 17, 10.5)
    yield Bump(4.5 + 0.3 * s.socket, s.eye_x, 0, 10.5, 7.5)  # the eyeball
    yield Bump(-3, s.eye_x - 17, 1, 5, 7)
    yield Bump(s.cheekbone, 46 * s.face_width, 24, 14, 11)
    yield Bump(2.5 * smile, 36, 34, 10, 9)
    yield Bump(s.cheek, 42, 58, 15, 16)
    yield Bump(s.brow_ridge, 0, s.brow_y + 1, 38, 7, mirrored=False)
    yield Bump(s.nose_tip, 0, s.nose_length - 5 - s.nose_turn, 7, 6, mirrored=False)
    yield Bump(9, s.nose_width - 4.5, s.nose_length - 2, 4.8, 5.5)  # the wings
    yield Bump(-2.2, s.nose_width + 3.2, s.nose_length - 1, 2.6, 6)
    yield Bump(4.5, 0, s.mouth_y, 24, 17, mirrored=False)  # the teeth behind the lips
    yield Bump(-0.9, 0, (s.nose_length + s.mouth_y) / 2 + 2, 2.6, 7, mirrored=False)  # the philtrum
    yield Bump(-s.chin_dent, 0, s.mouth_y + 17 + 0.7 * jaw_drop, 15, 5, mirrored=False)
    yield Bump(s.chin_relief, 0, s.chin_y - 9 + 0.6 * jaw_drop, s.chin_width, 9, mirrored=False)


def _unevenness_of_person(person: Person, chart: Chart) -> Field:
    """Random heights [h, w], the same in every photo of the person: mostly symmetric, smoother on the forehead."""
    rng = person.random_for(1)
    lumps = [smooth_noise(rng, CHART_SIZE, (grain, grain), chart.size) for grain in (60, 34)]
    heights = 0.9 * lumps[0] + 0.6 * lumps[1]
    return np.asarray(
        (0.6 * heights + 0.4 * heights[:, ::-1]) * (0.25 + 0.8 * smooth_step(chart.y, -58, -25)), np.float32
    )


def _nose(s: Shape, chart: Chart, heights: Field) -> None:
    rows, columns, window = chart.window(-45, 45, -22, s.nose_length + 16)
    tip = s.nose_length - 5
    rise = s.nose_bridge * smooth_step(window.y, -14, 6) + (1 - s.nose_bridge) * np.clip(window.y / tip, 0, 1) ** 1.25
    ridge = s.nose_height * rise * smooth_step(window.y, s.nose_length + 10 + 0.5 * s.nose_turn, tip - 1)
    ridge += s.nose_hump * gaussian(window.y, 0.4 * s.nose_length, 7)
    widening = (0.42 * s.nose_width - 0.3 * s.nose_ridge) * smooth_step(window.y, 0.25 * s.nose_length, s.nose_length)
    width = np.maximum(0.8 * s.nose_ridge + widening, 3) * 1.45
    heights[rows, columns] += ridge * np.exp(-(np.abs(window.x / width) ** 2.1))


def _lips(s: Shape, pose: Pose, chart: Chart, heights: Field) -> None:
    rows, columns, window = chart.window(-42, 42, s.mouth_y - 22, s.mouth_y + 40)
    lips = mouth_curves(s, pose, window)
    upper, lower = lip_depths(lips, window)
    inside = (np.abs(lips.across) < 1) * lips.arch**0.5
    upper_form = 0.72 * np.exp(-(((upper - 0.4) / 0.6) ** 2)) * (upper > -0.9)
    lower_form = 1.1 * np.exp(-(((lower - 0.45) / 0.6) ** 2)) * (lower > -0.9)
    groove = 2.6 * np.exp(-(((window.y - lips.line) / 1.5) ** 2)) * lips.arch**0.3 * (np.abs(lips.across) < 1)
    heights[rows, columns] += s.lip_relief * (upper_form + lower_form) * inside - groove


def nasolabial_fold(s: Shape, pose: Pose, window: Chart) -> Field:
    """The folds [h, w] from the wings of the nose past the corners of the mouth; 1 where they are deepest."""
    half = s.mouth_width * (1 + 0.16 * max(pose.smile, 0.0))
    down = np.clip((window.y - (s.nose_length - 4)) / (s.mouth_y + 8 - s.nose_length), -0.3, 1.4)
    along = s.nose_width + 3 + (half + 4 - s.nose_width) * np.clip(down, 0, 1.2) ** 0.85
    return np.asarray(
        np.exp(-(((np.abs(window.x) - along) / 2.8) ** 2))
        * smooth_step(down, -0.2, 0.15)
        * smooth_step(down, 1.25, 0.85),
        np.float32,
    )
