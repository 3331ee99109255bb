"""Hair: a shell over the head that ends at a hairline, thick or thin, with strands painted along it."""

from typing import NamedTuple

import numpy as np

from pipeline.sample.drawing.fields import Field, bell, mottle, step, stretch
from pipeline.sample.drawing.head import Skull
from pipeline.sample.drawing.moments import Light
from pipeline.sample.drawing.skin import hair_colour
from pipeline.sample.drawing.surfaces import CLOTH_WRAP, Part, around, lit, normals, power, unit
from pipeline.sample.people import Person

ROWS, COLUMNS = 60, 100
LENGTH = {"long": 190.0, "wavy": 165.0, "bob": 84.0}  # mm below the eyes; other hair ends on the head
SIDES = {"crop": -8.0, "receding": -6.0, "short": 2.0, "side": 2.0, "tied": -5.0, "fringe": 20.0, "curly": 16.0}
AREA = (320.0, 560.0)  # mm of a shell, down and around


class Shell(NamedTuple):
    """A head of hair: points [h, w, 3], the bare head below them, and the angle of each column [1, w] in degrees."""

    points: Field
    azimuth: Field
    y: Field


def loose(who: Person) -> bool:
    """Whether the hair hangs below the ears and hides them."""
    return who.hair in LENGTH


def hair(who: Person, bare: Skull, light: Light, view: Field, per_mm: float) -> Part | None:
    """The hair of a person over a bare head, its shares as fourth channel of the colours; None for the bald."""
    if who.hair == "bald":
        return None
    shell = _shell(who, bare)
    size = round(0.45 * AREA[0] * per_mm), round(0.65 * AREA[1] * per_mm)
    y, azimuth = stretch(shell.y, size), stretch(shell.azimuth, size)
    rng = who.draws(11)
    fine, locks, broad = (mottle(rng, AREA, g, size) for g in _grain(who))
    strands = 0.42 * fine + 0.28 * locks + 0.14 * broad
    line = _line(who, azimuth, y) + 2.2 * locks
    frayed = 0.1 if who.hair == "curly" else 0.35
    share = np.clip((line - y) / 7 + 0.5 + frayed * fine, 0, 1)
    if who.hair == "crop":
        share *= 0.9
    thickness = np.clip((line - y) / 16, 0, 1) ** 0.6
    colour = hair_colour(who) * np.clip(1 + strands, 0.25, 2.0)[..., None]
    colour *= (1 - 0.4 * _parting(who, azimuth, y))[..., None]
    occlusion = (0.55 + 0.45 * thickness) * (1 - 0.3 * step(y, 0, 150))
    normal, tangent = stretch(normals(shell.points), size), stretch(_downward(shell.points), size)
    normal[..., 0] += 0.18 * fine + 0.2 * locks
    sent = lit(colour, normal, light, view=view, occlusion=occlusion, wrap=CLOTH_WRAP)
    sent += (
        _sheen(tangent, fine, light, view, colour) * (occlusion * np.clip(normal @ light.key + 0.2, 0, 1))[..., None]
    )
    return Part(shell.points, np.dstack([sent, share]).astype(np.float32))


def _grain(who: Person) -> tuple[tuple[float, float], ...]:
    if who.hair == "curly":
        return (6, 5), (13, 12), (40, 40)
    return (70, 2.0), (40, 6), (120, 14)


def _shell(who: Person, bare: Skull) -> Shell:
    """The bare head's form, moved outward by the hair's thickness; thinner towards the hairline."""
    thick = 2.5 if who.hair == "crop" else who.volume * (1.7 if who.hair == "curly" else 1.0)
    y, z, width = _below_hair(who, bare)
    up, out = -np.gradient(width[:, 0])[:, None], np.gradient(y[:, 0])[:, None]
    length = np.hypot(up, out) + 1e-6
    up, out = up / length, out / length
    azimuth = np.linspace(-180, 180, COLUMNS, dtype=np.float32)[None]
    lumps = _lumps(who)
    depth = np.clip((_line(who, azimuth, y) - y) / 16, 0, 1) ** 0.6
    if loose(who):
        depth = np.maximum(depth, np.abs(azimuth) > 63)
    off = 3.0 + (thick - 3.0) * depth if thick > 3 else thick + 0 * depth
    scale = 1 + 0.022 * np.maximum(lumps, -1.2) * (0.3 + thick / 14) * depth
    sideways, forwards = around(np.deg2rad(azimuth))
    x = (width + 0.9 * off * out) * sideways * scale
    z = (z + 0.85 * off * out) * forwards * scale
    points = np.stack([x, y + off * up + 0 * azimuth, z], -1).astype(np.float32)
    return Shell(points, np.tile(azimuth, (ROWS, 1)), np.tile(y, (1, COLUMNS)).astype(np.float32))


def _below_hair(who: Person, bare: Skull) -> tuple[Field, Field, Field]:
    """Height, depth and half width [ROWS, 1] of what the hair lies on: the head to the ears, then straight down."""
    down, hangs = LENGTH.get(who.hair, 78.0), loose(who)
    top = bare.profile[: int(np.argmax(bare.profile[:, 0] > 2))]
    below = np.linspace(3, down, 24, dtype=np.float32)
    share = np.linspace(0, 1, 24, dtype=np.float32)
    swing = 9 * np.sin(np.minimum(2.2 * share, 1) * 1.57) if hangs else -16 * share**2
    if who.hair == "wavy":
        swing = swing + 5 * np.sin(share * 13) * share
    y = np.r_[top[:, 0], below]
    z = np.r_[top[:, 1], top[-1, 1] - (0 if hangs else 12) * share]
    width = np.r_[top[:, 2], top[-1, 2] + swing]
    at = np.linspace(0, len(y) - 1, ROWS)
    y, z, width = (np.interp(at, np.arange(len(y)), v).astype(np.float32)[:, None] for v in (y, z, width))
    return y, z, width


def _lumps(who: Person) -> Field:
    rng = who.draws(12)
    sizes = ((16, 16), (24, 24), (60, 60)) if who.hair == "curly" else ((60, 14), (40, 22), (90, 40))
    small, middle, large = (mottle(rng, AREA, g, (ROWS, COLUMNS)) for g in sizes)
    lumps = 0.8 * small + 0.6 * middle + 1.0 * large
    seam = step(np.abs(np.linspace(-1, 1, COLUMNS, dtype=np.float32)), 1, 0.9)  # both ends meet at the back
    return np.asarray(lumps * seam, np.float32)


def _line(who: Person, azimuth: Field, y: Field) -> Field:
    """How far down the hair reaches [h, w] in mm at angles in degrees, 0 in front."""
    s, away = who.shape, np.abs(azimuth)
    front = s.hairline_y + s.hair_peak * bell(away, 0, 9)
    if who.hair == "receding":
        front = s.hairline_y - 12 - 14 * bell(away, 30, 13) - 0.5 * s.hair_peak * bell(away, 0, 9)
    elif who.hair == "fringe":
        front = -29 + 3 * np.sin(np.deg2rad(azimuth) * 9 + who.number) + 0 * front
    elif who.hair == "side":
        front = s.hairline_y + 14 * np.clip(azimuth * np.sign(who.parting) / 40, -0.4, 1)
    temple = step(away, 38, 62)
    line = front * (1 - temple) - 28 * temple
    if loose(who):
        start = 57 + 7 * who.parting * np.sign(azimuth) + 9 * step(y, -10, 60)
        return np.asarray(line + (400 - line) * step(away, start, start + 7), np.float32)
    line = line + (SIDES[who.hair] + 10 - line) * step(away, 62, 70)
    return np.asarray(line + (54 - line) * step(away, 108, 135) + 0 * y, np.float32)


def _parting(who: Person, azimuth: Field, y: Field) -> Field:
    if who.hair in ("crop", "receding", "fringe", "tied", "curly"):
        return np.zeros_like(y)
    return bell(azimuth, 25 * who.parting, 2.4) * step(y, -50, -62)


def _downward(points: Field) -> Field:
    return unit(np.gradient(points, axis=0))


def _sheen(tangent: Field, strands: Field, light: Light, view: Field, colour: Field) -> Field:
    """The band of light across hair: a highlight of threads rather than of a surface (Kajiya and Kay 1989)."""
    halfway = light.key + view
    along = unit(tangent) @ (halfway / np.linalg.norm(halfway)) + 0.12 * strands
    band = power(np.clip(1 - along * along, 0, 1), 24)
    return np.asarray((0.14 * band)[..., None] * (0.35 * np.sqrt(colour) + 0.12) * light.tint, np.float32)
