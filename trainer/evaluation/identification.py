"""Identification among strangers, as MegaFace asks it: is the mate of a probe nearer than every distractor?

Kemelmacher-Shlizerman et al., "The MegaFace Benchmark" (CVPR 2016), challenge 1: each photo of a person is a probe,
each other photo of the person in turn its only mate in a gallery of distractors. A mate's rank is one more than the
number of distractors that are at least as near; so counting distractors per pair of photos is enough, and the
distractors may come in blocks of which one is in memory.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer.evaluation import intervals

SIZES = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
FARS = (1e-4, 1e-5, 1e-6, 1e-9)  # the last is Trillion-Pairs'
FPR = 1e-3  # of searches that may find a stranger, as Trillion-Pairs asks for
RANKS = 1000  # of a mate that is further behind it is only known that it is
PROBES, DISTRACTORS = 512, 8192  # compared at a time: 16 MB of cosines
TAIL = 1 << 20  # likest strangers that are kept: what the lowest false accept rates are read off
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Identification:
    """How often a probe's mate comes first: trials [people], hits [sizes, people, RANKS] pairs found up to each rank.

    same, strangers: cosines of mates [pairs], and of the likest strangers, falling; of how many the latter are the
    likest says impostor_pairs.
    """

    people: int
    probes: int
    pairs: int
    sizes: tuple[int, ...]
    impostor_pairs: int
    trials: NDArray[np.int64] = field(repr=False)
    hits: NDArray[np.int64] = field(repr=False)
    same: Floats = field(repr=False)
    owner: NDArray[np.int64] = field(repr=False)  # the person of each pair of `same`
    strangers: Floats = field(repr=False)
    best: Floats = field(repr=False)  # the likest stranger of each probe [probes]
    probe: NDArray[np.int64] = field(repr=False)  # the probe of each pair of `same`

    def cmc(self, size: int) -> NDArray[np.float64]:
        """The share of pairs found up to each rank [RANKS] among so many distractors."""
        return np.asarray(self.hits[self.sizes.index(size)].sum(0) / self.trials.sum(), np.float64)

    def rank(self, k: int, size: int, *, samples: int = 1000, seed: int = 0) -> tuple[float, float, float]:
        """Rank-k identification among so many distractors, with a 95% interval over drawn people."""
        hits = self.hits[self.sizes.index(size)][:, k - 1].astype(np.float64)
        return intervals.share(hits, self.trials, samples=samples, seed=seed)

    def tar(self, far: float, *, samples: int = 1000, seed: int = 0) -> tuple[float, float, float] | None:
        """The true accept rate at a false accept rate, with a 95% interval over drawn people; the threshold is kept.

        None where fewer than one impostor pair may pass, or more than were kept.
        """
        passing = int(far * self.impostor_pairs * (1 + 1e-9))
        if passing < 1 or passing >= len(self.strangers):
            return None
        accepted = self.same > self.strangers[passing]  # the first that must not pass
        hits = np.bincount(self.owner, accepted.astype(np.float64), self.people)
        return intervals.share(hits, self.trials, samples=samples, seed=seed)

    def first_at_fpr(
        self, fpr: float = FPR, *, samples: int = 1000, seed: int = 0
    ) -> tuple[float, float, float] | None:
        """Mates that come first and above the cosine which a share fpr of the probes finds a stranger at, or None.

        As Trillion-Pairs measures identification: a search that finds a stranger is a false positive.
        """
        passing = int(fpr * self.probes * (1 + 1e-9))
        if passing < 1:
            return None
        threshold = -np.partition(-self.best, passing)[passing]
        accepted = self.same > np.maximum(threshold, self.best[self.probe])
        hits = np.bincount(self.owner, accepted.astype(np.float64), self.people)
        return intervals.share(hits, self.trials, samples=samples, seed=seed)


class _Mates:
    """Each probe's mates by rising cosine, one after the other for all probes, and how many strangers beat each."""

    def __init__(self, x: Floats, person: NDArray[np.int64]) -> None:
        cosines, owners = [], []
        lengths: list[int] = []
        for p, rows in enumerate(_rows_of(person)):
            found = x[rows] @ x[rows].T
            others = ~np.eye(len(rows), dtype=bool)
            cosines.append(np.sort(found[others].reshape(len(rows), -1), axis=1).ravel())
            owners.append(np.full(found.size - len(rows), p, np.int64))
            lengths += [len(rows) - 1] * len(rows)
        self.cosine, self.owner = np.concatenate(cosines), np.concatenate(owners)
        self.start = np.concatenate([[0], np.cumsum(lengths)])
        self.probe = np.repeat(np.arange(len(lengths)), lengths)
        self.beaten = np.zeros(len(self.cosine), np.int32)

    def least(self, low: int, high: int) -> Floats:
        """The cosine [probes] a stranger needs to matter still: that of the lowest mate not out of the ranks."""
        first, last = self.start[low], self.start[high]
        out = np.add.reduceat(self.beaten[first:last] >= RANKS, self.start[low:high] - first)
        at = self.start[low:high] + out
        inside = at < self.start[low + 1 : high + 1]
        return np.where(inside, self.cosine[np.minimum(at, len(self.cosine) - 1)], np.float32(np.inf))

    def count(self, low: int, high: int, row: NDArray[np.intp], cosine: Floats) -> None:
        """Strangers beat the mates that they are at least as near as: of which probe [n], from low on, how near [n]."""
        if not len(row):
            return
        first, last = self.start[low], self.start[high]
        lengths = np.diff(self.start[low : high + 1])
        keys = np.repeat(np.arange(high - low), lengths) * 4.0 + self.cosine[first:last]  # rows apart, rising in each
        place = np.searchsorted(keys, row * 4.0 + cosine, side="right")
        reached = np.bincount(place, minlength=last - first + 1)[:0:-1].cumsum()[::-1]  # by all rows from here on
        behind = np.append(reached, 0)[self.start[low + 1 : high + 1] - first]
        self.beaten[first:last] += (reached - np.repeat(behind, lengths)).astype(np.int32)


class _Tail:
    """The largest of many numbers."""

    def __init__(self, keep: int) -> None:
        self.keep, self.held, self.least = keep, 0, np.float32(-np.inf)
        self.parts: list[Floats] = []

    def add(self, values: Floats) -> None:
        found = values[values > self.least]
        self.parts.append(found)
        self.held += len(found)
        if self.held > 2 * self.keep:
            self.shrink()

    def shrink(self) -> Floats:
        """The largest, falling; below the last of them nothing will be looked at any more."""
        whole: Floats = np.concatenate([np.empty(0, np.float32), *self.parts])
        if len(whole) > self.keep:
            whole = np.partition(whole, len(whole) - self.keep)[len(whole) - self.keep :]
            self.least = whole.min()
        self.parts, self.held = [whole], len(whole)
        return -np.sort(-whole)


def identify(
    probes: NDArray[Any],
    person: NDArray[np.integer],
    distractors: Iterable[NDArray[Any]],
    *,
    sizes: Sequence[int] = SIZES,
    tail: int = TAIL,
) -> Identification:
    """Every probe with every mate among the first of the distractors, for each of the sizes that there are.

    probes: [n, d] unit rows; person: [n] whom each shows; who has one photo is nobody's mate and is left out.
    distractors: blocks [., d] of unit rows, read once; a row of zeros (or nan) can never match, and still counts as
    one. tail: likest strangers to keep. Raises UserError without a person of two photos or without distractors, and
    when lengths of vectors differ.
    """
    x, codes = _with_mates(np.asarray(probes, np.float32), np.asarray(person))
    mates, strangers = _Mates(x, codes), _Tail(tail)
    people, n = int(codes.max()) + 1, len(x)
    trials = np.bincount(mates.owner, minlength=people)
    found, seen, asked = {}, 0, sorted(set(sizes))
    best: Floats = np.full(n, -2, np.float32)
    for block, never in _cut(distractors, asked, x.shape[1]):
        for low in range(0, n, PROBES):
            high = min(low + PROBES, n)
            cosines = x[low:high] @ block.T
            cosines[:, never] = -2
            np.maximum(best[low:high], cosines.max(1), out=best[low:high])
            least = mates.least(low, high)
            at = np.flatnonzero(cosines >= np.minimum(least, strangers.least)[:, None])
            row, near = at // len(block), cosines.ravel()[at]
            strangers.add(near)
            beating = near >= least[row]
            mates.count(low, high, row[beating], near[beating])
        seen += len(block)
        if seen in asked:
            found[seen] = _hits(mates, people)
    if not seen:
        raise UserError("there are no distractors: give a gallery that holds some")
    found.setdefault(seen, _hits(mates, people))
    kept = tuple(sorted(found))
    return Identification(
        people,
        n,
        len(mates.cosine),
        kept,
        n * seen,
        trials,
        np.stack([found[s] for s in kept]),
        mates.cosine,
        mates.owner,
        strangers.shrink(),
        best,
        mates.probe,
    )


def replace_noisy_probes(
    probes: NDArray[Any], person: NDArray[np.integer], noisy: NDArray[np.bool_], *, seed: int = 0
) -> NDArray[np.float32]:
    """The probes [n, d], each noisy one [n] the centre of its person's others and a little noise.

    As InsightFace applies its published lists (remove_noises.py): the probe stays in the count and stops mattering. Who
    has noisy photos only keeps them.
    """
    x = np.array(probes, np.float32)
    rng = np.random.default_rng(seed)
    for rows in _rows_of(np.unique(person, return_inverse=True)[1]):
        clean, wrong = rows[~noisy[rows]], rows[noisy[rows]]
        if len(clean) and len(wrong):
            x[wrong] = x[clean].mean(0) + rng.uniform(-1e-5, 1e-5, (len(wrong), x.shape[1]))
            x[wrong] /= np.maximum(np.linalg.norm(x[wrong], axis=1, keepdims=True), 1e-12)
    return x


def _with_mates(x: Floats, person: NDArray[Any]) -> tuple[Floats, NDArray[np.int64]]:
    """The probes of people with two photos or more, person by person, and numbers for these people."""
    _, codes, count = np.unique(person, return_inverse=True, return_counts=True)
    several = np.flatnonzero(count[codes] > 1)
    if not len(several):
        raise UserError(f"none of {len(count)} people has two photos: a probe needs a mate")
    several = several[np.argsort(codes[several], kind="stable")]
    return x[several], np.unique(codes[several], return_inverse=True)[1].astype(np.int64)


def _rows_of(codes: NDArray[np.int64]) -> list[NDArray[np.intp]]:
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def _cut(blocks: Iterable[NDArray[Any]], ends: Sequence[int], dim: int) -> Iterator[tuple[Floats, NDArray[np.intp]]]:
    """The rows in blocks that are small enough and end where a size ends, and which of them can never match."""
    at = 0
    for block in blocks:
        if block.ndim != 2 or block.shape[1] != dim:
            raise UserError(
                f"the distractors are vectors of {block.shape[-1]}, the probes of {dim}: take both from the same model"
            )
        start = 0
        while start < len(block):
            end = min([start + DISTRACTORS, len(block), *(e - at + start for e in ends if e > at)])
            part = np.asarray(block[start:end], np.float32)
            never = np.flatnonzero(~(np.isfinite(part).all(1) & part.any(1)))
            if len(never):
                part = part.copy()
                part[never] = 0  # nan would spread
            yield part, never
            at, start = at + end - start, end


def _hits(mates: _Mates, people: int) -> NDArray[np.int64]:
    """For each person the pairs [people, RANKS] that are found up to each rank."""
    beaten = np.minimum(mates.beaten, RANKS)
    counts = np.bincount(mates.owner * (RANKS + 1) + beaten, minlength=people * (RANKS + 1))
    return np.asarray(counts.reshape(people, RANKS + 1)[:, :RANKS].cumsum(1), np.int64)
