"""The colours of a face on its chart, in linear light: skin, wrinkles, mouth and beard."""

from collections.abc import Iterator

import numpy as np

from pipeline.sample.drawing.colours import skin_colour
from pipeline.sample.drawing.conditions import Pose
from pipeline.sample.drawing.face.chart import CHART_SIZE, Bump, Chart, sum_of_bumps
from pipeline.sample.drawing.face.mouth import MouthCurves, lip_depths, lips_mask, mouth_curves
from pipeline.sample.drawing.face.relief import nasolabial_fold
from pipeline.sample.drawing.fields import Field, darken, gaussian, paint_over, smooth_noise, smooth_step
from pipeline.sample.people import Person


def bare_skin(person: Person, pose: Pose, chart: Chart) -> Field:
    """The colours [h, w, 3] of a face without mouth, eyes and hair: redness, shadows, freckles, moles, folds."""
    rng = person.random_for(2)
    colouring, colour = person.colouring, skin_colour(person)
    coarse, blots, fine = (smooth_noise(rng, CHART_SIZE, (g, g), chart.size) for g in (60, 22, 4))
    fair = 1 - 0.6 * colouring.melanin
    red = fair * (sum_of_bumps(chart, _blushes(person)) + 0.06 * blots)
    tone = (
        1.04
        - sum_of_bumps(chart, _shadows(person))
        - 0.09 * smooth_step(chart.y, -20, -65)
        + 0.02 * coarse
        + 0.015 * blots
        + 0.022 * fine
    )
    colours = (1 + red[..., None] * np.array([0.05, -0.13, -0.12], np.float32)) * colour
    colours *= tone[..., None]
    if colouring.freckles:
        spots = (
            smooth_step(smooth_noise(rng, CHART_SIZE, (3.2, 3.2), chart.size), 0.7, 1.6)
            * gaussian(chart.y, 22, 22)
            * gaussian(chart.x, 0, 42)
        )
        colours *= 1 - (0.4 * colouring.freckles * spots)[..., None] * np.array([0.6, 1, 1.1], np.float32)
    for x, y, radius in colouring.moles:
        rows, columns, window = chart.window(x - 5, x + 5, y - 5, y + 5)
        darken(
            colours[rows, columns],
            0.7 * np.exp(-((((window.x - x) ** 2 + (window.y - y) ** 2) / radius**2 / 1.2) ** 2)),
        )
    rows, columns, window = chart.window(-60, 60, person.shape.nose_length - 14, person.shape.mouth_y + 26)
    darken(colours[rows, columns], (0.08 + 0.1 * person.age) * nasolabial_fold(person.shape, pose, window))
    return colours


def _blushes(person: Person) -> Iterator[Bump]:
    s = person.shape
    yield Bump(0.8, 38, 32, 15, 13)
    yield Bump(0.7, 0, s.nose_length - 4, 11, 9, mirrored=False)
    yield Bump(0.25, 0, s.mouth_y + 30, 14, 9, mirrored=False)


def _shadows(person: Person) -> Iterator[Bump]:
    s = person.shape
    yield Bump(0.14 + 0.45 * person.colouring.eye_shadow, s.eye_x - 2, -4, 15, 8)
    yield Bump(0.4 * person.colouring.bags, s.eye_x - 1, 10, 9, 3.2)
    yield Bump(0.1, 0, s.nose_length + 4.5, 0.8 * s.nose_width, 2.4, mirrored=False)
    yield Bump(0.7, 0.42 * s.nose_width, s.nose_length + 2.4 - 0.3 * s.nose_turn, 0.2 * s.nose_width, 1.6)  # nostrils


def wrinkles(person: Person, chart: Chart) -> Field:
    """Depth of the wrinkles [h, w] across the forehead, beside the eyes, between the brows; 0 for young people."""
    s, depth = person.shape, person.age - 0.45
    lines = np.zeros(chart.size, np.float32)
    if depth <= 0:
        return lines
    rows, columns, window = chart.window(-60, 60, -70, -24)
    bow = 2 * np.sin(window.x * 0.08 + person.number)
    for i in range(3):
        lines[rows, columns] += np.exp(-(((window.y + 38 + 9 * i + bow) / 1.2) ** 2)) * gaussian(window.x, 0, 26)
    rows, columns, window = chart.window(-72, 72, -14, 16)
    outside = np.abs(window.x) - s.eye_x - s.eye_length
    for slope in (-0.6, 0.0, 0.6):
        ray = np.exp(-((window.y - 1 - (outside - 3) * slope) ** 2))
        lines[rows, columns] += ray * smooth_step(outside, 1, 5) * smooth_step(outside, 14, 8)
    rows, columns, window = chart.window(-9, 9, -34, 0)
    lines[rows, columns] += 0.8 * gaussian(np.abs(window.x), 4, 0.8) * gaussian(window.y, -16, 6)
    return np.asarray(depth * lines, np.float32)


def paint_mouth(person: Person, pose: Pose, chart: Chart, face: Field) -> None:
    """Paint lips, teeth and the dark inside of the mouth over a face [h, w, 3] in place."""
    s = person.shape
    rows, columns, window = chart.window(-42, 42, s.mouth_y - 22, s.mouth_y + 40)
    lips, image = mouth_curves(s, pose, window), face[rows, columns]
    colour = skin_colour(person) * np.array([0.92, 0.6, 0.62], np.float32) * (1 - 0.25 * person.colouring.lips)
    if person.makeup > 0.3:
        share = 0.6 * person.makeup
        colour = colour * (1 - share) + share * np.array([0.42, 0.05, 0.08], np.float32)
    creases = 1 + 0.08 * smooth_noise(person.random_for(3), (62, 84), (9, 1.8), window.size)
    paint_over(image, colour * creases[..., None], 0.85 * lips_mask(lips, window))
    inside = np.abs(lips.across) < 1
    darken(image, 0.62 * np.exp(-(((window.y - lips.line) / 0.8) ** 2)) * inside * lips.arch**0.15)
    if float(lips.gap.max()) > 0.6:
        _paint_teeth(lips, pose, window, image)


def _paint_teeth(lips: MouthCurves, pose: Pose, window: Chart, image: Field) -> None:
    opening = smooth_step(window.y, lips.upper - 0.4, lips.upper + 0.4) * smooth_step(
        window.y, lips.lower + 0.4, lips.lower - 0.4
    )
    opening = opening * (np.abs(lips.across) < 1) * (lips.gap > 0.6)
    teeth = smooth_step(window.y, lips.upper - 0.2, lips.upper + 0.3) * smooth_step(
        window.y, lips.upper + 7.5, lips.upper + 6.5
    )
    between = 0.82 - 0.1 * np.cos(window.x * (2 * np.pi / 8)) ** 8
    brightness = 1.0 if pose.smile > 0.15 else 0.55
    shown = teeth * between * smooth_step(np.abs(lips.across), 1.15, 0.35) * brightness
    cave = np.array([0.1, 0.025, 0.025], np.float32) + shown[..., None] * np.array([0.62, 0.56, 0.48], np.float32)
    paint_over(image, cave, opening)


def beard_mask(person: Person, pose: Pose, chart: Chart) -> Field | None:
    """The opacity [h, w] of the beard, 0 to 1; None for a face without a beard."""
    if person.beard == "none":
        return None
    s, x = person.shape, np.abs(chart.x)
    lips = mouth_curves(s, pose, chart)
    # jaw and sideburns, joined along a line from the ear to the corner of the mouth
    edge = 26 + 34 * smooth_step(x, 64, 26) + 2 * smooth_noise(person.random_for(5), CHART_SIZE, (60, 9), chart.size)
    full = np.maximum(
        smooth_step(chart.y, edge - 5, edge + 7) * smooth_step(x, 20, 32),
        smooth_step(chart.y, s.mouth_y + 8, s.mouth_y + 20),
    )
    half = lips.half_width
    over_lip = smooth_step(chart.y, s.nose_length + 6, s.nose_length + 11) * smooth_step(x, half * 1.35, half * 1.05)
    moustache = over_lip * smooth_step(chart.y, lips.line + 1, lips.line - 4)
    beside = np.exp(-(((x - 1.22 * half) / 5) ** 2)) * smooth_step(chart.y, s.mouth_y - 8, s.mouth_y - 1)
    goatee = np.maximum(
        smooth_step(chart.y, s.mouth_y + 12, s.mouth_y + 18) * smooth_step(x, 29, 20),
        beside * smooth_step(chart.y, 130, 100),
    )
    masks = {
        "stubble": 0.34 * np.maximum(np.maximum(full, moustache), beside),
        "full": 0.94 * np.maximum(np.maximum(full, moustache), beside),
        "goatee": 0.9 * np.maximum(goatee, moustache),
        "moustache": 0.92 * moustache,
    }
    _, lower = lip_depths(lips, chart)
    return np.asarray(
        masks[person.beard] * (1 - lips_mask(lips, chart)) * (1 - gaussian(lower, 0.2, 0.5) * (lips.arch > 0)),
        np.float32,
    )
