"""The relief of a face: how far each point of the chart stands out of the bare head, in mm.

The forms a real face recogniser tells people apart by: with these fixed, it takes everyone for the same person.
"""

from collections.abc import Iterator

import numpy as np

from pipeline.sample.drawing import face_map as charts
from pipeline.sample.drawing.face_map import Bump, Chart, heap
from pipeline.sample.drawing.fields import Field, bell, mottle, step
from pipeline.sample.drawing.moments import Moment
from pipeline.sample.drawing.mouth import heights, mouth
from pipeline.sample.people import Person, Shape


def relief(who: Person, moment: Moment, on: Chart) -> Field:
    """The heights [h, w] of a person's face in a moment."""
    drawn = heap(on, _bumps(who.shape, moment)) + _unlike_any_other(who, on)
    _nose(who.shape, on, drawn)
    _lips(who.shape, moment, on, drawn)
    rows, columns, part = on.window(-60, 60, who.shape.nose_length - 14, who.shape.mouth_y + 26)
    drawn[rows, columns] -= (0.9 * who.folds + 1.6 * max(moment.smile, 0)) * fold(who.shape, moment, part)
    return drawn


def _bumps(s: Shape, moment: Moment) -> Iterator[Bump]:
    smile, jaw_drop = max(moment.smile, 0.0), moment.mouth_open
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


def _unlike_any_other(who: Person, on: Chart) -> Field:
    """Unevenness of a person's own, mostly but not quite symmetric; the forehead is smoother."""
    rng = who.draws(1)
    lumps = [mottle(rng, charts.SIZE, (grain, grain), on.size) for grain in (60, 34)]
    both = 0.9 * lumps[0] + 0.6 * lumps[1]
    return np.asarray((0.6 * both + 0.4 * both[:, ::-1]) * (0.25 + 0.8 * step(on.y, -58, -25)), np.float32)


def _nose(s: Shape, on: Chart, drawn: Field) -> None:
    rows, columns, part = on.window(-45, 45, -22, s.nose_length + 16)
    tip = s.nose_length - 5
    rise = s.nose_bridge * step(part.y, -14, 6) + (1 - s.nose_bridge) * np.clip(part.y / tip, 0, 1) ** 1.25
    ridge = s.nose_height * rise * step(part.y, s.nose_length + 10 + 0.5 * s.nose_turn, tip - 1)
    ridge += s.nose_hump * bell(part.y, 0.4 * s.nose_length, 7)
    widening = (0.42 * s.nose_width - 0.3 * s.nose_ridge) * step(part.y, 0.25 * s.nose_length, s.nose_length)
    width = np.maximum(0.8 * s.nose_ridge + widening, 3) * 1.45
    drawn[rows, columns] += ridge * np.exp(-(np.abs(part.x / width) ** 2.1))


def _lips(s: Shape, moment: Moment, on: Chart, drawn: Field) -> None:
    rows, columns, part = on.window(-42, 42, s.mouth_y - 22, s.mouth_y + 40)
    lips = mouth(s, moment, part)
    upper, lower = heights(lips, part)
    inside = (np.abs(lips.across) < 1) * lips.arch**0.5
    upper_form = 0.72 * np.exp(-(((upper - 0.4) / 0.6) ** 2)) * (upper > -0.9)
    lower_form = 1.1 * np.exp(-(((lower - 0.45) / 0.6) ** 2)) * (lower > -0.9)
    groove = 2.6 * np.exp(-(((part.y - lips.line) / 1.5) ** 2)) * lips.arch**0.3 * (np.abs(lips.across) < 1)
    drawn[rows, columns] += s.lip_relief * (upper_form + lower_form) * inside - groove


def fold(s: Shape, moment: Moment, part: Chart) -> Field:
    """The fold from the nose's wing past the corner of the mouth [h, w], 1 where it is deepest."""
    half = s.mouth_width * (1 + 0.16 * max(moment.smile, 0.0))
    down = np.clip((part.y - (s.nose_length - 4)) / (s.mouth_y + 8 - s.nose_length), -0.3, 1.4)
    along = s.nose_width + 3 + (half + 4 - s.nose_width) * np.clip(down, 0, 1.2) ** 0.85
    return np.asarray(
        np.exp(-(((np.abs(part.x) - along) / 2.8) ** 2)) * step(down, -0.2, 0.15) * step(down, 1.25, 0.85), np.float32
    )
