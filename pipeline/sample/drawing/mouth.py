"""The lines of a mouth: where the lips begin, meet and end across the face, from shape and expression."""

from typing import NamedTuple

import numpy as np

from pipeline.sample.drawing.face_map import Chart
from pipeline.sample.drawing.fields import Field, bell, step
from pipeline.sample.drawing.moments import Moment
from pipeline.sample.people import Shape


class Mouth(NamedTuple):
    """Curves [1, w] over the columns of a chart: heights in mm, and how near the middle of the mouth they are."""

    half_width: float
    across: Field  # -1 and 1 at the corners
    arch: Field  # 1 in the middle, 0 at the corners and beyond
    line: Field  # where the lips would meet
    upper: Field  # the upper lip's lower edge
    lower: Field  # the lower lip's upper edge
    top: Field
    bottom: Field
    gap: Field


def mouth(shape: Shape, moment: Moment, on: Chart) -> Mouth:
    """The mouth of a shape in a moment; smiling widens it, lifts the corners and thins the lips."""
    smile = max(moment.smile, 0.0)
    half = corner_x(shape, moment)
    across = np.clip(on.x / half, -1.6, 1.6)
    arch = np.clip(1 - across * across, 0, 1)
    line = shape.mouth_y - 6 * moment.smile * (1 - arch) + 0.3 * shape.asymmetry * across
    line = line + 0.25 * shape.cupid_bow * bell(on.x, 0, 4)
    gap = (moment.mouth_open + 2.1 * smile * (moment.smile > 0.35)) * arch**0.8
    upper, lower = line - 0.3 * gap, line + 0.7 * gap
    bow = 1 - 0.18 * shape.cupid_bow * bell(on.x, 0, 3.2)
    top = upper - shape.upper_lip * (1 - 0.25 * smile) * arch**0.75 * bow
    bottom = lower + shape.lower_lip * (1 - 0.15 * smile) * arch**0.62 * (1 - 0.12 * bell(on.x, 0, half))
    return Mouth(half, across, arch, line, upper, lower, top, bottom, gap)


def corner_x(shape: Shape, moment: Moment) -> float:
    """How far the corners of the mouth are from the middle, in mm."""
    return shape.mouth_width * (1 + 0.16 * max(moment.smile, 0.0) - 0.012 * moment.mouth_open)


def heights(lips: Mouth, on: Chart) -> tuple[Field, Field]:
    """How far into the upper and the lower lip each point [h, w] lies: 0 at the opening, 1 at the outer edge."""
    upper = (lips.upper - on.y) / np.maximum(lips.upper - lips.top, 0.3)
    lower = (on.y - lips.lower) / np.maximum(lips.bottom - lips.lower, 0.3)
    return np.clip(upper, -1, 2), np.clip(lower, -1, 2)


def lips_mask(lips: Mouth, on: Chart) -> Field:
    """How much each point [h, w] is lip."""
    upper, lower = heights(lips, on)
    each = [step(v, -0.05, 0.06) * step(v, 1.1, 0.82) for v in (upper, lower)]
    return np.maximum(*each) * step(lips.arch, 0, 0.12) * (np.abs(lips.across) < 1)
