"""Who gets which part: persons with an identity, strangers whose photos become outliers, companions, and a test set.

One idea: people of few photos make poor identities and good strangers, so the strangers are those with the fewest
photos, and only as many as the mix needs.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.errors import UserError
from pipeline.sample.planting.mix import Mix

MIN_PHOTOS = 3  # of a person who has an identity
MIN_IDENTITIES = 2
COMPANION_PHOTOS = (3, 6)
TEST_PHOTOS = 4  # at most, of a person in the test set who has an identity as well
SPARED = 0.5  # share of the persons with enough photos who may become strangers

Photos = Mapping[str, Sequence[int]]  # the photos of each person


class People(NamedTuple):
    """The persons of a noisy data set by their part, each with photos."""

    named: dict[str, list[int]]
    companions: dict[str, list[int]]
    strangers: dict[str, list[int]]
    test: dict[str, list[int]]  # photos of the test set; those of persons in `named` are not among theirs there
    in_both: list[str]  # persons in `test` who are in `named`


def choose_people(photos: Photos, mix: Mix, rng: np.random.Generator) -> People:
    """The parts of all persons. Raises UserError where fewer than MIN_IDENTITIES have enough photos."""
    order = [sorted(photos)[i] for i in rng.permutation(len(photos))]
    order.sort(key=lambda person: len(photos[person]))
    few = [person for person in order if len(photos[person]) < MIN_PHOTOS]
    enough = order[len(few) :]
    if len(enough) < MIN_IDENTITIES:
        raise UserError(
            f"{len(enough)} of {len(photos)} identities have {MIN_PHOTOS} photos or more: give a source in which at "
            f"least {MIN_IDENTITIES} have"
        )
    cut = _strangers_needed(photos, few, enough, mix)
    companions = enough[: min(cut, round(mix.companions * (len(enough) - cut)))]
    named = {person: list(photos[person]) for person in enough[cut:]}
    strangers = {person: list(photos[person]) for person in (*few, *enough[len(companions) : cut])}
    test, in_both = _held_back(named, strangers, mix, rng)
    return People(named, {p: list(photos[p]) for p in companions}, strangers, test, in_both)


def _outliers(own: int, mix: Mix) -> int:
    """The number of outliers among the photos, of which `own` show the persons who have an identity."""
    return round(own / (1 - mix.added) * (mix.outliers + mix.lookalikes))


def _strangers_needed(photos: Photos, few: Sequence[str], enough: Sequence[str], mix: Mix) -> int:
    """How many of the persons with enough photos, from the fewest on, become strangers or companions."""
    of_few, sizes = sum(len(photos[p]) for p in few), [len(photos[p]) for p in enough]
    total, most = sum(sizes), min(int(SPARED * len(enough)), len(enough) - MIN_IDENTITIES)
    taken = 0
    for cut in range(most + 1):
        companions = round(mix.companions * (len(enough) - cut))
        strangers = of_few + taken - sum(sizes[: min(cut, companions)])
        if cut >= companions and strangers >= _outliers(total - taken, mix):
            return cut
        taken += sizes[cut] if cut < len(sizes) else 0
    return most


def _held_back(
    named: dict[str, list[int]], strangers: dict[str, list[int]], mix: Mix, rng: np.random.Generator
) -> tuple[dict[str, list[int]], list[str]]:
    """The photos of the test set by person, and which of these persons keep an identity; they leave the other parts.

    As many strangers as persons with an identity are in the test set, those with the most photos.
    """
    likely = [person for person in sorted(named) if len(named[person]) > MIN_PHOTOS]
    count = min(round(mix.overlap * len(named)), len(likely))
    in_both = sorted(likely[i] for i in rng.permutation(len(likely))[:count])
    test = {}
    for person in in_both:
        held = min(TEST_PHOTOS, len(named[person]) - MIN_PHOTOS)
        chosen = rng.permutation(len(named[person]))
        own = named[person]
        test[person] = sorted(own[i] for i in chosen[:held])
        named[person] = sorted(own[i] for i in chosen[held:])
    for person in sorted(strangers, key=lambda p: -len(strangers[p]))[:count]:
        test[person] = strangers.pop(person)
    return test, in_both
