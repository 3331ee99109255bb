"""The bust: neck, shoulders and clothes as one rounded surface, skin above the neckline and cloth below."""

from typing import NamedTuple

import numpy as np

from pipeline.sample.drawing.colours import skin_colour
from pipeline.sample.drawing.conditions import Light
from pipeline.sample.drawing.fields import Field, gaussian, paint_over, resample, smooth_noise, smooth_step
from pipeline.sample.drawing.surfaces import CLOTH_WRAP, BodyPart, along, around, normals, shade
from pipeline.sample.people import Person

ROWS, COLUMNS = 44, 56
MAX_AZIMUTH = np.deg2rad(112)  # the surface covers the body up to this angle, 0 in front
CLOTHES = ("crew", "crew", "vee", "shirt", "shirt", "jacket", "jacket", "polo")
AREA = (420.0, 640.0)  # mm of the surface, down and around


class Outfit(NamedTuple):
    """The clothes of a person in a photo: linear RGB colours and patterns."""

    cut: str  # see CLOTHES
    cloth: Field
    shirt: Field
    tie: Field | None
    stripes: float  # mm, 0 for none
    across: bool  # whether the stripes run across
    knit: float  # strength of the unevenness of the cloth


def random_outfit(rng: np.random.Generator) -> Outfit:
    """Clothes for one photo, in colours that people wear: mostly dull, some bright, many dark or white."""
    cut = str(rng.choice(CLOTHES))
    bright = rng.random((3, 3)) ** 1.4
    dull = bright.mean(1, keepdims=True)
    cloth, shirt, tie = (dull + (bright - dull) * rng.uniform(0.15, 0.8, (3, 1))).astype(np.float32) ** 2
    if cut == "jacket":
        cloth = cloth * 0.35
        shirt = 0.55 + 0.25 * shirt
    has_tie = cut == "jacket" and rng.random() < 0.6
    striped = rng.random() < 0.3
    return Outfit(
        cut=cut,
        cloth=cloth + 0.01,
        shirt=np.asarray(shirt, np.float32),
        tie=tie * 0.6 if has_tie else None,
        stripes=float(rng.uniform(9, 40)) if striped else 0.0,
        across=bool(rng.random() < 0.6),
        knit=float(rng.uniform(0.02, 0.09)),
    )


def draw_bust(
    person: Person, outfit: Outfit, light: Light, view: Field, *, per_mm: float, rng: np.random.Generator
) -> BodyPart:
    """The dressed body of a person from under the jaw to the chest.

    light, view [3] (towards the camera): in the body's axes. per_mm: points of the colours' grid per mm.
    """
    points = _body_points(person)
    size = round(0.38 * AREA[0] * per_mm), round(0.42 * AREA[1] * per_mm)
    fine_points = resample(points, size)
    x, y, front = fine_points[..., 0], fine_points[..., 1], (fine_points[..., 2] > -20).astype(np.float32)
    colours = np.empty((*size, 3), np.float32)
    colours[:] = skin_colour(person) * 0.96
    cloth = _dress(outfit, x, y, front, colours, rng=rng)
    under_chin = 0.4 + 0.6 * smooth_step(y, person.shape.chin_y + 2, person.shape.chin_y + 50)
    folds = 1 + 0.13 * smooth_noise(rng, AREA, (70, 30), size) * cloth * smooth_step(y, 150, 200)
    normal = resample(normals(points), size)
    return BodyPart(
        points,
        shade(
            colours * folds[..., None],
            normal,
            light,
            view=view,
            wrap=CLOTH_WRAP,
            occlusion=np.maximum(under_chin, 0.85 * cloth),
        ),
        -1.5,
    )


def _body_points(person: Person) -> Field:
    """The surface's points [ROWS, COLUMNS, 3] in mm."""
    man = 1.0 if person.man else -1.0
    neck, shoulder = 50 + 5.5 * man, 188 + 14 * man
    # y, depth, half width: neck, the slope of the trapezius, shoulders, upper arms
    profile = np.array(
        [
            (40, 44, neck - 4),
            (80, 46, neck - 3),
            (108, 48, neck),
            (124, 51, neck + 6),
            (136, 56, neck + 20),
            (147, 62, neck + 45),
            (160, 70, 0.68 * shoulder),
            (178, 79, 0.9 * shoulder),
            (205, 88, shoulder),
            (260, 96, shoulder + 5),
            (400, 104, shoulder + 8),
        ]
    )
    y, z, width = np.split(along(profile, ROWS), 3, axis=1)
    azimuth = MAX_AZIMUTH * np.linspace(-1, 1, COLUMNS, dtype=np.float32)[None]
    sideways, forward = around(azimuth)
    # in front, the base of the neck lies lower than behind
    lower = 22 * smooth_step(y, 95, 140) * smooth_step(y, 330, 160) * np.clip(np.cos(azimuth), -0.3, 1)
    return np.stack([width * sideways, y + lower - 6, z * forward - 34 + 0.06 * (y - 60)], -1).astype(np.float32)


def _dress(outfit: Outfit, x: Field, y: Field, front: Field, colours: Field, *, rng: np.random.Generator) -> Field:
    """Paint the clothes over the skin in place; returns the share of each point [h, w] that is cloth."""
    side, base = np.abs(x), 128 + 26 * gaussian(x, 0, 34) * front
    neckline = {
        "crew": base + 4,
        "polo": base + 2,
        "vee": base + 62 * np.clip(1 - side / 44, 0, 1) * front,
        "shirt": base - 14 + 44 * np.clip(1 - side / 30, 0, 1) * front,
        "jacket": base - 14 + 20 * np.clip(1 - side / 24, 0, 1) * front,
    }[outfit.cut]
    cloth = smooth_step(y, neckline - 1.5, neckline + 1.5)
    weave = smooth_noise(rng, AREA, (2.5, 2.5), (x.shape[0], x.shape[1]))
    paint_over(colours, _stripes(outfit, x, y)[..., None] * outfit.cloth * (1 + outfit.knit * weave)[..., None], cloth)
    if outfit.cut in ("crew", "vee"):
        colours *= (1 - 0.3 * cloth * np.exp(-(((y - neckline - 8) / 1.3) ** 2)))[..., None]  # the hem
    if outfit.cut in ("shirt", "polo"):
        _placket(x, y, neckline, cloth, colours)
    if outfit.cut == "jacket":
        _lapels(outfit, x, y, cloth * front, colours)
    if outfit.cut in ("shirt", "polo", "jacket"):
        _collar(outfit, x, y, neckline, cloth, colours=colours)
    return cloth


def _stripes(outfit: Outfit, x: Field, y: Field) -> Field:
    if not outfit.stripes:
        return np.ones_like(x)
    waves = np.sin((y if outfit.across else x) * np.float32(2 * np.pi / outfit.stripes))
    return np.asarray(1 + 0.35 * np.sign(waves), np.float32)


def _placket(x: Field, y: Field, neckline: Field, cloth: Field, colours: Field) -> None:
    edge = np.exp(-(((np.abs(x) - 12) / 1.0) ** 2)) * cloth
    buttons = np.exp(-(((x / 3.2) ** 2 + (((y - neckline.max() - 12) % 62 - 31) / 3.2) ** 2) ** 2)) * cloth
    colours *= (1 - 0.3 * edge - 0.4 * buttons)[..., None]


def _lapels(outfit: Outfit, x: Field, y: Field, cloth: Field, colours: Field) -> None:
    opening = 62 * np.clip(1 - (y - 150) / 190, 0, 1)
    side = np.abs(x)
    paint_over(colours, outfit.shirt, cloth * smooth_step(side, opening + 1.5, opening - 1.5))
    if outfit.tie is not None:
        wide = 8 + 0.045 * np.maximum(y - 160, 0) + 3.0 * gaussian(y, 152, 7)
        paint_over(
            colours,
            outfit.tie * (1 + 0.3 * np.sign(np.sin((y + 0.8 * x) * 0.35)))[..., None],
            cloth * smooth_step(side, wide + 1, wide - 1),
        )
    lapel = (
        smooth_step(side, opening + 38, opening + 34)
        * smooth_step(side, opening, opening + 2)
        * smooth_step(y, 340, 300)
    )
    colours *= (1 - 0.25 * cloth * np.exp(-(((side - opening - 36) / 1.6) ** 2)) * smooth_step(y, 150, 170))[..., None]
    colours *= (1 + 0.25 * cloth * lapel)[..., None]


def _collar(outfit: Outfit, x: Field, y: Field, neckline: Field, cloth: Field, *, colours: Field) -> None:
    side = np.abs(x)
    edge = neckline + 16 + 14 * gaussian(side, 34, 14)
    flap = cloth * smooth_step(y, edge + 1, edge - 1) * smooth_step(side, 1, 4)
    paint_over(colours, (outfit.shirt if outfit.cut == "jacket" else 1.12 * outfit.cloth), flap)
    colours *= (
        1 - 0.35 * cloth * np.exp(-(((y - edge) / 1.5) ** 2)) * smooth_step(side, 1, 4) * smooth_step(side, 80, 60)
    )[..., None]
