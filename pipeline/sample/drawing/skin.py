"""The colours of a face on its chart, in linear light: skin, lips, brows, beard and what age writes on it."""

from collections.abc import Iterator

import numpy as np

from pipeline.sample.drawing import face_map as charts
from pipeline.sample.drawing.face_map import Bump, Chart, heap
from pipeline.sample.drawing.fields import Field, bell, darken, mottle, over, step
from pipeline.sample.drawing.moments import Moment
from pipeline.sample.drawing.mouth import Mouth, heights, lips_mask, mouth
from pipeline.sample.drawing.relief import fold
from pipeline.sample.people import Person

GAMMA = 2.2
SKIN = (
    np.array(
        [[236, 200, 178], [228, 182, 152], [210, 158, 124], [174, 121, 88], [128, 84, 60], [88, 57, 43]], np.float32
    )
    / 255
)  # from fair to dark
HAIR = (
    np.array(
        [
            [30, 24, 22],
            [48, 34, 26],
            [82, 55, 36],
            [112, 76, 46],
            [166, 126, 76],
            [200, 168, 112],
            [122, 58, 32],
            [122, 118, 114],
            [196, 192, 188],
        ],
        np.float32,
    )
    / 255
)


def skin_colour(who: Person) -> Field:
    """The linear RGB [3] of a person's skin."""
    paint, along = who.colouring, np.clip(who.colouring.melanin, 0, 0.999) * (len(SKIN) - 1)
    i, rest = int(along), along % 1
    srgb = (SKIN[i] * (1 - rest) + SKIN[i + 1] * rest) * (1 + paint.redness, 1, 1 - paint.yellowness)
    return np.asarray(np.clip(srgb, 0, 1) ** GAMMA, np.float32)


def hair_colour(who: Person) -> Field:
    """The linear RGB [3] of a person's hair."""
    return np.asarray(HAIR[who.colouring.hair] ** GAMMA, np.float32)


def skin(who: Person, moment: Moment, on: Chart) -> Field:
    """The bare face [h, w, 3]: blood under it, shadows round the eyes, freckles, moles and wrinkles."""
    rng = who.draws(2)
    paint, colour = who.colouring, skin_colour(who)
    coarse, blots, fine = (mottle(rng, charts.SIZE, (g, g), on.size) for g in (60, 22, 4))
    fair = 1 - 0.6 * paint.melanin
    red = fair * (heap(on, _blushes(who)) + 0.06 * blots)
    tone = 1.04 - heap(on, _shadows(who)) - 0.09 * step(on.y, -20, -65) + 0.02 * coarse + 0.015 * blots + 0.022 * fine
    drawn = (1 + red[..., None] * np.array([0.05, -0.13, -0.12], np.float32)) * colour
    drawn *= tone[..., None]
    if paint.freckles:
        spots = step(mottle(rng, charts.SIZE, (3.2, 3.2), on.size), 0.7, 1.6) * bell(on.y, 22, 22) * bell(on.x, 0, 42)
        drawn *= 1 - (0.4 * paint.freckles * spots)[..., None] * np.array([0.6, 1, 1.1], np.float32)
    for x, y, radius in paint.moles:
        rows, columns, part = on.window(x - 5, x + 5, y - 5, y + 5)
        darken(drawn[rows, columns], 0.7 * np.exp(-((((part.x - x) ** 2 + (part.y - y) ** 2) / radius**2 / 1.2) ** 2)))
    rows, columns, part = on.window(-60, 60, who.shape.nose_length - 14, who.shape.mouth_y + 26)
    darken(drawn[rows, columns], (0.08 + 0.1 * who.age) * fold(who.shape, moment, part))
    return drawn


def _blushes(who: Person) -> Iterator[Bump]:
    s = who.shape
    yield Bump(0.8, 38, 32, 15, 13)
    yield Bump(0.7, 0, s.nose_length - 4, 11, 9, mirrored=False)
    yield Bump(0.25, 0, s.mouth_y + 30, 14, 9, mirrored=False)


def _shadows(who: Person) -> Iterator[Bump]:
    s = who.shape
    yield Bump(0.14 + 0.45 * who.colouring.eye_shadow, s.eye_x - 2, -4, 15, 8)
    yield Bump(0.4 * who.colouring.bags, s.eye_x - 1, 10, 9, 3.2)
    yield Bump(0.1, 0, s.nose_length + 4.5, 0.8 * s.nose_width, 2.4, mirrored=False)
    yield Bump(0.7, 0.42 * s.nose_width, s.nose_length + 2.4 - 0.3 * s.nose_turn, 0.2 * s.nose_width, 1.6)  # nostrils


def wrinkles(who: Person, on: Chart) -> Field:
    """Lines of age [h, w]: across the forehead, beside the eyes, between the brows; 0 for the young."""
    s, deep = who.shape, who.age - 0.45
    lines = np.zeros(on.size, np.float32)
    if deep <= 0:
        return lines
    rows, columns, part = on.window(-60, 60, -70, -24)
    bow = 2 * np.sin(part.x * 0.08 + who.number)
    for i in range(3):
        lines[rows, columns] += np.exp(-(((part.y + 38 + 9 * i + bow) / 1.2) ** 2)) * bell(part.x, 0, 26)
    rows, columns, part = on.window(-72, 72, -14, 16)
    outside = np.abs(part.x) - s.eye_x - s.eye_length
    for slope in (-0.6, 0.0, 0.6):
        ray = np.exp(-((part.y - 1 - (outside - 3) * slope) ** 2))
        lines[rows, columns] += ray * step(outside, 1, 5) * step(outside, 14, 8)
    rows, columns, part = on.window(-9, 9, -34, 0)
    lines[rows, columns] += 0.8 * bell(np.abs(part.x), 4, 0.8) * bell(part.y, -16, 6)
    return np.asarray(deep * lines, np.float32)


def paint_mouth(who: Person, moment: Moment, on: Chart, drawn: Field) -> None:
    """Lips, teeth and the dark between them, painted over the face in place."""
    s = who.shape
    rows, columns, part = on.window(-42, 42, s.mouth_y - 22, s.mouth_y + 40)
    lips, below = mouth(s, moment, part), drawn[rows, columns]
    colour = skin_colour(who) * np.array([0.92, 0.6, 0.62], np.float32) * (1 - 0.25 * who.colouring.lips)
    if who.makeup > 0.3:
        share = 0.6 * who.makeup
        colour = colour * (1 - share) + share * np.array([0.42, 0.05, 0.08], np.float32)
    creases = 1 + 0.08 * mottle(who.draws(3), (62, 84), (9, 1.8), part.size)
    over(below, colour * creases[..., None], 0.85 * lips_mask(lips, part))
    inside = np.abs(lips.across) < 1
    darken(below, 0.62 * np.exp(-(((part.y - lips.line) / 0.8) ** 2)) * inside * lips.arch**0.15)
    if float(lips.gap.max()) > 0.6:
        _paint_teeth(lips, moment, part, below)


def _paint_teeth(lips: Mouth, moment: Moment, part: Chart, below: Field) -> None:
    opening = step(part.y, lips.upper - 0.4, lips.upper + 0.4) * step(part.y, lips.lower + 0.4, lips.lower - 0.4)
    opening = opening * (np.abs(lips.across) < 1) * (lips.gap > 0.6)
    teeth = step(part.y, lips.upper - 0.2, lips.upper + 0.3) * step(part.y, lips.upper + 7.5, lips.upper + 6.5)
    between = 0.82 - 0.1 * np.cos(part.x * (2 * np.pi / 8)) ** 8
    lit = 1.0 if moment.smile > 0.15 else 0.55
    shown = teeth * between * step(np.abs(lips.across), 1.15, 0.35) * lit
    cave = np.array([0.1, 0.025, 0.025], np.float32) + shown[..., None] * np.array([0.62, 0.56, 0.48], np.float32)
    over(below, cave, opening)


def beard_mask(who: Person, moment: Moment, on: Chart) -> Field | None:
    """How much of each point [h, w] beard covers, or None for a shaven face."""
    if who.beard == "none":
        return None
    s, x = who.shape, np.abs(on.x)
    lips = mouth(s, moment, on)
    # jaw, sideburns and what joins them along a line from the ear to the corner of the mouth
    edge = 26 + 34 * step(x, 64, 26) + 2 * mottle(who.draws(5), charts.SIZE, (60, 9), on.size)
    full = np.maximum(step(on.y, edge - 5, edge + 7) * step(x, 20, 32), step(on.y, s.mouth_y + 8, s.mouth_y + 20))
    half = lips.half_width
    over_lip = step(on.y, s.nose_length + 6, s.nose_length + 11) * step(x, half * 1.35, half * 1.05)
    moustache = over_lip * step(on.y, lips.line + 1, lips.line - 4)
    beside = np.exp(-(((x - 1.22 * half) / 5) ** 2)) * step(on.y, s.mouth_y - 8, s.mouth_y - 1)
    goatee = np.maximum(step(on.y, s.mouth_y + 12, s.mouth_y + 18) * step(x, 29, 20), beside * step(on.y, 130, 100))
    masks = {
        "stubble": 0.34 * np.maximum(np.maximum(full, moustache), beside),
        "full": 0.94 * np.maximum(np.maximum(full, moustache), beside),
        "goatee": 0.9 * np.maximum(goatee, moustache),
        "moustache": 0.92 * moustache,
    }
    _, lower = heights(lips, on)
    return np.asarray(
        masks[who.beard] * (1 - lips_mask(lips, on)) * (1 - bell(lower, 0.2, 0.5) * (lips.arch > 0)), np.float32
    )
