"""Templates: a person seen in several media, pooled to one vector; compared one to one, and one to many.

IJB-B (Whitelam et al., CVPR workshops 2017) and IJB-C (Maze et al., ICB 2018). A medium is a still or the frames of one
video; frames count together as much as a still does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer.evaluation import intervals
from trainer.evaluation.roc import Roc, index_at_far, rank, rates

FARS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
FPIRS = (0.01, 0.1)
RANKS = (1, 5, 10)
AT_ONCE = 1 << 15  # pairs, and probes x 128, compared at a time
FEWEST = 10  # impostors that may pass, below which a rate says little
Vectors = NDArray[np.float32]
Codes = NDArray[np.integer]


class Rate(NamedTuple):
    """A share with its 95% interval, of how many trials, and what to hold against it ("" for nothing)."""

    value: float
    low: float
    high: float
    trials: int
    warning: str = ""


@dataclass(frozen=True)
class Templates:
    """Templates by number: ids [t] rising, unit rows x [t, d], and the subject of each [t] (-1: not said)."""

    ids: NDArray[np.int64]
    x: Vectors
    subject: NDArray[np.int64]

    def rows(self, ids: Codes, what: str) -> NDArray[np.intp]:
        """Where these templates are. Raises UserError for one without media."""
        at = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        lost = np.flatnonzero(self.ids[at] != ids)
        if len(lost):
            raise UserError(
                f"{what} asks about template {int(ids[lost[0]])}, which has no media: a test set must be whole"
            )
        return at


def pool(
    x: NDArray[Any],
    template: Codes,
    medium: Codes,
    *,
    subject: Codes | None = None,
    score: NDArray[np.floating] | None = None,
    norm: bool = True,
) -> Templates:
    """Templates of faces x [n, d]: the mean of each medium's faces, the sum of a template's media, made unit.

    template, medium, subject: [n] numbers. norm: vectors keep the length that the network gave them, which says how
    much there was to see; False: every face weighs the same. score: [n] the detector's, by which faces are weighed. A
    face that is nan (none was found) is left out; a template without any is, too.
    """
    x = np.array(x, np.float32)
    there = np.isfinite(x).all(1) & x.any(1)
    if not norm:
        x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    if score is not None:
        x = x * np.asarray(score, np.float32)[:, None]
    x, keys = x[there], np.stack([template, medium], 1)[there]
    media, inverse = np.unique(keys, axis=0, return_inverse=True)
    means = _sums(x, inverse.ravel(), len(media)) / np.bincount(inverse.ravel(), minlength=len(media))[:, None]
    ids, of = np.unique(media[:, 0], return_inverse=True)
    sums = _sums(means, of, len(ids))
    who = np.full(len(ids), -1, np.int64)
    if subject is not None:
        who[np.searchsorted(ids, keys[:, 0])] = np.asarray(subject)[there]
    unit = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return Templates(ids.astype(np.int64), unit.astype(np.float32), who)


@dataclass(frozen=True)
class OneToOne:
    """True accept rates by false accept rate, and the whole curve."""

    pairs: int
    same: int
    tar: dict[float, Rate]
    roc: Roc


def one_to_one(
    templates: Templates, a: Codes, b: Codes, same: NDArray[np.bool_], *, fars: Sequence[float] = FARS
) -> OneToOne:
    """Verification of template pairs (a, b) [n] by number; intervals are Wilson's, of independent pairs.

    Raises UserError for templates without media, and when the pairs are of one kind only.
    """
    same = np.asarray(same, bool)
    if same.all() or not same.any():
        kind = "one person" if same.any() else "two people"
        raise UserError(f"all {len(same)} template pairs are of {kind}: it takes pairs of both kinds")
    i, j = templates.rows(a, "the list of pairs"), templates.rows(b, "the list of pairs")
    cosine = np.empty(len(i), np.float32)
    for start in range(0, len(i), AT_ONCE):
        at = slice(start, start + AT_ONCE)
        cosine[at] = np.einsum("nd,nd->n", templates.x[i[at]], templates.x[j[at]])
    roc = rates(rank(cosine, same))
    genuine, impostors = int(same.sum()), int((~same).sum())
    tar = {far: _wilson(float(roc.tar[index_at_far(roc, far)]), genuine, far * impostors) for far in fars}
    return OneToOne(len(same), genuine, tar, roc)


@dataclass(frozen=True)
class OneToMany:
    """Searches in a gallery: closed-set ranks by k, and true positive rates by false positive identification rate."""

    mated: int
    others: int  # searches for people who are not in the gallery
    ranks: dict[int, Rate]
    tpir: dict[float, Rate]


def one_to_many(
    probes: Templates,
    gallery: Templates,
    *,
    ranks: Sequence[int] = RANKS,
    fpirs: Sequence[float] = FPIRS,
    samples: int = 1000,
    seed: int = 0,
) -> OneToMany:
    """Every probe template searched in a gallery of one template a subject.

    FPIR: of the searches for people who are not in the gallery, how many find anybody at all above the threshold. TPIR:
    of the others, how many find their mate above it. Intervals are over drawn subjects. Raises UserError for a gallery
    that holds a subject twice, and when no probe's subject is in it.
    """
    order = np.argsort(gallery.subject, kind="stable")
    names, x = gallery.subject[order], gallery.x[order]
    if (np.diff(names) == 0).any():
        raise UserError(f"the gallery holds subject {int(names[:-1][np.diff(names) == 0][0])} twice: one template each")
    at = np.minimum(np.searchsorted(names, probes.subject), len(names) - 1)
    mated = names[at] == probes.subject
    if not mated.any():
        raise UserError("no probe shows anybody of the gallery: are both lists of the same test set?")
    place, mate, top = _searched(probes.x, x, np.where(mated, at, -1))
    _, who = np.unique(probes.subject[mated], return_inverse=True)
    trials = np.bincount(who)

    def rate(hit: NDArray[np.bool_], passing: float = np.inf) -> Rate:
        value = intervals.share(np.bincount(who, hit.astype(float)), trials, samples=samples, seed=seed)
        return Rate(*value, int(mated.sum()), _few(passing))

    others = -np.sort(-top[~mated])
    found = {}
    for fpir in fpirs if len(others) else ():
        passing = int(fpir * len(others) * (1 + 1e-9))
        threshold = others[passing] if passing < len(others) else -np.inf
        found[fpir] = rate(mate[mated] > threshold, fpir * len(others))
    return OneToMany(int(mated.sum()), len(others), {k: rate(place[mated] <= k) for k in ranks}, found)


def _searched(probes: Vectors, gallery: Vectors, mate: NDArray[np.intp]) -> tuple[NDArray[Any], Vectors, Vectors]:
    """For each probe its mate's rank and cosine, and the largest cosine to anybody."""
    place, near, top = (
        np.zeros(len(probes), np.int64),
        np.zeros(len(probes), np.float32),
        np.zeros(len(probes), np.float32),
    )
    step = max(1, AT_ONCE // 128)
    for start in range(0, len(probes), step):
        at = slice(start, start + step)
        cosines = probes[at] @ gallery.T
        near[at] = cosines[np.arange(len(cosines)), mate[at]]
        place[at] = (cosines >= near[at][:, None]).sum(1)  # its mate among them
        top[at] = cosines.max(1)
    return place, near, top


def _sums(x: NDArray[Any], group: NDArray[np.intp], n: int) -> Vectors:
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sums = np.zeros((n, x.shape[1]), np.float32)
    if len(order):
        sums[group[order][starts]] = np.add.reduceat(x[order], starts, axis=0)
    return sums


def _wilson(value: float, trials: int, passing: float) -> Rate:
    from scipy.stats import binomtest  # takes a second to load, and few need it

    interval = binomtest(round(value * trials), trials).proportion_ci(intervals.LEVEL, method="wilson")
    return Rate(value, float(interval.low), float(interval.high), trials, _few(passing))


def _few(passing: float) -> str:
    return f"{passing:.3g} impostors may pass: too few to say" if passing < FEWEST else ""
