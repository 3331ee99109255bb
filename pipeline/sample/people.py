"""Who is drawn: a person is a set of measures, colours and habits, told apart by shape as real faces are.

One idea: everything that makes the person follows from (seed, number), so two processes draw the same one.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

MEN_HAIR = ("short", "short", "crop", "bald", "receding", "side", "curly")
WOMEN_HAIR = ("long", "long", "bob", "tied", "fringe", "short", "curly", "wavy")
BEARDS = ("none", "none", "stubble", "full", "goatee", "moustache")


class Shape(NamedTuple):
    """The measures of a head, in mm from between the eyes unless they are shares of the average (1) or heights."""

    face_width: float
    forehead: float
    jaw: float
    chin_y: float
    crown_y: float
    eye_x: float
    eye_length: float
    eye_opening: float
    eye_tilt: float
    lid_fold: float
    socket: float
    brow_y: float
    brow_thickness: float
    brow_arch: float
    brow_slope: float
    brow_length: float
    brow_gap: float
    brow_ridge: float
    nose_length: float
    nose_height: float
    nose_bridge: float
    nose_width: float
    nose_tip: float
    nose_ridge: float
    nose_hump: float
    nose_turn: float
    mouth_y: float
    mouth_width: float
    upper_lip: float
    lower_lip: float
    cupid_bow: float
    lip_relief: float
    cheekbone: float
    cheek: float
    chin_relief: float
    chin_width: float
    chin_dent: float
    forehead_slope: float
    temple: float
    asymmetry: float
    hairline_y: float
    hair_peak: float


# mean, what a man has more and a woman less, standard deviation: of adults in a frontal view, rounded, and spread a
# little wider than life, because what a drawing loses in detail its shape must make up for
MEASURES: dict[str, tuple[float, float, float]] = {
    "face_width": (1, 0, 0.055),
    "forehead": (1, 0, 0.05),
    "jaw": (1, 0.04, 0.09),
    "chin_y": (110, 2, 5.5),
    "crown_y": (-112, 0, 5),
    "eye_x": (31.5, 0, 2.3),
    "eye_length": (14.3, -0.3, 1.3),
    "eye_opening": (5, -0.4, 0.9),
    "eye_tilt": (1.5, 0, 2.6),
    "lid_fold": (0.5, 0, 0.28),
    "socket": (8, 0, 3),
    "brow_y": (-18.5, 1.5, 2.4),
    "brow_thickness": (3.4, 0.8, 1.0),
    "brow_arch": (3, 0, 2.2),
    "brow_slope": (0, 0, 2.5),
    "brow_length": (19, 0, 2.5),
    "brow_gap": (11, 0, 2.5),
    "brow_ridge": (3, 1.5, 2),
    "nose_length": (41.5, 1, 3.4),
    "nose_height": (22, 1, 3.6),
    "nose_bridge": (0.42, 0, 0.16),
    "nose_width": (16.5, 0.7, 2.6),
    "nose_tip": (4, 0, 2.5),
    "nose_ridge": (7, 0, 1.4),
    "nose_hump": (1, 0, 1.6),
    "nose_turn": (0, 0, 2.5),
    "mouth_y": (68.5, 0, 3.2),
    "mouth_width": (25, 0, 2.7),
    "upper_lip": (6, -0.6, 1.8),
    "lower_lip": (8.5, -0.6, 2.2),
    "cupid_bow": (1.1, 0, 0.6),
    "lip_relief": (5, 0, 2),
    "cheekbone": (4, 0, 3),
    "cheek": (1, 0, 3),
    "chin_relief": (6, 0, 3.5),
    "chin_width": (15, 0, 4),
    "chin_dent": (3, 0, 1.6),
    "forehead_slope": (0, 0, 6),
    "temple": (0, 0, 3),
    "asymmetry": (0, 0, 1),
    "hairline_y": (-62, 0, 5),
    "hair_peak": (0, 0, 5),
}
FARTHEST = 2.2  # standard deviations: beyond them the parts of a face run into each other


@dataclass(frozen=True)
class Colouring:
    """Colours of a person: shares of 0 to 1, and indices into the palettes of skin.py."""

    melanin: float
    redness: float
    yellowness: float
    lips: float
    hair: int
    iris: int
    eye_shadow: float
    bags: float
    freckles: float
    moles: tuple[tuple[float, float, float], ...]  # x, y, radius in mm


@dataclass(frozen=True)
class Person:
    """Somebody who can be drawn; `seed` is of the person, for what is drawn at random but always the same."""

    number: int
    seed: tuple[int, int]
    man: bool
    age: float  # 0 young, 1 old
    shape: Shape
    colouring: Colouring
    folds: float  # depth of the folds from nose to mouth, in mm
    hair: str
    volume: float  # thickness of the hair in mm
    parting: float  # -1 left to 1 right
    beard: str
    brow_density: float
    makeup: float
    glasses: bool

    def draws(self, what: int) -> np.random.Generator:
        """Random numbers for one part of the person, the same in every photo."""
        return np.random.default_rng([*self.seed, what])


def person(seed: int, number: int) -> Person:
    """The person of that number in the world of that seed; other seeds hold other people."""
    rng = np.random.default_rng([7, seed, number])
    man, age = bool(rng.random() < 0.5), float(rng.random())
    sign = 1 if man else -1
    away = np.clip(rng.standard_normal(len(MEASURES)), -FARTHEST, FARTHEST)
    drawn = zip(Shape._fields, away, strict=True)
    shape = Shape(**{n: MEASURES[n][0] + sign * MEASURES[n][1] + MEASURES[n][2] * float(z) for n, z in drawn})
    hair = str(rng.choice(MEN_HAIR if man else WOMEN_HAIR))
    return Person(
        number=number,
        seed=(seed, number),
        man=man,
        age=age,
        shape=shape,
        colouring=_colouring(rng, age),
        folds=abs(float(rng.normal(0.5, 0.6))) + 1.1 * age,
        hair=hair,
        volume=float(rng.uniform(7, 17)),
        parting=float(rng.uniform(-1, 1)),
        beard=str(rng.choice(BEARDS)) if man else "none",
        brow_density=float(rng.uniform(0.5, 1)),
        makeup=float(rng.random()) if not man and rng.random() < 0.5 else 0.0,
        glasses=bool(rng.random() < 0.12),
    )


def _colouring(rng: np.random.Generator, age: float) -> Colouring:
    melanin = float(rng.beta(1.3, 1.7))
    dark = melanin > 0.55
    hair = int(rng.integers(2) if dark else rng.integers(7))
    if age > 0.75 and rng.random() < 0.6:
        hair = int(rng.integers(7, 9))
    moles = rng.uniform((-45, -45, 0.7), (45, 95, 1.9), (int(rng.integers(6)), 3))
    return Colouring(
        melanin=melanin,
        redness=float(rng.normal(0, 0.03)),
        yellowness=float(rng.normal(0, 0.025)),
        lips=float(rng.normal(0, 0.3)),
        hair=hair,
        iris=int(rng.integers(2) if dark else rng.integers(6)),
        eye_shadow=float(rng.uniform(0, 0.3)),
        bags=float(rng.uniform(0, 0.2 + 0.6 * age)),
        freckles=float(rng.uniform(0.3, 1)) if melanin < 0.35 and rng.random() < 0.25 else 0.0,
        moles=tuple((float(x), float(y), float(r)) for x, y, r in moles),
    )


def on_another_day(who: Person, rng: np.random.Generator) -> Person:
    """The same person as a photo finds them: tanned or made up, with other hair, beard or glasses."""
    beard, hair = who.beard, who.hair
    if who.man and rng.random() < 0.25:
        beard = str(rng.choice(("none", "stubble", "full", "goatee")))
    if hair not in ("bald", "receding") and rng.random() < 0.3:
        hair = str(rng.choice(("short", "crop", "side") if who.man else ("long", "tied", "bob", "fringe")))
    shown, rest = who.colouring, who.shape
    return replace(
        who,
        beard=beard,
        hair=hair,
        glasses=who.glasses ^ bool(rng.random() < 0.15),
        makeup=0.0 if who.man else float(np.clip(who.makeup + rng.normal(0, 0.3), 0, 1)),
        shape=rest._replace(
            cheek=rest.cheek + float(rng.normal(0, 1)), hairline_y=rest.hairline_y + float(rng.normal(0, 2))
        ),
        colouring=replace(
            shown,
            melanin=float(np.clip(shown.melanin + rng.normal(0, 0.05), 0, 1)),
            redness=shown.redness + float(rng.normal(0, 0.03)),
        ),
    )
