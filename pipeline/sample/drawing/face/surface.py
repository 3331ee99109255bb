"""The surface of a face on its chart: heights and colours from all features, gloss, and the light that arrives."""

from typing import NamedTuple

import cv2
import numpy as np

from pipeline.sample.drawing.colours import hair_colour
from pipeline.sample.drawing.conditions import Pose
from pipeline.sample.drawing.face.chart import CHART_SIZE, Chart
from pipeline.sample.drawing.face.eyes import paint_eyes
from pipeline.sample.drawing.face.mouth import lips_mask, mouth_curves
from pipeline.sample.drawing.face.relief import relief
from pipeline.sample.drawing.face.skin import bare_skin, beard_mask, paint_mouth, wrinkles
from pipeline.sample.drawing.fields import Field, darken, gaussian, paint_over, resample, smooth_noise, smooth_step
from pipeline.sample.people import Person


class FaceSurface(NamedTuple):
    """A face on its chart [h, w]: heights in mm above the bare head, colours, and values for its shading."""

    heights: Field
    colours: Field  # [h, w, 3] linear light
    gloss: Field  # strength of highlights
    occlusion: Field  # the share of the light from all sides that arrives
    shadow: Field  # the share of the key lamp's light that arrives


def face_surface(person: Person, pose: Pose, chart: Chart, key: Field) -> FaceSurface:
    """A person's face in a pose; key [3]: the direction towards the key lamp, in the head's axes."""
    heights = relief(person, pose, chart)
    smooth_heights = heights.copy()  # without wrinkles, hair and eyes
    lines = wrinkles(person, chart)
    colours = bare_skin(person, pose, chart)
    darken(colours, 0.22 * lines)
    heights -= 1.1 * lines
    _grow_beard(person, pose, chart, colours, heights)
    paint_mouth(person, pose, chart, colours)
    paint_eyes(person, pose, chart, colours, heights)
    s = person.shape
    gloss = 0.22 + 0.15 * gaussian(chart.x, 0, 8) * gaussian(chart.y, s.nose_length - 5, 10)
    rows, columns, window = chart.window(-42, 42, s.mouth_y - 22, s.mouth_y + 40)
    gloss[rows, columns] += 0.3 * lips_mask(mouth_curves(s, pose, window), window)
    return FaceSurface(
        heights, colours, gloss, _occlusion(smooth_heights, chart), _cast_shadow(smooth_heights, chart, key)
    )


def _grow_beard(person: Person, pose: Pose, chart: Chart, colours: Field, heights: Field) -> None:
    rows, columns, window = chart.window(-86, 86, -8, 132)
    mask = beard_mask(person, pose, window)
    if mask is None:
        return
    rng = person.random_for(6)
    strands = 0.6 * smooth_noise(rng, (140, 172), (6, 1.6), window.size) + 0.4 * smooth_noise(
        rng, (140, 172), (2, 2), window.size
    )
    mask = np.clip(mask * (1 + 0.3 * strands), 0, 1)
    paint_over(colours[rows, columns], 0.9 * hair_colour(person) * (1 + 0.3 * strands[..., None]), mask)
    heights[rows, columns] += mask * (3.0 if person.beard in ("full", "goatee") else 0.7) * (0.8 + 0.3 * strands)


def _occlusion(heights: Field, chart: Chart) -> Field:
    """The share [h, w] of the light from all sides that arrives: less in small and in large hollows."""
    per_mm = chart.size[1] / CHART_SIZE[1]
    small = cv2.resize(heights, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    near, wide = (cv2.GaussianBlur(small, (0, 0), sd * per_mm / 2) - small for sd in (9, 20))
    arriving = 1 - 0.05 * np.clip(near, -1, 8) - 0.02 * np.clip(wide, -2, 12)
    return resample(np.clip(arriving, 0.4, 1.06).astype(np.float32), chart.size)


def _cast_shadow(heights: Field, chart: Chart, key: Field) -> Field:
    """The share [h, w] of the key lamp's light that arrives past the nose and the brows.

    The relief is treated as lying on a plane. A point is in shadow when the relief, at one of four distances towards
    the lamp, is higher than the ray of light there.
    """
    small = cv2.resize(heights, (87, 129), interpolation=cv2.INTER_AREA)  # a point every 2 mm
    slant = float(np.hypot(key[0], key[1]))
    hidden = np.zeros_like(small)
    for distance in (4.0, 8.0, 13.0, 19.0):
        shift = np.array([[1, 0, key[0] * distance / 2 / slant], [0, 1, key[1] * distance / 2 / slant]])
        towards_lamp = cv2.warpAffine(
            small, shift, (87, 129), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
        )
        rise = towards_lamp - small - distance * float(key[2]) / slant
        hidden = np.maximum(hidden, smooth_step(rise, 0, 5))
    return resample(cv2.GaussianBlur(1 - 0.75 * hidden, (0, 0), 0.8), chart.size)
