"""Hair: a shell over the head that ends at a hairline, with strands painted along it."""

from typing import NamedTuple

import numpy as np

from pipeline.sample.drawing.colours import hair_colour
from pipeline.sample.drawing.conditions import Light
from pipeline.sample.drawing.fields import Field, gaussian, resample, smooth_noise, smooth_step
from pipeline.sample.drawing.head import Skull
from pipeline.sample.drawing.surfaces import CLOTH_WRAP, BodyPart, around, normals, shade, unit, whole_power
from pipeline.sample.people import Person

ROWS, COLUMNS = 60, 100
LENGTH = {"long": 190.0, "wavy": 165.0, "bob": 84.0}  # mm below the eyes; other hair does not hang down
SIDES = {"crop": -8.0, "receding": -6.0, "short": 2.0, "side": 2.0, "tied": -5.0, "fringe": 20.0, "curly": 16.0}
AREA = (320.0, 560.0)  # mm of a shell, down and around


class Shell(NamedTuple):
    """The surface of the hair: points [h, w, 3] in mm, angles [h, w] in degrees (0 in front), y [h, w] in mm."""

    points: Field
    azimuth: Field
    y: Field


def hangs_loose(person: Person) -> bool:
    """Whether the hair hangs below the ears and hides them."""
    return person.hair in LENGTH


def draw_hair(person: Person, skull: Skull, light: Light, view: Field, per_mm: float) -> BodyPart | None:
    """The hair of a person over the skull, with opacity as the fourth colour channel; None for a bald person.

    light, view [3] (towards the camera): in the head's axes. per_mm: points of the colours' grid per mm.
    """
    if person.hair == "bald":
        return None
    shell = _shell(person, skull)
    size = round(0.45 * AREA[0] * per_mm), round(0.65 * AREA[1] * per_mm)
    y, azimuth = resample(shell.y, size), resample(shell.azimuth, size)
    rng = person.random_for(11)
    fine, locks, broad = (smooth_noise(rng, AREA, g, size) for g in _grain(person))
    strands = 0.42 * fine + 0.28 * locks + 0.14 * broad
    line = _hairline(person, azimuth, y) + 2.2 * locks
    frayed = 0.1 if person.hair == "curly" else 0.35
    opacity = np.clip((line - y) / 7 + 0.5 + frayed * fine, 0, 1)
    if person.hair == "crop":
        opacity *= 0.9
    thickness = np.clip((line - y) / 16, 0, 1) ** 0.6
    colour = hair_colour(person) * np.clip(1 + strands, 0.25, 2.0)[..., None]
    colour *= (1 - 0.4 * _parting(person, azimuth, y))[..., None]
    occlusion = (0.55 + 0.45 * thickness) * (1 - 0.3 * smooth_step(y, 0, 150))
    normal, tangent = resample(normals(shell.points), size), resample(_downward(shell.points), size)
    normal[..., 0] += 0.18 * fine + 0.2 * locks
    colours = shade(colour, normal, light, view=view, occlusion=occlusion, wrap=CLOTH_WRAP)
    colours += (
        _sheen(tangent, fine, light, view, colour) * (occlusion * np.clip(normal @ light.key + 0.2, 0, 1))[..., None]
    )
    return BodyPart(shell.points, np.dstack([colours, opacity]).astype(np.float32))


def _grain(person: Person) -> tuple[tuple[float, float], ...]:
    if person.hair == "curly":
        return (6, 5), (13, 12), (40, 40)
    return (70, 2.0), (40, 6), (120, 14)


def _shell(person: Person, skull: Skull) -> Shell:
    """The skull's surface moved outward by the thickness of the hair, which falls towards the hairline."""
    thickness = 2.5 if person.hair == "crop" else person.volume * (1.7 if person.hair == "curly" else 1.0)
    y, z, width = _below_hair(person, skull)
    # the outward direction of the profile, in y and across
    up, out = -np.gradient(width[:, 0])[:, None], np.gradient(y[:, 0])[:, None]
    length = np.hypot(up, out) + 1e-6
    up, out = up / length, out / length
    azimuth = np.linspace(-180, 180, COLUMNS, dtype=np.float32)[None]
    lumps = _lumps(person)
    depth = np.clip((_hairline(person, azimuth, y) - y) / 16, 0, 1) ** 0.6
    if hangs_loose(person):
        depth = np.maximum(depth, np.abs(azimuth) > 63)
    offset = 3.0 + (thickness - 3.0) * depth if thickness > 3 else thickness + 0 * depth
    scale = 1 + 0.022 * np.maximum(lumps, -1.2) * (0.3 + thickness / 14) * depth
    sideways, forwards = around(np.deg2rad(azimuth))
    x = (width + 0.9 * offset * out) * sideways * scale
    z = (z + 0.85 * offset * out) * forwards * scale
    points = np.stack([x, y + offset * up + 0 * azimuth, z], -1).astype(np.float32)
    return Shell(points, np.tile(azimuth, (ROWS, 1)), np.tile(y, (1, COLUMNS)).astype(np.float32))


def _below_hair(person: Person, skull: Skull) -> tuple[Field, Field, Field]:
    """y, depth and half width [ROWS, 1] of the surface under the hair: the head to the ears, then straight down."""
    down, loose = LENGTH.get(person.hair, 78.0), hangs_loose(person)
    top = skull.profile[: int(np.argmax(skull.profile[:, 0] > 2))]
    below = np.linspace(3, down, 24, dtype=np.float32)
    share = np.linspace(0, 1, 24, dtype=np.float32)
    swing = 9 * np.sin(np.minimum(2.2 * share, 1) * 1.57) if loose else -16 * share**2
    if person.hair == "wavy":
        swing = swing + 5 * np.sin(share * 13) * share
    y = np.r_[top[:, 0], below]
    z = np.r_[top[:, 1], top[-1, 1] - (0 if loose else 12) * share]
    width = np.r_[top[:, 2], top[-1, 2] + swing]
    places = np.linspace(0, len(y) - 1, ROWS)
    y, z, width = (np.interp(places, np.arange(len(y)), v).astype(np.float32)[:, None] for v in (y, z, width))
    return y, z, width


def _lumps(person: Person) -> Field:
    rng = person.random_for(12)
    sizes = ((16, 16), (24, 24), (60, 60)) if person.hair == "curly" else ((60, 14), (40, 22), (90, 40))
    small, middle, large = (smooth_noise(rng, AREA, g, (ROWS, COLUMNS)) for g in sizes)
    lumps = 0.8 * small + 0.6 * middle + 1.0 * large
    seam = smooth_step(np.abs(np.linspace(-1, 1, COLUMNS, dtype=np.float32)), 1, 0.9)  # both ends meet at the back
    return np.asarray(lumps * seam, np.float32)


def _hairline(person: Person, azimuth: Field, y: Field) -> Field:
    """The lowest y [h, w], in mm, that the hair covers, at angles in degrees, 0 in front."""
    s, angle = person.shape, np.abs(azimuth)
    front = s.hairline_y + s.hair_peak * gaussian(angle, 0, 9)
    if person.hair == "receding":
        front = s.hairline_y - 12 - 14 * gaussian(angle, 30, 13) - 0.5 * s.hair_peak * gaussian(angle, 0, 9)
    elif person.hair == "fringe":
        front = -29 + 3 * np.sin(np.deg2rad(azimuth) * 9 + person.number) + 0 * front
    elif person.hair == "side":
        front = s.hairline_y + 14 * np.clip(azimuth * np.sign(person.parting) / 40, -0.4, 1)
    temple = smooth_step(angle, 38, 62)
    line = front * (1 - temple) - 28 * temple
    if hangs_loose(person):
        start = 57 + 7 * person.parting * np.sign(azimuth) + 9 * smooth_step(y, -10, 60)
        return np.asarray(line + (400 - line) * smooth_step(angle, start, start + 7), np.float32)
    line = line + (SIDES[person.hair] + 10 - line) * smooth_step(angle, 62, 70)
    return np.asarray(line + (54 - line) * smooth_step(angle, 108, 135) + 0 * y, np.float32)


def _parting(person: Person, azimuth: Field, y: Field) -> Field:
    if person.hair in ("crop", "receding", "fringe", "tied", "curly"):
        return np.zeros_like(y)
    return gaussian(azimuth, 25 * person.parting, 2.4) * smooth_step(y, -50, -62)


def _downward(points: Field) -> Field:
    return unit(np.gradient(points, axis=0))


def _sheen(tangent: Field, strands: Field, light: Light, view: Field, colour: Field) -> Field:
    """The band of light across hair, which reflects as threads do, not as a surface (Kajiya and Kay 1989)."""
    halfway = light.key + view
    along = unit(tangent) @ (halfway / np.linalg.norm(halfway)) + 0.12 * strands
    band = whole_power(np.clip(1 - along * along, 0, 1), 24)
    return np.asarray((0.14 * band)[..., None] * (0.35 * np.sqrt(colour) + 0.12) * light.tint, np.float32)
