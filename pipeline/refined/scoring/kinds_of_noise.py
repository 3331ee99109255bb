"""Precision and recall by kind of noise, with 95% intervals by a bootstrap over claimed identities.

Recall is the share of planted photos (pairs, identities) that were found. Precision is that of what the refinement did
against a kind: photos removed as noise, relabelled, removed as duplicates or for want of a face, merges, splits.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.refined.scoring.intervals import Interval, RateIntervals, ShareCounts, rate_intervals
from pipeline.refined.scoring.known_truth import WRONG_LABEL, Truth
from pipeline.refined.scoring.person_identities import PersonIdentities
from pipeline.refined.scoring.scored_photos import Mask, ScoredPhotos

PHOTOS, PAIRS, IDENTITIES = "photos", "pairs of identities", "identities"
NO_FACE = ("unreadable", "no_face")
RATES = {"precision": "precision", "recall": "recall", "f1": "F1"}
INDENT = "  "  # before a kind that is part of the one above


class NoiseKind(NamedTuple):
    """A kind of noise: how many there are, how many were found, and the rates; see the module."""

    kind: str
    counted_in: str
    planted: int
    found: int
    rates: RateIntervals

    def row(self) -> dict[str, object]:
        """The kind as a row of a table."""
        columns = {"noise": self.kind, "counted in": self.counted_in, "planted": self.planted, "found": self.found}
        return columns | {RATES[name]: interval_text(value) for name, value in self.rates._asdict().items()}

    def as_json(self) -> dict[str, Any]:
        """Plain values for programs."""
        rates = {name: value and value._asdict() for name, value in self.rates._asdict().items()}
        return {**self._asdict(), "kind": self.kind.strip(), "part": self.kind.startswith(INDENT), "rates": rates}


def interval_text(interval: Interval | None) -> str:
    """An interval in words; "-" where there was nothing to measure."""
    return "-" if interval is None else interval.text()


def noise_kinds(photos: ScoredPhotos, truth: Truth, *, seed: int = 0) -> list[NoiseKind]:
    """The kinds of noise that the truth has, those of photos first; kinds of more detail below the one they are of."""
    every = [*_of_photos(photos, truth), *_of_persons(photos, truth), *_overlap(photos, truth)]
    kinds = [kind for kind in every if kind[2].whole.sum()]
    rates = rate_intervals([(precision, recall) for *_, recall, precision in kinds], seed=seed)
    return [
        NoiseKind(kind, unit, int(recall.whole.sum()), int(recall.part.sum()), intervals)
        for (kind, unit, recall, _), intervals in zip(kinds, rates, strict=True)
    ]


Kind = tuple[str, str, ShareCounts, ShareCounts | None]  # name, unit, recall, precision


def _of_photos(photos: ScoredPhotos, truth: Truth) -> Iterator[Kind]:
    wrong, clean, stopped = photos.of(*WRONG_LABEL), photos.of("clean"), photos.stopped()
    judged, relabelled = wrong | clean, photos.relabelled
    planted = np.array(truth.planted, object) if len(truth.planted) else np.full(len(wrong), "", object)

    def share(part: Mask, whole: Mask) -> ShareCounts:
        n = len(photos.claimed_identities)
        return ShareCounts(*(np.bincount(photos.claimed[m], minlength=n).astype(float) for m in (part & whole, whole)))

    def parts(kind: str) -> Iterator[Kind]:
        of_kind = photos.of(kind)
        names = sorted(set(planted[of_kind].tolist()) - {""})
        for name in names if len(names) > 1 else ():
            yield f"{INDENT}{name}", PHOTOS, share(stopped, of_kind & (planted == name)), None

    flagged = photos.removed_as_noise | relabelled
    yield "wrong labels", PHOTOS, share(stopped, wrong), share(wrong, flagged & judged)
    yield "outliers", PHOTOS, share(stopped, photos.of("outlier")), share(wrong, photos.removed_as_noise & judged)
    yield from parts("outlier")
    yield "outliers, removed or set apart", PHOTOS, share(photos.stopped_or_apart(), photos.of("outlier")), None
    flip = photos.of("flip")
    home = photos.right & flip
    yield "misnamed, removed or relabelled", PHOTOS, share(stopped, flip), None
    yield "misnamed, relabelled rightly", PHOTOS, share(home, flip), share(home, relabelled & judged)
    duplicate, pictures = photos.of("duplicate"), photos.of("duplicate").copy()
    pictures[photos.original[duplicate & (truth.original >= 0)]] = True
    yield "duplicates", PHOTOS, share(stopped, duplicate), share(pictures, photos.removed_for("duplicate"))
    yield from parts("duplicate")
    junk = photos.of("junk")
    yield "files without a face", PHOTOS, share(~photos.kept, junk), share(junk, photos.removed_for(*NO_FACE))
    yield from parts("junk")


def _of_persons(photos: ScoredPhotos, truth: Truth) -> Iterator[Kind]:
    """Persons under two identities, and identities of two persons."""
    n, parts = len(photos.claimed_identities), PersonIdentities(photos, truth)
    pairs, merges, of_two, splits = (_Sums(n) for _ in range(4))
    for one, _, merged in parts.of_one_person():
        pairs.add(one.claimed, right=merged)
    for one, two in parts.merged():
        merges.add(one.claimed, right=one.person == two.person)
    several, split = parts.of_several_persons(), parts.split() & set(parts.persons)
    for claimed, right in several.items():
        of_two.add(claimed, right=right)
    for claimed in sorted(split | {claimed for claimed, right in several.items() if right}):
        splits.add(claimed, right=several.get(claimed, False))
    yield "two identities of a person, merged", PAIRS, pairs.share(), merges.share()
    yield "identities of two persons, split", IDENTITIES, of_two.share(), splits.share()


class _Sums:
    """Counts by claimed identity of things that are right, and of all."""

    def __init__(self, n: int) -> None:
        self.right: NDArray[np.float64] = np.zeros(n)
        self.all: NDArray[np.float64] = np.zeros(n)

    def add(self, claimed: int, *, right: bool) -> None:
        """Count one thing of a claimed identity."""
        self.all[claimed] += 1
        self.right[claimed] += right

    def share(self) -> ShareCounts:
        return ShareCounts(self.right, self.all)


def _overlap(photos: ScoredPhotos, truth: Truth) -> Iterator[Kind]:
    if truth.overlap is None:
        return
    removed = photos.overlap_identities()
    n = len(photos.claimed_identities)
    both, found = np.zeros(n), np.zeros(n)
    both[[i for i, name in enumerate(photos.claimed_identities) if name in truth.overlap]] = 1
    found[sorted(removed)] = 1
    yield "identities in the test set", IDENTITIES, ShareCounts(found * both, both), ShareCounts(found * both, found)
