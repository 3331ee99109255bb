"""The curves of a mouth, from shape and expression: the edges of both lips, and the line at which they meet."""

from typing import NamedTuple

import numpy as np

from pipeline.sample.drawing.conditions import Pose
from pipeline.sample.drawing.face.chart import Chart
from pipeline.sample.drawing.fields import Field, gaussian, smooth_step
from pipeline.sample.measures import Shape


class MouthCurves(NamedTuple):
    """The curves [1, w] of a mouth over the columns of a chart, as y in mm unless the comment says otherwise."""

    half_width: float
    across: Field  # -1 and 1 at the corners
    arch: Field  # 1 in the middle, 0 at the corners and beyond
    line: Field  # where the lips would meet
    upper: Field  # the upper lip's lower edge
    lower: Field  # the lower lip's upper edge
    top: Field  # the upper lip's upper edge
    bottom: Field  # the lower lip's lower edge
    gap: Field  # mm between the lips


def mouth_curves(shape: Shape, pose: Pose, chart: Chart) -> MouthCurves:
    """The curves of a mouth; smiling widens it, lifts the corners and thins the lips."""
    smile = max(pose.smile, 0.0)
    half = corner_x(shape, pose)
    across = np.clip(chart.x / half, -1.6, 1.6)
    arch = np.clip(1 - across * across, 0, 1)
    line = shape.mouth_y - 6 * pose.smile * (1 - arch) + 0.3 * shape.asymmetry * across
    line = line + 0.25 * shape.cupid_bow * gaussian(chart.x, 0, 4)
    gap = (pose.mouth_open + 2.1 * smile * (pose.smile > 0.35)) * arch**0.8
    upper, lower = line - 0.3 * gap, line + 0.7 * gap
    bow = 1 - 0.18 * shape.cupid_bow * gaussian(chart.x, 0, 3.2)
    top = upper - shape.upper_lip * (1 - 0.25 * smile) * arch**0.75 * bow
    bottom = lower + shape.lower_lip * (1 - 0.15 * smile) * arch**0.62 * (1 - 0.12 * gaussian(chart.x, 0, half))
    return MouthCurves(half, across, arch, line, upper, lower, top, bottom, gap)


def corner_x(shape: Shape, pose: Pose) -> float:
    """The distance of the corners of the mouth from its middle, in mm."""
    return shape.mouth_width * (1 + 0.16 * max(pose.smile, 0.0) - 0.012 * pose.mouth_open)


def lip_depths(lips: MouthCurves, chart: Chart) -> tuple[Field, Field]:
    """The position of each point [h, w] within the upper and the lower lip: 0 at the opening, 1 at the outer edge."""
    upper = (lips.upper - chart.y) / np.maximum(lips.upper - lips.top, 0.3)
    lower = (chart.y - lips.lower) / np.maximum(lips.bottom - lips.lower, 0.3)
    return np.clip(upper, -1, 2), np.clip(lower, -1, 2)


def lips_mask(lips: MouthCurves, chart: Chart) -> Field:
    """The opacity [h, w] of the lips, 0 to 1."""
    upper, lower = lip_depths(lips, chart)
    each = [smooth_step(v, -0.05, 0.06) * smooth_step(v, 1.1, 0.82) for v in (upper, lower)]
    return np.maximum(*each) * smooth_step(lips.arch, 0, 0.12) * (np.abs(lips.across) < 1)
