"""Impostors within and between groups of people, at one threshold for all and at a threshold for each group.

An embedder that confuses the people of a group more than others has a higher false accept rate (FAR) there at one
threshold for all (Robinson et al., "Face Recognition: Too Bias, or Not Too Bias?", CVPR workshops 2020, sections 3 and
5: FAR by subgroup at a global and at per-subgroup thresholds). All pairs of a set's photos are compared, not only those
that it lists: lists hold few impostor pairs, and often none between groups. With thresholds by group the threshold is
that of the enrolled person, so a rate has a direction: impostors of group h who pass as a person of group g.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.progress import stage_progress
from trainer.evaluation import intervals
from trainer.evaluation.by_group.accepted_pairs import (
    PHOTOS_AT_ONCE,
    Accepted,
    accepted_pairs,
    genuine_cosines,
    impostor_thresholds,
)
from trainer.evaluation.finite_vectors import check_finite

MAX_PHOTOS = 20_000  # compared with each other; of more, so many are drawn: 200 million pairs tell a FAR of 1e-6
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


class Rates(NamedTuple):
    """Rates and the bounds of their 95% intervals, arrays of one shape; nan where there are no trials."""

    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class CrossGroup:
    """The rates of g groups of people at a FAR.

    people, photos [g]: how many there are. cosine: the threshold at which the share `far` of all impostor pairs passes;
    own_cosine [g]: that of the impostor pairs within each group. impostors, own_impostors [g, g]: the share of the
    impostor pairs of an enrolled person of the first group with a photo of the second that passes, at the one threshold
    and at that of the enrolled person's group. genuine, own_genuine [g]: likewise the share of the genuine pairs.
    trials [g, g]: the numbers of impostor pairs.
    """

    far: float
    people: Numbers
    photos: Numbers
    cosine: float
    own_cosine: Floats
    impostors: Rates
    own_impostors: Rates
    genuine: Rates
    own_genuine: Rates
    trials: Floats


def cross_group_rates(
    x: NDArray[np.floating], person: Numbers, group: Numbers, *, far: float, samples: int = 1000, seed: int = 0
) -> CrossGroup:
    """The rates of groups from embeddings x [n, d] of norm 1 of photos of persons [n] in groups [n], 0, 1, 2...

    Intervals are over bootstrap samples of people, at fixed thresholds. Of more than MAX_PHOTOS photos so many are
    drawn. Raises UserError for a rate that is not between 0 and 0.5, embeddings that are not finite, fewer than two
    people, and a person of two groups.
    """
    if not 0 < far < 0.5:
        raise UserError(f"a false accept rate of {far:g}: give one between 0 and 0.5")
    check_finite(x, "embeddings")
    groups = int(group.max(initial=-1)) + 1
    if len(x) > MAX_PHOTOS:
        drawn = np.sort(np.random.default_rng(seed).choice(len(x), MAX_PHOTOS, replace=False))
        x, person, group = x[drawn], person[drawn], group[drawn]
    order = np.lexsort((person, group))
    x, group = np.asarray(x[order], np.float32), group[order]
    names, person = np.unique(person[order], return_inverse=True)
    group_of = np.full(len(names), -1, np.int64)
    group_of[person] = group
    if len(names) < 2:
        raise UserError(f"the photos show {len(names)} people with a group: expected two or more")
    if (group_of[person] != group).any():
        raise UserError("a person has photos of two groups: expected one group for each person")
    photos_of = np.bincount(person).astype(np.float64)
    trials = _impostor_pairs(photos_of, group_of, groups)
    with stage_progress("cross-group", total=2 * -(-len(x) // PHOTOS_AT_ONCE), unit="blocks") as advance:
        cosine, own = impostor_thresholds(x, person, group, trials, far=far, advance=advance)
        pooled, directed = accepted_pairs(x, person, group, cosine=cosine, own=own, advance=advance)
    genuine = genuine_cosines(x, person)
    own_of_pair = own[group_of[genuine.person]]
    passed = [
        np.bincount(genuine.person, genuine.cosine > t, len(names)).astype(np.float64) for t in (cosine, own_of_pair)
    ]
    genuine_trials = np.bincount(genuine.person, minlength=len(names)).astype(np.float64)
    draw = _Draws(photos_of, group_of, groups, samples, seed)
    return CrossGroup(
        far=far,
        people=np.bincount(group_of, minlength=groups),
        photos=np.bincount(group, minlength=groups),
        cosine=cosine,
        own_cosine=own,
        impostors=draw.impostors(pooled, both_ways=True),
        own_impostors=draw.impostors(directed, both_ways=False),
        genuine=draw.genuine(passed[0], genuine_trials),
        own_genuine=draw.genuine(passed[1], genuine_trials),
        trials=trials,
    )


def _impostor_pairs(photos_of: Floats, group_of: Numbers, groups: int) -> Floats:
    """The number of impostor pairs [g, g] of photos; photos_of [p]: how many photos of each person, which may be drawn
    several times."""
    photos = np.bincount(group_of, photos_of, groups)
    pairs = np.outer(photos, photos)
    pairs[np.diag_indices(groups)] = (photos**2 - np.bincount(group_of, photos_of**2, groups)) / 2
    return np.asarray(pairs, np.float64)


class _Draws(NamedTuple):
    """The bootstrap samples of the people of all groups; photos_of, group_of [p]: of each person."""

    photos_of: Floats
    group_of: Numbers
    groups: int
    samples: int
    seed: int

    def impostors(self, accepted: Accepted, *, both_ways: bool) -> Rates:
        """The shares [g, g] of impostor pairs that are accepted. both_ways: a pair counts for both its directions."""
        enrolled, other, count = accepted
        cell = self.group_of[enrolled] * self.groups + self.group_of[other]

        def rate(weight: Floats) -> Floats:
            passed = np.bincount(cell, weight[enrolled] * weight[other] * count, self.groups**2)
            passed = passed.reshape(self.groups, self.groups)
            if both_ways:
                passed = passed + passed.T - np.diag(np.diag(passed))
            with np.errstate(invalid="ignore"):
                return passed / _impostor_pairs(weight * self.photos_of, self.group_of, self.groups)

        return self._rates([rate(weight) for weight in self._weights()])

    def genuine(self, passed: Floats, trials: Floats) -> Rates:
        """The shares [g] of genuine pairs that are accepted; passed, trials [p]: pairs of each person."""

        def rate(weight: Floats) -> Floats:
            with np.errstate(invalid="ignore"):
                return np.bincount(self.group_of, weight * passed, self.groups) / np.bincount(
                    self.group_of, weight * trials, self.groups
                )

        return self._rates([rate(weight) for weight in self._weights()])

    def _weights(self) -> list[Floats]:
        """How often each person counts [p]: once each, then in each sample as often as it was drawn."""
        people = np.arange(len(self.photos_of))
        drawn = intervals.bootstrap_weights(people, samples=self.samples, seed=self.seed)
        return [np.ones(len(people)), *drawn]

    def _rates(self, values: list[Floats]) -> Rates:
        value, *sampled = values
        bounds = [intervals.interval(cell) for cell in np.reshape(sampled, (-1, value.size)).T]
        low, high = (np.array(bound, np.float64).reshape(value.shape) for bound in zip(*bounds, strict=True))
        return Rates(value, low, high)
