"""Drawn people: a person is a set of measures, colours, hair and habits, and is recognised mainly by the face's shape.

One idea: a person depends only on (seed, number), so two processes draw the same person.
"""

from dataclasses import dataclass, replace

import numpy as np

from pipeline.sample.measures import MAX_DEVIATION, MEASURES, Shape

MEN_HAIR = ("short", "short", "crop", "bald", "receding", "side", "curly")
WOMEN_HAIR = ("long", "long", "bob", "tied", "fringe", "short", "curly", "wavy")
BEARDS = ("none", "none", "stubble", "full", "goatee", "moustache")


@dataclass(frozen=True)
class Colouring:
    """Colours of a person: strengths of about 0 to 1, and indices into palettes (drawing/colours.py, face/eyes.py)."""

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
    """What is drawn of a person in every photo; vary_looks() gives the look in one photo."""

    number: int
    seed: tuple[int, int]  # of the random numbers that belong to the person, such as the strands of hair
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

    def random_for(self, feature: int) -> np.random.Generator:
        """A generator of random numbers for one feature of the person; it gives the same numbers for every photo."""
        return np.random.default_rng([*self.seed, feature])


def make_person(seed: int, number: int) -> Person:
    """Person `number` of the world of a seed; worlds of different seeds have different people."""
    rng = np.random.default_rng([7, seed, number])
    man, age = bool(rng.random() < 0.5), float(rng.random())
    sign = 1 if man else -1
    deviations = np.clip(rng.standard_normal(len(MEASURES)), -MAX_DEVIATION, MAX_DEVIATION)
    deviation = zip(Shape._fields, deviations, strict=True)
    shape = Shape(**{n: MEASURES[n][0] + sign * MEASURES[n][1] + MEASURES[n][2] * float(z) for n, z in deviation})
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


def vary_looks(person: Person, rng: np.random.Generator) -> Person:
    """The same person as they look in one photo: tan, make-up, hair, beard and glasses vary."""
    beard, hair = person.beard, person.hair
    if person.man and rng.random() < 0.25:
        beard = str(rng.choice(("none", "stubble", "full", "goatee")))
    if hair not in ("bald", "receding") and rng.random() < 0.3:
        hair = str(rng.choice(("short", "crop", "side") if person.man else ("long", "tied", "bob", "fringe")))
    colouring, shape = person.colouring, person.shape
    return replace(
        person,
        beard=beard,
        hair=hair,
        glasses=person.glasses ^ bool(rng.random() < 0.15),
        makeup=0.0 if person.man else float(np.clip(person.makeup + rng.normal(0, 0.3), 0, 1)),
        shape=shape._replace(
            cheek=shape.cheek + float(rng.normal(0, 1)), hairline_y=shape.hairline_y + float(rng.normal(0, 2))
        ),
        colouring=replace(
            colouring,
            melanin=float(np.clip(colouring.melanin + rng.normal(0, 0.05), 0, 1)),
            redness=colouring.redness + float(rng.normal(0, 0.03)),
        ),
    )
