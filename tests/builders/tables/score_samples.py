"""Drawn scores of faces with the persons of their identities, whose noise is known."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

GENUINE, DEVIATION = 8.0, 0.8  # of drawn genuine scores with a person of many faces
ALIKE, ALIKE_DEVIATION = 3.0, 0.7  # of scores of people who look alike


class ScoreSample(NamedTuple):
    scores: NDArray[np.float64]
    others: NDArray[np.int64]
    identity: NDArray[np.int64]
    noise: NDArray[np.bool_]


def score_sample(shares, *, photos: int = 12, alike: float = 0.0, hard: float = 0.02, seed: int = 0) -> ScoreSample:
    """The scores of `photos` photos of each identity; shares: of noise in each; alike: share of it that looks alike."""
    rng = np.random.default_rng(seed)
    identity = np.repeat(np.arange(len(shares)), photos)
    noise = rng.random(len(identity)) < np.asarray(shares)[identity]
    others = np.full(len(identity), photos)
    genuine = rng.normal(GENUINE, DEVIATION, len(identity))
    is_hard = rng.random(len(identity)) < hard
    genuine[is_hard] = GENUINE * rng.random(int(is_hard.sum())) ** (1 / 3)
    wrong = rng.normal(size=len(identity))
    looks_alike = rng.random(len(identity)) < alike
    wrong[looks_alike] = rng.normal(ALIKE, ALIKE_DEVIATION, int(looks_alike.sum()))
    return ScoreSample(np.where(noise, wrong, genuine), others, identity, noise)
