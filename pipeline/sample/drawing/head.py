"""A head: the bare form from its profile, with the face's chart laid over it, and the ears."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.sample.drawing.eyes import paint_eyes
from pipeline.sample.drawing.face_map import Chart
from pipeline.sample.drawing.fields import Field, bell, darken, mottle, over, step, stretch
from pipeline.sample.drawing.moments import Light, Moment
from pipeline.sample.drawing.mouth import corner_x, lips_mask, mouth
from pipeline.sample.drawing.relief import relief
from pipeline.sample.drawing.skin import beard_mask, hair_colour, paint_mouth, skin, skin_colour, wrinkles
from pipeline.sample.drawing.surfaces import Part, along, around, lit, normals
from pipeline.sample.people import Person, Shape

ROWS, COLUMNS = 92, 76  # of the grid: 3 mm in front
REACH = np.deg2rad(132)  # how far round the face's surface goes
BEHIND = 1.2  # radians: a landmark is not looked for beyond, lest the underside of the jaw be taken


class Skull(NamedTuple):
    """The bare head: its profile [rows, 3] (y, z, half width), angles [1, w] and points [h, w, 3] in mm."""

    profile: Field
    azimuth: Field
    points: Field


class Face(NamedTuple):
    """A face's chart: heights [h, w] in mm, colours [h, w, 3], gloss and occlusion [h, w], and the share of a lamp."""

    heights: Field
    colours: Field
    gloss: Field
    occlusion: Field
    shadow: Field


@lru_cache(maxsize=2)  # the face and the hair of one person ask for the same one
def skull(shape: Shape) -> Skull:
    """The head of a shape without a face: cross-sections along a profile from the crown to under the chin."""
    profile = along(_profile(shape), ROWS)
    share = np.linspace(-1, 1, COLUMNS, dtype=np.float32)[None]
    azimuth = REACH * (0.66 * share + 0.34 * share**3)  # closer in front
    sideways, forward = around(azimuth)
    y, z, width = (profile[:, i : i + 1] for i in range(3))
    # the jaw rises towards the ears
    lifted = y - 45 * (1 - np.maximum(np.cos(azimuth), 0.05)) * step(y, 35, shape.chin_y + 2)
    return Skull(profile, azimuth, np.stack([width * sideways, lifted, z * forward], -1).astype(np.float32))


def _profile(s: Shape) -> Field:
    chin, jaw = s.chin_y, s.jaw
    y = np.array(
        [
            s.crown_y,
            s.crown_y + 4,
            s.crown_y + 16,
            s.crown_y + 36,
            -55,
            -25,
            0,
            25,
            50,
            chin - 38,
            chin - 18,
            chin - 5,
            chin + 3,
            chin + 6,
            chin + 4,
        ]
    )
    slope = 0.3 * s.forehead_slope
    z = np.array([5, 36, 62, 78 + slope, 88 - slope, 93, 91, 88, 87, 86, 84, 80, 68, 45, 15])
    cheek = 66 * np.sqrt(s.face_width * jaw)
    width = np.array(
        [2, 32, 55, 69, 75.5, 76 + s.temple, 74.5, 73 * s.face_width, cheek, 58 * jaw, 52 * jaw, 46 * jaw, 36, 26, 36]
    )
    width[:6] *= s.forehead
    return np.stack([y, z, 1.03 * width], 1)


def face(who: Person, moment: Moment, on: Chart, key: Field) -> Face:
    """A person's face on a chart in a moment, lit from `key` [3] in the head's axes."""
    heights = relief(who, moment, on)
    form = heights.copy()
    lines = wrinkles(who, on)
    colours = skin(who, moment, on)
    darken(colours, 0.22 * lines)
    heights -= 1.1 * lines
    _grow_beard(who, moment, on, colours, heights)
    paint_mouth(who, moment, on, colours)
    paint_eyes(who, moment, on, colours, heights)
    s = who.shape
    gloss = 0.22 + 0.15 * bell(on.x, 0, 8) * bell(on.y, s.nose_length - 5, 10)
    rows, columns, part = on.window(-42, 42, s.mouth_y - 22, s.mouth_y + 40)
    gloss[rows, columns] += 0.3 * lips_mask(mouth(s, moment, part), part)
    return Face(heights, colours, gloss, _occlusion(form, on), _cast_shadow(form, on, key))


def _grow_beard(who: Person, moment: Moment, on: Chart, colours: Field, heights: Field) -> None:
    rows, columns, part = on.window(-86, 86, -8, 132)
    mask = beard_mask(who, moment, part)
    if mask is None:
        return
    rng = who.draws(6)
    strands = 0.6 * mottle(rng, (140, 172), (6, 1.6), part.size) + 0.4 * mottle(rng, (140, 172), (2, 2), part.size)
    mask = np.clip(mask * (1 + 0.3 * strands), 0, 1)
    over(colours[rows, columns], 0.9 * hair_colour(who) * (1 + 0.3 * strands[..., None]), mask)
    heights[rows, columns] += mask * (3.0 if who.beard in ("full", "goatee") else 0.7) * (0.8 + 0.3 * strands)


def _occlusion(heights: Field, on: Chart) -> Field:
    """How much of the light from all sides arrives [h, w]: little in hollows, a small and a large one."""
    per_mm = on.size[1] / 172
    small = cv2.resize(heights, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    near, wide = (cv2.GaussianBlur(small, (0, 0), sd * per_mm / 2) - small for sd in (9, 20))
    open_to = 1 - 0.05 * np.clip(near, -1, 8) - 0.02 * np.clip(wide, -2, 12)
    return stretch(np.clip(open_to, 0.4, 1.06).astype(np.float32), on.size)


def _cast_shadow(heights: Field, on: Chart, key: Field) -> Field:
    """The share of a lamp's light that arrives [h, w]: the nose and the brows stand in its way.

    The relief is taken as lying on a plane and looked along towards the lamp at a few distances.
    """
    small = cv2.resize(heights, (87, 129), interpolation=cv2.INTER_AREA)  # 2 mm
    sideways = float(np.hypot(key[0], key[1]))
    hidden = np.zeros_like(small)
    for distance in (4.0, 8.0, 13.0, 19.0):
        shift = np.array([[1, 0, key[0] * distance / 2 / sideways], [0, 1, key[1] * distance / 2 / sideways]])
        ahead = cv2.warpAffine(
            small, shift, (87, 129), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
        )
        rise = ahead - small - distance * float(key[2]) / sideways
        hidden = np.maximum(hidden, step(rise, 0, 5))
    return stretch(cv2.GaussianBlur(1 - 0.75 * hidden, (0, 0), 0.8), on.size)


def head(who: Person, moment: Moment, on: Chart, light: Light, view: Field) -> tuple[Part, Field]:
    """The face laid over the head, and its five landmarks [5, 3] in mm: eyes, nose tip, corners of the mouth.

    light and view in the head's axes. Landmarks are ordered as ArcFace's template: the eye on the left of the picture
    first.
    """
    bare = skull(who.shape)
    drawn = face(who, moment, on, light.key)
    points = bare.points.copy()
    front = step(np.cos(bare.azimuth), 0.12, 0.5)
    points[..., 2] += front * on.look_up(drawn.heights, points[..., 0], points[..., 1])
    drop = 0.55 * moment.mouth_open
    points[..., 1] += drop * step(bare.points[..., 1], who.shape.mouth_y - 2, who.shape.mouth_y + 25)
    colours = _over_head(bare, drawn, on, light, view)
    return Part(points, colours), _landmarks(who.shape, moment, bare, points)


def _over_head(bare: Skull, drawn: Face, on: Chart, light: Light, view: Field) -> Field:
    """The lit colours of a face [rows, columns, 3] over the head's grid, about as finely as the chart is drawn."""
    per_mm = on.size[1] / 172
    size = round(270 * per_mm), round(225 * per_mm)  # the columns are closer in front
    place = stretch(bare.points[..., :2], size)
    front = step(np.cos(stretch(np.tile(bare.azimuth, (2, 1)), (2, size[1]))[:1]), 0.12, 0.5)
    down, right = np.gradient(drawn.heights, 1 / per_mm)
    slopes = on.look_up(np.dstack([right, down]).astype(np.float32), place[..., 0], place[..., 1]) * front[..., None]
    normal = stretch(normals(bare.points), size)
    normal[..., :2] -= normal[..., 2:] * slopes  # of the sum of a surface and a relief along z
    colours = on.look_up(drawn.colours, place[..., 0], place[..., 1])
    rest = on.look_up(np.dstack([drawn.gloss, drawn.occlusion, drawn.shadow]), place[..., 0], place[..., 1])
    open_to = stretch(np.tile(_under_jaw(bare), (1, 2)), (size[0], 2))[:, :1]
    return lit(
        colours,
        normal,
        light,
        view=view,
        gloss=rest[..., 0] * open_to,
        occlusion=rest[..., 1] * open_to,
        shadow=rest[..., 2] * open_to,
    )


def _under_jaw(bare: Skull) -> Field:
    """The share of light [rows, 1] that the neck and the shoulders leave to the underside of the jaw."""
    edge = int(np.argmax(bare.profile[:, 0]))
    return 1 - 0.6 * step(np.arange(ROWS)[:, None], edge - 8, edge + 1)


def _landmarks(s: Shape, moment: Moment, bare: Skull, points: Field) -> Field:
    corner_y = s.mouth_y - 6 * moment.smile - 2
    corner = corner_x(s, moment)
    # detectors see the nose's tip and the mouth a little higher than their forms are drawn
    wanted = [
        (-s.eye_x, -0.2),
        (s.eye_x, -0.2),
        (0, s.nose_length - 8 - 0.5 * s.nose_turn),
        (-corner, corner_y),
        (corner, corner_y),
    ]
    behind = (np.abs(bare.azimuth) > BEHIND) | (points[..., 2] < 45)
    found = []
    for x, y in wanted:
        away = (bare.points[..., 0] - x) ** 2 + (bare.points[..., 1] - y) ** 2 + 1e6 * behind
        i, j = np.unravel_index(int(np.argmin(away)), away.shape)
        right, down = (
            (bare.points[i, j + 1] - bare.points[i, j - 1]) / 2,
            (bare.points[i + 1, j] - bare.points[i - 1, j]) / 2,
        )
        across = np.linalg.solve(np.stack([right[:2], down[:2]], 1), np.array([x, y]) - bare.points[i, j, :2])
        edges = points[i, j + 1] - points[i, j - 1], points[i + 1, j] - points[i - 1, j]
        found.append(points[i, j] + across[0] * edges[0] / 2 + across[1] * edges[1] / 2)
    return np.array(found, np.float32)


def ears(who: Person, light: Light, view: Field) -> Iterator[Part]:
    """Both ears: a shell with a rim and a hollow."""
    u, v = np.linspace(-1, 1, 16, dtype=np.float32)[None], np.linspace(-1, 1, 22, dtype=np.float32)[:, None]
    radius = np.sqrt(u * u + v * v)
    colour = skin_colour(who) * np.array([1.0, 0.86, 0.84], np.float32)
    for side in (-1, 1):
        rim, hollow = bell(radius, 0.82, 0.1), bell(radius, 0, 0.35)
        out = 70 * who.shape.face_width + 5 - 9 * u * 0.9 + 3.5 * rim - 4 * hollow
        points = np.stack([side * out, 12 + 31 * v - 4 * u + 0 * radius, -12 + 13 * u + 0 * radius], -1).astype(
            np.float32
        )
        if side > 0:
            points = points[:, ::-1]
        bulge = normals(points)
        bulge *= np.sign(bulge[11, 8] @ np.array([side, 0, 0.6]) + 1e-6)
        shown = lit(
            np.broadcast_to(colour, points.shape),
            bulge,
            light,
            view=view,
            gloss=np.full_like(radius, 0.1),
            occlusion=np.clip(0.5 + 0.45 * radius, 0, 1)[:, ::-side],
        )
        whole = step(radius, 1.02, 0.94)[:, ::-side]
        yield Part(points, stretch(np.dstack([shown, whole]).astype(np.float32), (66, 48)), -2.0)
