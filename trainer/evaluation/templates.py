"""Templates: several photos and videos of a person pooled to one vector; compared one to one, and one to many.

IJB-B (Whitelam et al., CVPR workshops 2017) and IJB-C (Maze et al., ICB 2018). A medium is a still image or the frames
of one video; all frames of a video together count as much as one still.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer.evaluation import intervals
from trainer.evaluation.roc import Roc, index_at_far, rank_pairs, roc_curve

FARS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
FPIRS = (0.01, 0.1)
RANKS = (1, 5, 10)
PAIRS_AT_ONCE = 1 << 15
PROBES_AT_ONCE = 256
FEWEST = 10  # impostors that may pass, below which a rate is hardly known
Vectors = NDArray[np.float32]
Codes = NDArray[np.integer]


class Rate(NamedTuple):
    """A rate with its 95% interval, over how many trials, and a warning where it is hardly known ("" for none)."""

    value: float
    low: float
    high: float
    trials: int
    warning: str = ""


@dataclass(frozen=True)
class Templates:
    """Templates: ids [t] rising, vectors x [t, d] of norm 1, and the subject of each [t] (-1: unknown)."""

    ids: NDArray[np.int64]
    x: Vectors
    subject: NDArray[np.int64]

    def rows(self, ids: Codes, list_name: str) -> NDArray[np.intp]:
        """The rows of these templates. UserError, which names the list they come from, for one without media."""
        at = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        unknown = np.flatnonzero(self.ids[at] != ids)
        if len(unknown):
            raise UserError(
                f"{list_name} names template {int(ids[unknown[0]])}, which has no media: a test set must be whole"
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
    """Templates of faces x [n, d]: the mean of each medium's faces, summed over a template's media, brought to norm 1.

    template, medium, subject: [n] numbers. norm: embeddings keep their norm, which is larger for clearer faces; False:
    every face has the same weight. score [n]: the detector's, as a further weight. A face that is nan (none was
    detected) is left out, and so is a template of such faces only.
    """
    x = np.array(x, np.float32)
    valid = np.isfinite(x).all(1) & x.any(1)
    if not norm:
        x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    if score is not None:
        x = x * np.asarray(score, np.float32)[:, None]
    x, keys = x[valid], np.stack([template, medium], 1)[valid]
    media, medium_of = np.unique(keys, axis=0, return_inverse=True)
    medium_of = medium_of.ravel()
    means = _sums(x, medium_of, len(media)) / np.bincount(medium_of, minlength=len(media))[:, None]
    ids, template_of = np.unique(media[:, 0], return_inverse=True)
    sums = _sums(means, template_of, len(ids))
    subjects = np.full(len(ids), -1, np.int64)
    if subject is not None:
        subjects[np.searchsorted(ids, keys[:, 0])] = np.asarray(subject)[valid]
    unit = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return Templates(ids.astype(np.int64), unit.astype(np.float32), subjects)


@dataclass(frozen=True)
class OneToOne:
    """Verification of template pairs: true accept rates by false accept rate, and the ROC curve."""

    pairs: int
    same: int  # how many pairs are genuine
    tar: dict[float, Rate]
    roc: Roc


def one_to_one(
    templates: Templates, a: Codes, b: Codes, same: NDArray[np.bool_], *, fars: Sequence[float] = FARS
) -> OneToOne:
    """Verification of template pairs (a, b) [n] by id; same [n]: which are genuine.

    Intervals are Wilson's, of independent pairs. Raises UserError for templates without media, and when all pairs are
    genuine or all impostors.
    """
    same = np.asarray(same, bool)
    if same.all() or not same.any():
        kind = "one person" if same.any() else "two people"
        raise UserError(f"all {len(same)} template pairs are of {kind}: it takes pairs of both kinds")
    i, j = templates.rows(a, "the list of pairs"), templates.rows(b, "the list of pairs")
    cosine = np.empty(len(i), np.float32)
    for start in range(0, len(i), PAIRS_AT_ONCE):
        at = slice(start, start + PAIRS_AT_ONCE)
        cosine[at] = np.einsum("nd,nd->n", templates.x[i[at]], templates.x[j[at]])
    roc = roc_curve(rank_pairs(cosine, same))
    genuine, impostors = int(same.sum()), int((~same).sum())
    tar = {far: _wilson(float(roc.tar[index_at_far(roc, far)]), genuine, far * impostors) for far in fars}
    return OneToOne(len(same), genuine, tar, roc)


@dataclass(frozen=True)
class OneToMany:
    """Searches in a gallery: closed-set ranks by k, and true positive rates by false positive identification rate.

    mated: searches for people in the gallery; unmated: for people who are not in it.
    """

    mated: int
    unmated: int
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

    FPIR: the share of unmated searches in which anybody scores above the threshold. TPIR: the share of mated searches
    in which the mate does. Intervals are over bootstrap samples of subjects. Raises UserError for a gallery that holds
    a subject twice, and when no probe's subject is in it.
    """
    subjects, x = _by_subject(gallery)
    at = np.minimum(np.searchsorted(subjects, probes.subject), len(subjects) - 1)
    mated = subjects[at] == probes.subject
    if not mated.any():
        raise UserError("no probe shows anybody of the gallery: are both lists of the same test set?")
    mate_rank, mate_cosine, top_cosine = _search(probes.x, x, np.where(mated, at, -1))
    _, person = np.unique(probes.subject[mated], return_inverse=True)
    trials = np.bincount(person)

    def rate(hit: NDArray[np.bool_], false_positives: float = np.inf) -> Rate:
        hits = np.bincount(person, hit.astype(float))
        value = intervals.ratio_with_interval(hits, trials, samples=samples, seed=seed)
        return Rate(*value, int(mated.sum()), _warning(false_positives))

    unmated = -np.sort(-top_cosine[~mated])  # falling
    tpir = {}
    for fpir in fpirs if len(unmated) else ():
        passing = int(fpir * len(unmated) * (1 + 1e-9))
        threshold = unmated[passing] if passing < len(unmated) else -np.inf
        tpir[fpir] = rate(mate_cosine[mated] > threshold, fpir * len(unmated))
    return OneToMany(int(mated.sum()), len(unmated), {k: rate(mate_rank[mated] <= k) for k in ranks}, tpir)


def _by_subject(gallery: Templates) -> tuple[NDArray[np.int64], Vectors]:
    """The gallery's subjects, rising, and their vectors."""
    order = np.argsort(gallery.subject, kind="stable")
    subjects = gallery.subject[order]
    if (twice := np.diff(subjects) == 0).any():
        raise UserError(f"the gallery holds subject {int(subjects[:-1][twice][0])} twice: one template each")
    return subjects, gallery.x[order]


def _search(probes: Vectors, gallery: Vectors, mate: NDArray[np.intp]) -> tuple[NDArray[Any], Vectors, Vectors]:
    """For each probe its mate's rank and cosine, and the largest cosine to anybody; mate [n]: its gallery row."""
    n = len(probes)
    mate_rank, mate_cosine, top_cosine = np.zeros(n, np.int64), np.zeros(n, np.float32), np.zeros(n, np.float32)
    for start in range(0, n, PROBES_AT_ONCE):
        at = slice(start, start + PROBES_AT_ONCE)
        cosines = probes[at] @ gallery.T
        mate_cosine[at] = cosines[np.arange(len(cosines)), mate[at]]
        mate_rank[at] = (cosines >= mate_cosine[at][:, None]).sum(1)  # which counts the mate itself
        top_cosine[at] = cosines.max(1)
    return mate_rank, mate_cosine, top_cosine


def _sums(x: NDArray[Any], group: NDArray[np.intp], n: int) -> Vectors:
    """The sum of the rows x [k, d] of each of n groups: [n, d]."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sums = np.zeros((n, x.shape[1]), np.float32)
    if len(order):
        sums[group[order][starts]] = np.add.reduceat(x[order], starts, axis=0)
    return sums


def _wilson(value: float, trials: int, false_accepts: float) -> Rate:
    from scipy.stats import binomtest  # takes a second to load, and few commands need it

    interval = binomtest(round(value * trials), trials).proportion_ci(intervals.LEVEL, method="wilson")
    return Rate(value, float(interval.low), float(interval.high), trials, _warning(false_accepts))


def _warning(passing: float) -> str:
    return f"{passing:.3g} impostors may pass: too few to say" if passing < FEWEST else ""
