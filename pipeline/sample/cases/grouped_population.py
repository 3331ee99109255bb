"""A drawn population of which one group's faces lie closer together than those of the others.

An embedder that saw few faces of a group in its training places all of them in a narrow cone: cosines of two people of
the group are higher than those of two other people. Unit vectors are drawn directly; whom each photo shows is known.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CLOSER = 0.25  # by how much the impostor cosines of the close group are higher
DIM = 128  # impostor cosines have a deviation of 1 / sqrt(128) = 0.09, as those of real embedders have
# The noise that a photo adds to its person's direction: its median length and the standard deviation of the logarithm
# over persons, as measured on LFW with MobileFaceNet (MS1M); and over photos, of which 0.29 was measured. With that
# some photos of a person score as people do who look alike, so that no probabilities can be fitted
PHOTO_NOISE, PERSON_SPREAD, PHOTO_SPREAD = 0.83, 0.20, 0.20
OUTLIERS, FLIPS = 0.2, 0.03  # shares of the photos: people without an identity, persons of other identities
# share of the wrong photos that show people of the identity's own group: a search for a name finds its namesakes
SAME_GROUP = 0.9
MIN_PHOTOS, MAX_PHOTOS = 6, 16  # of an identity
Vectors = NDArray[np.float64]


class DrawnGroup(NamedTuple):
    """A group of a population: its name, how many identities it has, and by how much its cosines are higher."""

    name: str
    identities: int
    closer: float = 0.0


class GroupedPopulation(NamedTuple):
    """The n photos of a drawn population, sorted by identity.

    identity, person [n]: the claimed identity, and the person that the photo shows; kind [n]: clean, outlier or flip;
    x [n, d]: unit vectors; groups: the group of each identity.
    """

    identity: NDArray[np.object_]
    person: NDArray[np.object_]
    kind: NDArray[np.object_]
    x: NDArray[np.float32]
    groups: Mapping[str, str]


def draw_population(
    groups: Sequence[DrawnGroup], *, seed: int, dim: int = DIM, photo_spread: float = PHOTO_SPREAD
) -> GroupedPopulation:
    """A population of these groups; the same seed gives the same one. photo_spread: see PHOTO_SPREAD.

    A vector v of a group becomes sqrt(1 - c) v + sqrt(c) g with a direction g of the group's own, so that the cosines
    of two people of the group are higher by c, and genuine pairs stay as far above them in standard deviations.
    """
    rng = np.random.default_rng([seed, len(groups)])
    cones = [_unit(rng.normal(size=dim)) for _ in groups]
    persons = [(g, f"{group.name}-{i:04}") for g, group in enumerate(groups) for i in range(group.identities)]
    of_group = [[name for g, name in persons if g == number] for number in range(len(groups))]
    centres = {name: rng.normal(size=dim) for _, name in persons}
    spread = {name: float(np.exp(rng.normal(0, PERSON_SPREAD))) for _, name in persons}
    rows: list[tuple[str, str, str, Vectors]] = []
    for own, name in persons:
        for k in range(int(rng.integers(MIN_PHOTOS, MAX_PHOTOS + 1))):
            group, person, kind = _shown(rng, own, name, of_group)
            length = PHOTO_NOISE * spread.get(person, 1.0) * float(np.exp(rng.normal(0, photo_spread)))
            centre = centres[person] if person else rng.normal(size=dim)
            v, closer = _unit(centre + length * rng.normal(size=dim)), groups[group].closer
            x = _unit(np.sqrt(1 - closer) * v + np.sqrt(closer) * cones[group])
            rows.append((name, person or f"{name}/{k}", kind, x))
    rows.sort(key=lambda row: row[0])
    identity, person_of, kinds = (np.array([row[i] for row in rows], object) for i in range(3))
    x_of = np.array([row[3] for row in rows], np.float32)
    return GroupedPopulation(identity, person_of, kinds, x_of, {name: groups[g].name for g, name in persons})


def _shown(rng: np.random.Generator, own: int, name: str, of_group: Sequence[Sequence[str]]) -> tuple[int, str, str]:
    """Group, person and kind of a photo of this identity; the person "" is somebody without an identity."""
    draw = float(rng.random())
    if draw >= OUTLIERS + FLIPS:
        return own, name, "clean"
    group = own if rng.random() < SAME_GROUP else int(rng.integers(len(of_group)))
    person = of_group[group][int(rng.integers(len(of_group[group])))] if draw < FLIPS and of_group[group] else name
    return (group, person, "flip") if person != name else (group, "", "outlier")


def _unit(x: Vectors) -> Vectors:
    return np.asarray(x / np.linalg.norm(x), np.float64)
