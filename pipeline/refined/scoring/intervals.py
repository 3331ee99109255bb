"""95% intervals of shares by a bootstrap over claimed identities, whose photos are right or wrong together."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DRAWS = 1000  # bootstrap samples, enough for two digits of an interval's ends
CHUNK_BYTES = 1 << 26  # of the weights of some samples
Counts = NDArray[np.float64]


class Interval(NamedTuple):
    """A share and its 95% interval, 0 to 1."""

    value: float
    low: float
    high: float

    def text(self) -> str:
        """The share and its interval with three digits."""
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class ShareCounts(NamedTuple):
    """A share as two sums over claimed identities: part [n] of whole [n]."""

    part: Counts
    whole: Counts


class RateIntervals(NamedTuple):
    """Precision, recall and F1 with their intervals; None where there was nothing to measure."""

    precision: Interval | None
    recall: Interval | None
    f1: Interval | None


def sampled_sums(columns: Counts, seed: int, draws: int = DRAWS) -> Counts:
    """The sums [1 + draws, k] of columns [n, k]: over all n units, then over n that are drawn with replacement."""
    n, rng = len(columns), np.random.default_rng([83, seed])
    sums = [columns.sum(0, keepdims=True)]
    chunk = max(1, CHUNK_BYTES // (8 * max(1, n)))
    for start in range(0, draws if n else 0, chunk):
        drawn = range(min(chunk, draws - start))
        weights = np.stack([np.bincount(rng.integers(0, n, n), minlength=n) for _ in drawn]).astype(np.float64)
        sums.append(weights @ columns)
    return np.concatenate(sums)


def rate_intervals(rates: Sequence[tuple[ShareCounts | None, ShareCounts]], *, seed: int) -> list[RateIntervals]:
    """The intervals of each precision (None: there is none) and recall, and of their harmonic mean.

    All are measured on the same samples of identities.
    """
    if not rates:
        return []
    columns = [counts for pair in rates for share in pair if share for counts in share]
    sums = iter(sampled_sums(np.stack(columns, axis=1), seed).T)
    intervals = []
    for precision, _ in rates:
        p = _ratio(next(sums), next(sums)) if precision else None
        r = _ratio(next(sums), next(sums))
        f1 = _ratio(2 * p * r, p + r) if p is not None else None
        intervals.append(RateIntervals(_interval(p), _interval(r), _interval(f1)))
    return intervals


def _ratio(part: Counts, whole: Counts) -> Counts:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(part / whole)


def _interval(values: Counts | None) -> Interval | None:
    """The first value, and the middle 95% of the others, as far as they are numbers."""
    if values is None or np.isnan(values[0]):
        return None
    known = values[1:][~np.isnan(values[1:])]
    low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (values[0], values[0])
    return Interval(float(values[0]), float(low), float(high))
