"""The counts of an identification: for each genuine pair, how many distractors have at least the mate's cosine.

A probe's mates are sorted by cosine, so one binary search counts the distractors of a block for all mates of a probe.
The largest impostor cosines are also kept; the thresholds of low false accept rates are taken from them.
"""

import numpy as np
from numpy.typing import NDArray

# Cosines that differ by less than this are equal: float32 rounds the cosine of two vectors of length 512 by up to 3e-7,
# and differently in products of other shapes. A model that gives one vector for all faces must have no mate at rank 1.
TIE = 1e-6
RANKS = 1000  # ranks are counted up to this one: a mate with as many distractors before it is not counted further
Floats = NDArray[np.float32]


class Mates:
    """All genuine pairs of a probe and a mate, sorted by probe and then by rising cosine, with their distractor counts.

    x [n, d]: the probes, of norm 1, sorted by person; person [n]: their persons, numbered 0, 1, 2...; every person has
    two photos or more.
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
        self.start = np.concatenate([[0], np.cumsum(mates_of)])  # first pair of each probe
        self.probe = np.repeat(np.arange(len(mates_of)), mates_of)  # of each pair
        self.before = np.zeros(len(self.cosine), np.int32)  # of each pair: distractors counted, see count()

    def min_cosines(self, low: int, high: int) -> Floats:
        """For each of the probes low..high-1 the smallest cosine at which a distractor must still be counted.

        It is the smallest cosine to a mate that has fewer than RANKS distractors before it, less twice TIE, so that
        rounding leaves none out; inf when the probe has no such mate.
        """
        first, last = self.start[low], self.start[high]
        complete_mates = np.add.reduceat(self.before[first:last] >= RANKS, self.start[low:high] - first)
        at = self.start[low:high] + complete_mates
        has_open_mate = at < self.start[low + 1 : high + 1]
        smallest = self.cosine[np.minimum(at, len(self.cosine) - 1)] - np.float32(2 * TIE)
        return np.where(has_open_mate, smallest, np.float32(np.inf))

    def count(self, low: int, high: int, row: NDArray[np.intp], cosine: Floats) -> None:
        """Count k pairs of a probe and a distractor for the mates of probes low..high-1.

        row [k]: the probe's number minus low; cosine [k]: the distractor's cosine to the probe. A distractor is counted
        for every mate of the probe whose cosine is not larger by TIE or more.
        """
        if not len(row):
            return
        first, last = self.start[low], self.start[high]
        mates_of = np.diff(self.start[low : high + 1])
        # cosines are between -1 and 1, so 4 times the row's number plus the cosine gives one rising list for all rows,
        # and one search serves them all
        keys = np.repeat(np.arange(high - low), mates_of) * 4.0 + self.cosine[first:last]
        position = np.searchsorted(keys, row * 4.0 + cosine.astype(np.float64) + TIE, side="right")
        # of each mate: distractors at or after it in the list, including those of later rows, which are subtracted
        at_or_after = np.bincount(position, minlength=last - first + 1)[:0:-1].cumsum()[::-1]
        later_rows = np.append(at_or_after, 0)[self.start[low + 1 : high + 1] - first]
        self.before[first:last] += (at_or_after - np.repeat(later_rows, mates_of)).astype(np.int32)

    def hits(self, people: int) -> NDArray[np.int64]:
        """The number of each person's pairs [people, RANKS] whose mate has at most 0, 1, 2... distractors before it."""
        before = np.minimum(self.before, RANKS)
        counts = np.bincount(self.person * (RANKS + 1) + before, minlength=people * (RANKS + 1))
        return np.asarray(counts.reshape(people, RANKS + 1)[:, :RANKS].cumsum(1), np.int64)


class LargestValues:
    """Keeps the `keep` largest of all numbers that are added; at most about twice as many are in memory."""

    def __init__(self, keep: int) -> None:
        self.keep, self.held, self.minimum = keep, 0, np.float32(-np.inf)
        self.batches: list[Floats] = []

    def add(self, values: Floats) -> None:
        """Add some numbers; those up to `minimum` are ignored."""
        larger = values[values > self.minimum]
        self.batches.append(larger)
        self.held += len(larger)
        if self.held > 2 * self.keep:
            self.sorted()

    def sorted(self) -> Floats:
        """The largest numbers added so far, falling. Sets `minimum` to the smallest of them when there are `keep`."""
        values: Floats = np.concatenate([np.empty(0, np.float32), *self.batches])
        if len(values) > self.keep:
            values = np.partition(values, len(values) - self.keep)[len(values) - self.keep :]
            self.minimum = values.min()
        self.batches, self.held = [values], len(values)
        return -np.sort(-values)


def rows_by_person(person: NDArray[np.int64]) -> list[NDArray[np.intp]]:
    """The rows of each person in an array person [n], by the person's number."""
    order = np.argsort(person, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(person[order])) + 1)
