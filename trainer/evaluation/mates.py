"""The bookkeeping of an identification: for each genuine pair, how many distractors score at least as high.

A probe's mates are sorted by cosine, so the distractors of a block are counted for all of its mates by one search. The
largest impostor cosines are kept aside, which the lowest false accept rates are read off.
"""

import numpy as np
from numpy.typing import NDArray

RANKS = 1000  # a mate with as many distractors before it is not counted any further
Floats = NDArray[np.float32]


class Mates:
    """All genuine pairs of a probe and a mate: probe after probe, each probe's mates by rising cosine.

    x [n, d]: probes of norm 1, sorted by person [n] 0, 1, 2...; everybody has two photos or more.
    """

    def __init__(self, x: Floats, person: NDArray[np.int64]) -> None:
        cosines, persons = [], []
        mates_of: list[int] = []
        for p, rows in enumerate(rows_by_person(person)):
            of_person = x[rows] @ x[rows].T
            others = ~np.eye(len(rows), dtype=bool)
            cosines.append(np.sort(of_person[others].reshape(len(rows), -1), axis=1).ravel())
            persons.append(np.full(of_person.size - len(rows), p, np.int64))
            mates_of += [len(rows) - 1] * len(rows)
        self.cosine, self.person = np.concatenate(cosines), np.concatenate(persons)  # of each pair
        self.start = np.concatenate([[0], np.cumsum(mates_of)])  # of each probe's pairs
        self.probe = np.repeat(np.arange(len(mates_of)), mates_of)  # of each pair
        self.before = np.zeros(len(self.cosine), np.int32)  # distractors that score at least as high as the mate

    def min_cosines(self, low: int, high: int) -> Floats:
        """The cosine of probes low..high from which on a distractor still matters: to their lowest mate in the ranks.

        inf for a probe all of whose mates have RANKS distractors before them.
        """
        first, last = self.start[low], self.start[high]
        beyond = np.add.reduceat(self.before[first:last] >= RANKS, self.start[low:high] - first)
        at = self.start[low:high] + beyond
        inside = at < self.start[low + 1 : high + 1]
        return np.where(inside, self.cosine[np.minimum(at, len(self.cosine) - 1)], np.float32(np.inf))

    def count(self, low: int, high: int, row: NDArray[np.intp], cosine: Floats) -> None:
        """Count distractors for the mates of probes low..high; row [k] (0 is probe low) and cosine [k]: one for each.

        A distractor comes before every mate whose cosine is not larger than its own.
        """
        if not len(row):
            return
        first, last = self.start[low], self.start[high]
        mates_of = np.diff(self.start[low : high + 1])
        # one rising list: each row's cosines, between -1 and 1, 4 above those of the row before
        keys = np.repeat(np.arange(high - low), mates_of) * 4.0 + self.cosine[first:last]
        place = np.searchsorted(keys, row * 4.0 + cosine, side="right")
        at_or_after = np.bincount(place, minlength=last - first + 1)[:0:-1].cumsum()[::-1]  # also of later rows
        later_rows = np.append(at_or_after, 0)[self.start[low + 1 : high + 1] - first]
        self.before[first:last] += (at_or_after - np.repeat(later_rows, mates_of)).astype(np.int32)

    def hits(self, people: int) -> NDArray[np.int64]:
        """For each person the pairs [people, RANKS] whose mate has at most 0, 1, 2... distractors before it."""
        before = np.minimum(self.before, RANKS)
        counts = np.bincount(self.person * (RANKS + 1) + before, minlength=people * (RANKS + 1))
        return np.asarray(counts.reshape(people, RANKS + 1)[:, :RANKS].cumsum(1), np.int64)


class LargestValues:
    """The `keep` largest of many numbers, which come in batches; at most twice as many are held."""

    def __init__(self, keep: int) -> None:
        self.keep, self.held, self.minimum = keep, 0, np.float32(-np.inf)
        self.batches: list[Floats] = []

    def add(self, values: Floats) -> None:
        """Take in some numbers."""
        larger = values[values > self.minimum]
        self.batches.append(larger)
        self.held += len(larger)
        if self.held > 2 * self.keep:
            self.sorted()

    def sorted(self) -> Floats:
        """The largest so far, falling; numbers up to the last of them are not taken in any more."""
        values: Floats = np.concatenate([np.empty(0, np.float32), *self.batches])
        if len(values) > self.keep:
            values = np.partition(values, len(values) - self.keep)[len(values) - self.keep :]
            self.minimum = values.min()
        self.batches, self.held = [values], len(values)
        return -np.sort(-values)


def rows_by_person(person: NDArray[np.int64]) -> list[NDArray[np.intp]]:
    """The rows of each person, by rising number."""
    order = np.argsort(person, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(person[order])) + 1)
