"""Identification among distractors, as MegaFace defines it: the rank of a probe's mate in a gallery of distractors.

Kemelmacher-Shlizerman et al., "The MegaFace Benchmark" (CVPR 2016), challenge 1: each photo of a person is a probe, and
each other photo of the person in turn is its only mate in a gallery of distractors. The mate's rank is one more than
the number of distractors whose cosine to the probe is at least as large, up to rounding (see mates.TIE). So it is
enough to count distractors for each genuine pair, and distractors can be read in blocks, with one block in memory at a
time.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer.evaluation import intervals
from trainer.evaluation.finite_vectors import check_finite
from trainer.evaluation.mates import TIE, LargestValues, Mates, rows_by_person

SIZES = (10, 100, 1_000, 10_000, 100_000, 1_000_000)  # numbers of distractors
FARS = (1e-4, 1e-5, 1e-6, 1e-9)  # 1e-9 is that of Trillion-Pairs
FPR = 1e-3  # false positive rate in Trillion-Pairs: the share of searches that may return a distractor
PROBES_AT_ONCE, DISTRACTORS_AT_ONCE = 512, 8192  # 16 MB of cosines
KEEP = 1 << 20  # how many of the largest impostor cosines are kept; thresholds of low FARs are taken from them
Floats = NDArray[np.float32]
Interval = tuple[float, float, float]  # a value and the bounds of its 95% interval


@dataclass(frozen=True)
class Identification:
    """The result of an identification: counts and cosines of its genuine pairs (probe, mate) and impostor pairs.

    trials [people]: the number of each person's genuine pairs. hits [sizes, people, RANKS]: how many of them have their
    mate at rank 1, at rank 2 or better, and so on, for each number of distractors in `sizes`.
    """

    people: int
    probes: int
    pairs: int  # genuine pairs
    sizes: tuple[int, ...]
    impostor_pairs: int  # all pairs of a probe and a distractor
    trials: NDArray[np.int64] = field(repr=False)
    hits: NDArray[np.int64] = field(repr=False)
    genuine: Floats = field(repr=False)  # cosine of each genuine pair [pairs]
    person: NDArray[np.int64] = field(repr=False)  # number of the person of each genuine pair [pairs]
    probe: NDArray[np.int64] = field(repr=False)  # number of the probe of each genuine pair [pairs]
    impostor: Floats = field(repr=False)  # the largest impostor cosines, falling
    nearest: Floats = field(repr=False)  # each probe's largest cosine to a distractor [probes]

    def cmc(self, size: int) -> NDArray[np.float64]:
        """The share of genuine pairs whose mate has rank k or better, for each k [RANKS], among `size` distractors."""
        return np.asarray(self.hits[self.sizes.index(size)].sum(0) / self.trials.sum(), np.float64)

    def rank(self, k: int, size: int, *, samples: int = 1000, seed: int = 0) -> Interval:
        """The rank-k identification rate among `size` distractors, with a 95% interval over people."""
        hits = self.hits[self.sizes.index(size)][:, k - 1].astype(np.float64)
        return intervals.ratio_with_interval(hits, self.trials, samples=samples, seed=seed)

    def tar(self, far: float, *, samples: int = 1000, seed: int = 0) -> Interval | None:
        """The true accept rate at a false accept rate, with a 95% interval over people at a fixed threshold.

        None when the false accept rate allows less than one impostor pair, or more pairs than cosines were kept.
        """
        accepted_impostors = int(far * self.impostor_pairs * (1 + 1e-9))
        if accepted_impostors < 1 or accepted_impostors >= len(self.impostor):
            return None
        threshold = self.impostor[accepted_impostors]  # of the nearest impostor pair that must be rejected
        return self._accept_rate(self.genuine > threshold + TIE, samples, seed)

    def rank_1_at_fpr(self, fpr: float = FPR, *, samples: int = 1000, seed: int = 0) -> Interval | None:
        """The share of genuine pairs with the mate at rank 1 and above a threshold, with a 95% interval over people.

        At the threshold a share fpr of the probes has a distractor above it: Trillion-Pairs' measure of identification.
        None when fpr allows less than one such probe.
        """
        false_positives = int(fpr * self.probes * (1 + 1e-9))
        if false_positives < 1:
            return None
        threshold = -np.partition(-self.nearest, false_positives)[false_positives]
        return self._accept_rate(self.genuine > np.maximum(threshold, self.nearest[self.probe]) + TIE, samples, seed)

    def of_people(self, chosen: NDArray[np.bool_]) -> "Identification":
        """The identification of some people's probes, at thresholds of all probes; chosen [people]: whose.

        `probes`, `nearest` and the impostor pairs stay those of all.
        """
        pairs, number = chosen[self.person], np.cumsum(chosen) - 1
        return replace(
            self,
            people=int(chosen.sum()),
            pairs=int(pairs.sum()),
            trials=self.trials[chosen],
            hits=self.hits[:, chosen],
            genuine=self.genuine[pairs],
            person=number[self.person[pairs]],
            probe=self.probe[pairs],
        )

    def _accept_rate(self, accepted: NDArray[np.bool_], samples: int, seed: int) -> Interval:
        """The share of accepted genuine pairs, with a 95% interval; accepted: of each genuine pair [pairs]."""
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
    """Search every probe with each of its mates among the distractors.

    probes [n, d]: embeddings of norm 1. person [n]: the person of each probe; people with one photo have no mate and
    are left out. distractors: blocks [., d] of embeddings of norm 1, read once; a row of zeros is counted as a
    distractor and is never near a probe. sizes: numbers of distractors, of which the first ones are taken; sizes above
    the number of distractors are replaced by this number. keep: how many of the largest impostor cosines are kept.
    Raises UserError when nobody has two photos, without distractors, when lengths of embeddings differ, and for
    embeddings that are not finite.
    """
    check_finite(probes, "probes")
    x, persons = _with_mates(np.asarray(probes, np.float32), np.asarray(person))
    mates, impostors = Mates(x, persons), LargestValues(keep)
    people, n = int(persons.max()) + 1, len(x)
    hits, distractors_read, ends = {}, 0, sorted(set(sizes))
    nearest: Floats = np.full(n, -2, np.float32)
    for block, zeros in _blocks(distractors, ends, x.shape[1]):
        for low in range(0, n, PROBES_AT_ONCE):
            high = min(low + PROBES_AT_ONCE, n)
            cosines = x[low:high] @ block.T
            cosines[:, zeros] = -2
            np.maximum(nearest[low:high], cosines.max(1), out=nearest[low:high])
            _count(mates, impostors, cosines, low=low, high=high)
        distractors_read += len(block)
        if distractors_read in ends:
            hits[distractors_read] = mates.hits(people)
    if not distractors_read:
        raise UserError("there are no distractors: give a gallery that holds some")
    hits.setdefault(distractors_read, mates.hits(people))
    return Identification(
        people=people,
        probes=n,
        pairs=len(mates.cosine),
        sizes=tuple(sorted(hits)),
        impostor_pairs=n * distractors_read,
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
    """The probes [n, d] of norm 1, in which the noisy ones are replaced by the mean of their person's clean probes.

    noisy [n]: which probes have a wrong label. InsightFace applies its published lists in this way (remove_noises.py):
    the number of pairs is unchanged, and a wrong label no longer counts as an error of the model. A little random noise
    is added to the mean. Probes of a person without a clean probe are unchanged. Raises UserError for probes that are
    not finite.
    """
    check_finite(probes, "probes")
    x = np.array(probes, np.float32)
    rng = np.random.default_rng(seed)
    for rows in rows_by_person(np.unique(person, return_inverse=True)[1]):
        clean_rows, noisy_rows = rows[~noisy[rows]], rows[noisy[rows]]
        if len(clean_rows) and len(noisy_rows):
            x[noisy_rows] = x[clean_rows].mean(0) + rng.uniform(-1e-5, 1e-5, (len(noisy_rows), x.shape[1]))
            x[noisy_rows] /= np.maximum(np.linalg.norm(x[noisy_rows], axis=1, keepdims=True), 1e-12)
    return x


def _count(mates: Mates, impostors: LargestValues, cosines: Floats, *, low: int, high: int) -> None:
    """Count a block of distractors for the mates of probes low..high-1, and keep the largest of its cosines.

    cosines [probes, distractors]. Only the few that are large enough for one of these purposes are processed.
    """
    min_cosine = mates.min_cosines(low, high)
    at = np.flatnonzero(cosines >= np.minimum(min_cosine, impostors.minimum)[:, None])
    row, cosine = at // cosines.shape[1], cosines.ravel()[at]
    impostors.add(cosine)
    near = cosine >= min_cosine[row]
    mates.count(low, high, row[near], cosine[near])


def _with_mates(x: Floats, person: NDArray[Any]) -> tuple[Floats, NDArray[np.int64]]:
    """The probes of people with two photos or more, sorted by person, and the person of each, numbered 0, 1, 2..."""
    _, codes, count = np.unique(person, return_inverse=True, return_counts=True)
    with_mate = np.flatnonzero(count[codes] > 1)
    if not len(with_mate):
        raise UserError(f"none of {len(count)} people has two photos: a probe needs a mate")
    with_mate = with_mate[np.argsort(codes[with_mate], kind="stable")]
    return x[with_mate], np.unique(codes[with_mate], return_inverse=True)[1].astype(np.int64)


def _blocks(blocks: Iterable[NDArray[Any]], ends: Sequence[int], dim: int) -> Iterator[tuple[Floats, NDArray[np.intp]]]:
    """The distractors in blocks of at most DISTRACTORS_AT_ONCE that end at each of `ends`, and their rows of zeros."""
    rows_before = 0
    for block in blocks:
        if block.ndim != 2 or block.shape[1] != dim:
            raise UserError(
                f"the distractors are vectors of {block.shape[-1]}, the probes of {dim}: take both from the same model"
            )
        start = 0
        while start < len(block):
            sizes_left = (e - rows_before + start for e in ends if e > rows_before)
            end = min([start + DISTRACTORS_AT_ONCE, len(block), *sizes_left])
            part = np.asarray(block[start:end], np.float32)
            check_finite(part, "distractors of a block")
            yield part, np.flatnonzero(~part.any(1))
            rows_before, start = rows_before + end - start, end
