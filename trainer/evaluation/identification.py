"""Identification among distractors, as MegaFace defines it: does a probe's mate score higher than every distractor?

Kemelmacher-Shlizerman et al., "The MegaFace Benchmark" (CVPR 2016), challenge 1: each photo of a person is a probe, and
each other photo of the person in turn is its only mate in a gallery of distractors. The mate's rank is one more than
the number of distractors that score at least as high. So it is enough to count distractors for each genuine pair, and
the distractors may come in blocks of which one is in memory.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer.evaluation import intervals
from trainer.evaluation.mates import LargestValues, Mates, rows_by_person

SIZES = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
FARS = (1e-4, 1e-5, 1e-6, 1e-9)  # the last is Trillion-Pairs'
FPR = 1e-3  # the share of searches that may return a distractor in Trillion-Pairs
PROBES_AT_ONCE, DISTRACTORS_AT_ONCE = 512, 8192  # 16 MB of cosines
KEEP = 1 << 20  # largest impostor cosines that are kept: what the lowest false accept rates are read off
Floats = NDArray[np.float32]
Interval = tuple[float, float, float]  # a value and the bounds of its 95% interval


@dataclass(frozen=True)
class Identification:
    """Ranks of genuine pairs among distractors. trials [people]: each person's genuine pairs (probe, mate).

    hits [sizes, people, RANKS]: of these, the pairs whose mate has rank 1 or better, 2 or better, and so on.
    """

    people: int
    probes: int
    pairs: int
    sizes: tuple[int, ...]
    impostor_pairs: int  # all pairs of a probe and a distractor
    trials: NDArray[np.int64] = field(repr=False)
    hits: NDArray[np.int64] = field(repr=False)
    genuine: Floats = field(repr=False)  # the cosine of each genuine pair [pairs]
    person: NDArray[np.int64] = field(repr=False)  # of each genuine pair [pairs]
    probe: NDArray[np.int64] = field(repr=False)  # of each genuine pair [pairs]
    impostor: Floats = field(repr=False)  # the largest impostor cosines, falling
    nearest: Floats = field(repr=False)  # each probe's largest cosine to a distractor [probes]

    def cmc(self, size: int) -> NDArray[np.float64]:
        """The share of mates found up to each rank [RANKS] among so many distractors."""
        return np.asarray(self.hits[self.sizes.index(size)].sum(0) / self.trials.sum(), np.float64)

    def rank(self, k: int, size: int, *, samples: int = 1000, seed: int = 0) -> Interval:
        """The rank-k identification rate among so many distractors, with a 95% interval over people."""
        hits = self.hits[self.sizes.index(size)][:, k - 1].astype(np.float64)
        return intervals.ratio_with_interval(hits, self.trials, samples=samples, seed=seed)

    def tar(self, far: float, *, samples: int = 1000, seed: int = 0) -> Interval | None:
        """The true accept rate at a false accept rate, with a 95% interval over people at the same threshold.

        None where less than one impostor pair may pass, or more than there are cosines kept.
        """
        passing = int(far * self.impostor_pairs * (1 + 1e-9))
        if passing < 1 or passing >= len(self.impostor):
            return None
        threshold = self.impostor[passing]  # of the first impostor pair that must not pass
        return self._accepted(self.genuine > threshold, samples, seed)

    def first_at_fpr(self, fpr: float = FPR, *, samples: int = 1000, seed: int = 0) -> Interval | None:
        """The share of mates with rank 1 above the threshold at which a share fpr of the probes finds a distractor.

        As Trillion-Pairs measures identification, with a 95% interval over people. None where less than one probe may.
        """
        passing = int(fpr * self.probes * (1 + 1e-9))
        if passing < 1:
            return None
        threshold = -np.partition(-self.nearest, passing)[passing]
        return self._accepted(self.genuine > np.maximum(threshold, self.nearest[self.probe]), samples, seed)

    def _accepted(self, accepted: NDArray[np.bool_], samples: int, seed: int) -> Interval:
        hits = np.bincount(self.person, accepted.astype(np.float64), self.people)
        return intervals.ratio_with_interval(hits, self.trials, samples=samples, seed=seed)


def identify(
    probes: NDArray[Any],
    person: NDArray[np.integer],
    distractors: Iterable[NDArray[Any]],
    *,
    sizes: Sequence[int] = SIZES,
    keep: int = KEEP,
) -> Identification:
    """Every probe with every mate among the first of the distractors, for each of the sizes that there are.

    probes [n, d]: rows of norm 1; person [n]: who each shows; people with one photo have no mate and are left out.
    distractors: blocks [., d] of rows of norm 1, read once; a row of zeros (or nan) never matches and still counts.
    keep: impostor cosines to keep. Raises UserError when nobody has two photos, without distractors, and when lengths
    of vectors differ.
    """
    x, persons = _with_mates(np.asarray(probes, np.float32), np.asarray(person))
    mates, impostors = Mates(x, persons), LargestValues(keep)
    people, n = int(persons.max()) + 1, len(x)
    hits, seen, ends = {}, 0, sorted(set(sizes))
    nearest: Floats = np.full(n, -2, np.float32)
    for block, invalid in _blocks(distractors, ends, x.shape[1]):
        for low in range(0, n, PROBES_AT_ONCE):
            high = min(low + PROBES_AT_ONCE, n)
            cosines = x[low:high] @ block.T
            cosines[:, invalid] = -2
            np.maximum(nearest[low:high], cosines.max(1), out=nearest[low:high])
            _count(mates, impostors, cosines, low=low, high=high)
        seen += len(block)
        if seen in ends:
            hits[seen] = mates.hits(people)
    if not seen:
        raise UserError("there are no distractors: give a gallery that holds some")
    hits.setdefault(seen, mates.hits(people))
    return Identification(
        people=people,
        probes=n,
        pairs=len(mates.cosine),
        sizes=tuple(sorted(hits)),
        impostor_pairs=n * seen,
        trials=np.bincount(mates.person, minlength=people),
        hits=np.stack([hits[size] for size in sorted(hits)]),
        genuine=mates.cosine,
        person=mates.person,
        probe=mates.probe,
        impostor=impostors.sorted(),
        nearest=nearest,
    )


def replace_noisy_probes(
    probes: NDArray[Any], person: NDArray[np.integer], noisy: NDArray[np.bool_], *, seed: int = 0
) -> NDArray[np.float32]:
    """The probes [n, d] of norm 1, each noisy one [n] replaced by the mean of its person's others plus a little noise.

    As InsightFace applies its published lists (remove_noises.py): the number of pairs stays and the probe does no harm.
    A person all of whose photos are noisy keeps them.
    """
    x = np.array(probes, np.float32)
    rng = np.random.default_rng(seed)
    for rows in rows_by_person(np.unique(person, return_inverse=True)[1]):
        clean, wrong = rows[~noisy[rows]], rows[noisy[rows]]
        if len(clean) and len(wrong):
            x[wrong] = x[clean].mean(0) + rng.uniform(-1e-5, 1e-5, (len(wrong), x.shape[1]))
            x[wrong] /= np.maximum(np.linalg.norm(x[wrong], axis=1, keepdims=True), 1e-12)
    return x


def _count(mates: Mates, impostors: LargestValues, cosines: Floats, *, low: int, high: int) -> None:
    """Count a block of distractors for the mates of probes low..high, and keep their largest cosines [probes, block].

    Only the few cosines that are large enough for either are looked at.
    """
    min_cosine = mates.min_cosines(low, high)
    at = np.flatnonzero(cosines >= np.minimum(min_cosine, impostors.minimum)[:, None])
    row, cosine = at // cosines.shape[1], cosines.ravel()[at]
    impostors.add(cosine)
    near = cosine >= min_cosine[row]
    mates.count(low, high, row[near], cosine[near])


def _with_mates(x: Floats, person: NDArray[Any]) -> tuple[Floats, NDArray[np.int64]]:
    """The probes of people with two photos or more, person by person, and numbers 0, 1, 2... for these people."""
    _, codes, count = np.unique(person, return_inverse=True, return_counts=True)
    several = np.flatnonzero(count[codes] > 1)
    if not len(several):
        raise UserError(f"none of {len(count)} people has two photos: a probe needs a mate")
    several = several[np.argsort(codes[several], kind="stable")]
    return x[several], np.unique(codes[several], return_inverse=True)[1].astype(np.int64)


def _blocks(blocks: Iterable[NDArray[Any]], ends: Sequence[int], dim: int) -> Iterator[tuple[Floats, NDArray[np.intp]]]:
    """The rows in blocks that are small enough and end where a size ends, and which rows can never match."""
    seen = 0
    for block in blocks:
        if block.ndim != 2 or block.shape[1] != dim:
            raise UserError(
                f"the distractors are vectors of {block.shape[-1]}, the probes of {dim}: take both from the same model"
            )
        start = 0
        while start < len(block):
            end = min([start + DISTRACTORS_AT_ONCE, len(block), *(e - seen + start for e in ends if e > seen)])
            part = np.asarray(block[start:end], np.float32)
            invalid = np.flatnonzero(~(np.isfinite(part).all(1) & part.any(1)))
            if len(invalid):
                part = part.copy()
                part[invalid] = 0  # nan would spread
            yield part, invalid
            seen, start = seen + end - start, end
