"""Closed-set identification with several mates: TinyFace's protocol, rank-k and mean average precision.

Each probe is ranked against a gallery of its person's other photos (mates), those of other probes' persons, and
distractors. Cheng, Zhu and Gong, "Low-Resolution Face Recognition" (ACCV 2018), section 4. A mate's rank is one more
than the number of gallery photos before it; photos of other people with an equal cosine come before it (see mates.TIE).
Only the mates' counts are kept, so distractors can be read in blocks.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer.evaluation import intervals
from trainer.evaluation.finite_vectors import check_finite
from trainer.evaluation.mates import TIE

RANKS = (1, 5, 20, 50)
PROBES_AT_ONCE = 256
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class ClosedSet:
    """The ranks of all mates: for each probe [n] its person, and an array of its mates' ranks, rising; inf: no face."""

    person: Numbers
    ranks: tuple[NDArray[np.float64], ...] = field(repr=False)

    def rank(self, k: int, *, samples: int = 1000, seed: int = 0) -> tuple[float, float, float]:
        """The share of probes with a mate at rank k or better, with a 95% interval over people."""
        return self._mean([float(len(r) > 0 and r[0] <= k) for r in self.ranks], samples, seed)

    def mean_average_precision(self, *, samples: int = 1000, seed: int = 0) -> tuple[float, float, float]:
        """The mean over probes of the average precision, with a 95% interval over people."""
        return self._mean([average_precision(r) for r in self.ranks], samples, seed)

    def of_probes(self, chosen: NDArray[np.bool_]) -> "ClosedSet":
        """The result of some probes in the same gallery; chosen [n]: which."""
        return replace(self, person=self.person[chosen], ranks=tuple(self.ranks[i] for i in np.flatnonzero(chosen)))

    def _mean(self, values: list[float], samples: int, seed: int) -> tuple[float, float, float]:
        _, person = np.unique(self.person, return_inverse=True)
        return intervals.ratio_with_interval(
            np.bincount(person, values), np.bincount(person), samples=samples, seed=seed
        )


def average_precision(ranks: NDArray[np.float64]) -> float:
    """The area under precision by recall, by the trapezoidal rule, of mates at these ranks [m], rising.

    As TinyFace's authors compute it (and Philbin et al., CVPR 2007, section 3.1): between two mates the mean of the
    precision before and at the second one counts. 0 without a mate.
    """
    if not len(ranks):
        return 0.0
    number = np.arange(1, len(ranks) + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        before = np.where(ranks == 1, 1.0, (number - 1) / (ranks - 1))
    at = number / ranks
    return float(np.where(np.isfinite(ranks), (before + at) / 2, 0).mean())


def search_closed_set(
    probes: NDArray[Any],
    person: Numbers,
    gallery: NDArray[Any],
    gallery_person: Numbers,
    distractors: Iterable[NDArray[Any]],
) -> ClosedSet:
    """Rank every probe's mates in the gallery and the distractors.

    probes [n, d], gallery [m, d]: embeddings of norm 1, zeros where a photo has no face: such a probe finds nobody,
    such a mate is not found. person [n], gallery_person [m]: whom they show. distractors: blocks [., d]; rows of zeros
    are left out. Raises UserError where no probe has a mate, for embeddings of other lengths and for such that are not
    finite.
    """
    check_finite(probes, "probes")
    check_finite(gallery, "photos of the gallery")
    x = np.asarray(probes, np.float32)
    has_face, mate_has_face = (np.asarray(rows.any(1), np.bool_) for rows in (x, gallery))
    mates = [np.flatnonzero(gallery_person == p) for p in person.tolist()]
    if not any(map(len, mates)):
        raise UserError("no probe has a mate in the gallery: give a set with both lists")
    own = [-np.sort(-(gallery[rows[mate_has_face[rows]]].astype(np.float32) @ x[i])) for i, rows in enumerate(mates)]
    before: list[Numbers] = [np.zeros(len(cosines), np.int64) for cosines in own]
    _count(x, own, before, np.asarray(gallery[mate_has_face], np.float32), person, gallery_person[mate_has_face])
    for block in distractors:
        if block.ndim != 2 or block.shape[1] != x.shape[1]:
            raise UserError(f"the distractors are vectors of {block.shape[-1]}, the probes of {x.shape[1]}")
        check_finite(block, "distractors of a block")
        _count(x, own, before, np.asarray(block[block.any(1)], np.float32), person, None)
    ranks = []
    for i, rows in enumerate(mates):
        found = np.full(len(rows), np.inf)
        if has_face[i]:
            found[: len(own[i])] = np.arange(1, len(own[i]) + 1) + before[i]
        ranks.append(found)
    return ClosedSet(np.asarray(person, np.int64), tuple(ranks))


def _count(
    x: NDArray[np.float32],
    own: list[NDArray[np.float32]],
    before: list[Numbers],
    block: NDArray[np.float32],
    person: Numbers,
    block_person: Numbers | None,
) -> None:
    """Count the photos of other people in a block [k, d] before each mate; block_person [k]: None: of no probe."""
    if not len(block):
        return
    for start in range(0, len(x), PROBES_AT_ONCE):
        cosines = x[start : start + PROBES_AT_ONCE] @ block.T
        for i, row in enumerate(cosines, start=start):
            others = np.sort(row if block_person is None else row[block_person != person[i]])
            before[i] += len(others) - np.searchsorted(others, own[i] - np.float32(TIE))
