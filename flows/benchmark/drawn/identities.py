"""Identities drawn without pixels: whom each photo shows, with the noise of web data planted and known.

A person is a direction; a photo is that direction plus noise; an identity is a person plus what the web adds: outliers,
a companion's photos, photos under another identity, one person under two identities, two persons under one, duplicates.
Everything is drawn from the seed and a number (of an identity, of a person), so shards can be made apart, in any order.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.schema import digest

# shares of all photos: outliers, photos of another identity's person, duplicates
OUTLIERS, MISLABELLED, DUPLICATES = 0.15, 0.03, 0.02
COMPANION = 0.3  # at most this share of an identity's photos show its companion, where it has one
# shares of all identities: with a companion, of two persons, of a person who has another identity as well
WITH_COMPANION, TWO_PERSONS, SECOND_IDENTITY = 0.05, 0.01, 0.01
# How photos of LFW lie about their person as MobileFaceNet (MS1M) sees them, measured: the length of what a photo adds
# to its person is .83 in the middle, and 5, 1 and .1 in a hundred photos add 1.7, 2.2 and 3.2 times as much.
PHOTO_NOISE = 0.83  # the median length of what a photo adds
PERSON_SPREAD, PHOTO_SPREAD = 0.20, 0.29  # deviations of that length's logarithm, person by person and photo by photo
KNEE = 48  # dimensions over which faces spread most: impostor cosines deviate by .09, not by 1/sqrt(512)
SIZE_SPREAD = 0.8  # deviation of log(photos of an identity): of 100 on average one identity in a hundred has 500
Ints = NDArray[np.int64]


class Plan(NamedTuple):
    """What a set of tables is drawn from: how many identities and photos, the embeddings' length, the seed."""

    identities: int
    faces: int
    dim: int
    seed: int


class DrawnIdentity(NamedTuple):
    """The n photos of one identity.

    person [n]: whom each shows; the identities' own persons are 0 to identities - 1, companions and second persons
    follow, outliers are below zero. kind [n]: clean, stranger (an outlier), flip (of another identity's person),
    companion, second (of the second person) or copy (a duplicate). copy_of [n]: the photo it duplicates; -1 for none.
    """

    number: int
    person: Ints
    kind: NDArray[np.object_]
    copy_of: Ints

    @property
    def name(self) -> str:
        """The identity as the tables call it."""
        return f"m.{self.number:07}"

    def face_ids(self, plan: Plan) -> list[str]:
        """The id of each photo."""
        return [digest("drawn", str(plan.seed), str(self.number), str(k)) for k in range(len(self.person))]


def draw_identities(part: tuple[int, int], plan: Plan) -> list[DrawnIdentity]:
    """The identities of shard i of n, for part (i, n)."""
    shard, shards = part
    sizes = _sizes(plan)
    return [_draw_identity(i, int(sizes[i]), plan) for i in range(shard, plan.identities, shards)]


def _sizes(plan: Plan) -> Ints:
    """How many photos each identity has [identities]."""
    weight = np.exp(np.random.default_rng([plan.seed, 1]).normal(0, SIZE_SPREAD, plan.identities))
    return np.asarray(np.maximum(2, np.round(weight / weight.sum() * plan.faces)), np.int64)


def _draw_identity(number: int, photos: int, plan: Plan) -> DrawnIdentity:
    rng = np.random.default_rng([plan.seed, 2, number])
    second_identity = number > 0 and rng.random() < SECOND_IDENTITY
    own = number - 1 if second_identity else number
    person, kind = np.full(photos, own, np.int64), np.full(photos, "clean", object)
    if rng.random() < TWO_PERSONS and photos >= 8:
        second = rng.random(photos) < 0.4
        person[second], kind[second] = plan.identities + number, "second"
    elif rng.random() < WITH_COMPANION and photos >= 20:
        companion = rng.random(photos) < COMPANION * rng.random()
        person[companion], kind[companion] = 2 * plan.identities + number, "companion"
    flip = rng.random(photos) < MISLABELLED
    person[flip] = rng.integers(0, plan.identities, int(flip.sum()))
    kind[flip & (person != own)] = "flip"
    outlier = rng.random(photos) < OUTLIERS
    person[outlier] = -1 - (number * 100_000 + np.flatnonzero(outlier))
    kind[outlier] = "stranger"
    copy_of = np.full(photos, -1, np.int64)
    for at in np.flatnonzero(rng.random(photos) < DUPLICATES).tolist():
        if at and copy_of[first := int(rng.integers(0, at))] < 0:
            person[at], kind[at], copy_of[at] = person[first], "copy", first
    return DrawnIdentity(number, person, kind, copy_of)


def draw_embeddings(identity: DrawnIdentity, plan: Plan) -> NDArray[np.float32]:
    """Unit embeddings [n, dim] of an identity's photos; a duplicate lies close to its original."""
    rng = np.random.default_rng([plan.seed, 4, identity.number])
    noise = rng.standard_normal((len(identity.person), plan.dim), np.float32)
    photo = np.exp(rng.normal(0, PHOTO_SPREAD, len(identity.person))).astype(np.float32)
    persons, row = np.unique(identity.person, return_inverse=True)
    centres, spread = np.zeros((len(persons), plan.dim), np.float32), np.ones(len(persons), np.float32)
    for i, person in enumerate(persons.tolist()):
        if person >= 0:  # an outlier is noise about the origin
            own = np.random.default_rng([plan.seed, 5, person])
            centres[i] = own.standard_normal(plan.dim, np.float32)
            spread[i] = PHOTO_NOISE * np.exp(own.normal(0, PERSON_SPREAD))
    x = (centres[row] + (spread[row] * photo)[:, None] * noise) * spectrum(plan.dim)
    copies = np.flatnonzero(identity.copy_of >= 0)
    x[copies] = x[identity.copy_of[copies]] + 0.1 * noise[copies] * spectrum(plan.dim)
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), np.float32)


@cache
def spectrum(dim: int) -> NDArray[np.float32]:
    """How far faces spread in each dimension [dim]."""
    return np.asarray(1 / (1 + np.arange(dim) / KNEE), np.float32)
