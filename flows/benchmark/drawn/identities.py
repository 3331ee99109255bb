"""Identities drawn without pixels: whom each photo shows, with the noise of web data planted and known.

A person is a direction; an embedding is that direction plus noise. An identity has photos of its person, and what the
web adds: outliers, photos of a companion (one other person in several of its photos), photos of other identities'
persons, a second person, duplicates; and some persons have two identities. Everything is drawn from the seed and a
number (of an identity, of a person), so shards can be made in any order, in any process.
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
# Measured on LFW with MobileFaceNet (MS1M): the noise that a photo adds to its person's direction has a median length
# of 0.83, and in 5%, 1% and 0.1% of the photos 1.7, 2.2 and 3.2 times that.
PHOTO_NOISE = 0.83  # median length of a photo's noise
PERSON_SPREAD, PHOTO_SPREAD = 0.20, 0.29  # standard deviations of that length's logarithm: of persons, of photos
KNEE = 48  # dimensions over which faces spread most: impostor cosines have a deviation of 0.09, not of 1/sqrt(512)
SIZE_SPREAD = 0.8  # standard deviation of log(photos of an identity): where the mean is 100, one in a hundred has 500
Ints = NDArray[np.int64]


class Plan(NamedTuple):
    """What a world is drawn from: its numbers of identities and of photos, the length of embeddings, the seed."""

    identities: int
    faces: int
    dim: int
    seed: int


class DrawnIdentity(NamedTuple):
    """The n photos of one identity.

    person [n]: the person each photo shows: 0 to identities - 1 are the identities' own persons, then come companions
    and second persons; a number below zero is an outlier, a person of this photo alone. kind [n]: clean, stranger (an
    outlier), flip (another identity's person), companion, second (the second person) or copy (a duplicate).
    copy_of [n]: the photo of which it is a duplicate; -1 for none.
    """

    number: int
    person: Ints
    kind: NDArray[np.object_]
    copy_of: Ints

    @property
    def name(self) -> str:
        """The identity's name in the tables."""
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
    """The identity with this number, with `photos` photos."""
    rng = np.random.default_rng([plan.seed, 2, number])
    second_identity = number > 0 and rng.random() < SECOND_IDENTITY
    own_person = number - 1 if second_identity else number
    person, kind = np.full(photos, own_person, np.int64), np.full(photos, "clean", object)
    if rng.random() < TWO_PERSONS and photos >= 8:
        second = rng.random(photos) < 0.4
        person[second], kind[second] = plan.identities + number, "second"
    elif rng.random() < WITH_COMPANION and photos >= 20:
        companion = rng.random(photos) < COMPANION * rng.random()
        person[companion], kind[companion] = 2 * plan.identities + number, "companion"
    flip = rng.random(photos) < MISLABELLED
    person[flip] = rng.integers(0, plan.identities, int(flip.sum()))
    kind[flip & (person != own_person)] = "flip"
    outlier = rng.random(photos) < OUTLIERS
    person[outlier] = -1 - (number * 100_000 + np.flatnonzero(outlier))
    kind[outlier] = "stranger"
    copy_of = np.full(photos, -1, np.int64)
    for photo in np.flatnonzero(rng.random(photos) < DUPLICATES).tolist():
        if photo and copy_of[original := int(rng.integers(0, photo))] < 0:
            person[photo], kind[photo], copy_of[photo] = person[original], "copy", original
    return DrawnIdentity(number, person, kind, copy_of)


def draw_embeddings(identity: DrawnIdentity, plan: Plan) -> NDArray[np.float32]:
    """Unit embeddings [n, dim] of an identity's photos; a duplicate lies close to its original."""
    rng = np.random.default_rng([plan.seed, 4, identity.number])
    noise = rng.standard_normal((len(identity.person), plan.dim), np.float32)
    photo_length = np.exp(rng.normal(0, PHOTO_SPREAD, len(identity.person))).astype(np.float32)
    persons, row = np.unique(identity.person, return_inverse=True)
    directions, length = np.zeros((len(persons), plan.dim), np.float32), np.ones(len(persons), np.float32)
    for i, person in enumerate(persons.tolist()):
        if person >= 0:  # an outlier has no direction: it is noise alone
            person_rng = np.random.default_rng([plan.seed, 5, person])
            directions[i] = person_rng.standard_normal(plan.dim, np.float32)
            length[i] = PHOTO_NOISE * np.exp(person_rng.normal(0, PERSON_SPREAD))
    x = (directions[row] + (length[row] * photo_length)[:, None] * noise) * spectrum(plan.dim)
    copies = np.flatnonzero(identity.copy_of >= 0)
    x[copies] = x[identity.copy_of[copies]] + 0.1 * noise[copies] * spectrum(plan.dim)
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), np.float32)


@cache
def spectrum(dim: int) -> NDArray[np.float32]:
    """The factor by which directions and noise are scaled in each dimension [dim]."""
    return np.asarray(1 / (1 + np.arange(dim) / KNEE), np.float32)
