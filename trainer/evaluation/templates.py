"""Templates: several photos and videos of a person, pooled to one embedding, for 1:1 verification and 1:N search.

IJB-B (Whitelam et al., CVPR workshops 2017) and IJB-C (Maze et al., ICB 2018). A medium is a still image or the frames
of one video; all frames of a video together have the weight of one still image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer.evaluation import intervals
from trainer.evaluation.finite_vectors import check_finite
from trainer.evaluation.mates import TIE
from trainer.evaluation.roc import NOT_ABOVE, Roc, index_at_far, rank_pairs, roc_curve

FARS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
FPIRS = (0.01, 0.1)
RANKS = (1, 5, 10)
PAIRS_AT_ONCE = 1 << 15
PROBES_AT_ONCE = 256
MIN_FALSE_ACCEPTS = 10  # a rate that allows fewer false accepts than this gets a warning
Vectors = NDArray[np.float32]
Codes = NDArray[np.integer]


class Rate(NamedTuple):
    """A rate with the bounds of its 95% interval and the number of its trials.

    warning: why the rate is uncertain, "" for none.
    """

    value: float
    low: float
    high: float
    trials: int
    warning: str = ""


@dataclass(frozen=True)
class Templates:
    """t templates: their ids [t], rising, their embeddings x [t, d] of norm 1, and their subjects [t] (-1: unknown).

    Raises UserError for embeddings that are not finite.
    """

    ids: NDArray[np.int64]
    x: Vectors
    subject: NDArray[np.int64]

    def __post_init__(self) -> None:
        check_finite(self.x, "templates")

    def rows(self, ids: Codes, list_name: str) -> NDArray[np.intp]:
        """The rows of the templates with these ids; list_name: the list that the ids come from, for messages.

        Raises UserError for an id without a template.
        """
        at = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        unknown = np.flatnonzero(self.ids[at] != ids)
        if len(unknown):
            raise UserError(
                f"{list_name} names template {int(ids[unknown[0]])}, which has no media: give the complete test set"
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
    """Pool the embeddings x [n, d] of faces to templates.

    A template's embedding is the sum over its media of the mean of a medium's faces, divided by its norm. template,
    medium, subject [n]: their numbers for each face. norm: True: embeddings keep their norm, which is larger for
    clearer faces, as a weight; False: every face has the same weight. score [n]: the detector's scores, as a further
    weight. Faces of zeros (none was detected) are left out, and so are templates of such faces only. Raises UserError
    for embeddings and scores that are not finite.
    """
    check_finite(x, "faces")
    x = np.array(x, np.float32)
    valid = x.any(1)
    if not norm:
        x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    if score is not None:
        check_finite(score[:, None], "detector's scores")
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
    """The result of 1:1 verification of template pairs."""

    pairs: int
    genuine: int  # number of genuine pairs
    tar: dict[float, Rate]  # true accept rate by false accept rate
    roc: Roc


def one_to_one(
    templates: Templates,
    a: Codes,
    b: Codes,
    same: NDArray[np.bool_],
    *,
    fars: Sequence[float] = FARS,
    far_rule: str = NOT_ABOVE,
) -> OneToOne:
    """1:1 verification of template pairs; a, b [n]: the ids of their templates, same [n]: which pairs are genuine.

    far_rule: how the threshold of a FAR is chosen (see roc.py). Intervals are Wilson's, as of independent pairs. Raises
    UserError for templates without media, and when all pairs are genuine or all are impostor pairs.
    """
    same = np.asarray(same, bool)
    if same.all() or not same.any():
        kind = "genuine" if same.any() else "impostor"
        raise UserError(f"all {len(same)} template pairs are {kind} pairs: give a list with pairs of both kinds")
    i, j = templates.rows(a, "the list of pairs"), templates.rows(b, "the list of pairs")
    cosine = np.empty(len(i), np.float32)
    for start in range(0, len(i), PAIRS_AT_ONCE):
        at = slice(start, start + PAIRS_AT_ONCE)
        cosine[at] = np.einsum("nd,nd->n", templates.x[i[at]], templates.x[j[at]])
    roc = roc_curve(rank_pairs(cosine, same))
    genuine, impostors = int(same.sum()), int((~same).sum())
    tar = {far: _wilson(float(roc.tar[index_at_far(roc, far, far_rule)]), genuine, far * impostors) for far in fars}
    return OneToOne(len(same), genuine, tar, roc)


@dataclass(frozen=True)
class OneToMany:
    """The result of 1:N search in a gallery.

    mated: the number of searches for subjects in the gallery; unmated: for subjects that are not in it. ranks: by k,
    the share of mated searches whose mate has rank k or better. tpir: true positive identification rate by false
    positive identification rate.
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
    """1:N search of every probe template in a gallery with one template per subject.

    FPIR: the share of unmated searches in which any template of the gallery has a cosine above the threshold. TPIR: the
    share of mated searches in which the mate has one. samples: bootstrap samples of subjects, for the intervals. Raises
    UserError for a gallery that holds a subject twice, and when no probe's subject is in the gallery.
    """
    subjects, x = _by_subject(gallery)
    at = np.minimum(np.searchsorted(subjects, probes.subject), len(subjects) - 1)
    mated = subjects[at] == probes.subject
    if not mated.any():
        raise UserError("no probe's subject is in the gallery: give both lists of the same test set")
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
        false_positives = int(fpir * len(unmated) * (1 + 1e-9))
        threshold = unmated[false_positives] if false_positives < len(unmated) else -np.inf
        tpir[fpir] = rate(mate_cosine[mated] > threshold + TIE, fpir * len(unmated))
    return OneToMany(int(mated.sum()), len(unmated), {k: rate(mate_rank[mated] <= k) for k in ranks}, tpir)


def _by_subject(gallery: Templates) -> tuple[NDArray[np.int64], Vectors]:
    """The gallery's subjects, rising, and their embeddings."""
    order = np.argsort(gallery.subject, kind="stable")
    subjects = gallery.subject[order]
    if (is_repeated := np.diff(subjects) == 0).any():
        raise UserError(
            f"the gallery holds subject {int(subjects[:-1][is_repeated][0])} twice: expected one template per subject"
        )
    return subjects, gallery.x[order]


def _search(probes: Vectors, gallery: Vectors, mate: NDArray[np.intp]) -> tuple[NDArray[Any], Vectors, Vectors]:
    """For each probe the rank and the cosine of its mate, and its largest cosine to the gallery.

    mate [n]: the mate's row in the gallery, -1 for a probe without a mate, whose rank and cosine then mean nothing.
    """
    n = len(probes)
    mate_rank, mate_cosine, top_cosine = np.zeros(n, np.int64), np.zeros(n, np.float32), np.zeros(n, np.float32)
    for start in range(0, n, PROBES_AT_ONCE):
        at = slice(start, start + PROBES_AT_ONCE)
        cosines = probes[at] @ gallery.T
        mate_cosine[at] = cosines[np.arange(len(cosines)), mate[at]]
        # the mate itself is counted, so ranks start at 1
        mate_rank[at] = (cosines >= mate_cosine[at][:, None] - np.float32(TIE)).sum(1)
        top_cosine[at] = cosines.max(1)
    return mate_rank, mate_cosine, top_cosine


def _sums(x: NDArray[Any], group: NDArray[np.intp], n: int) -> Vectors:
    """The sums [n, d] of the rows x [k, d] of each group; group [k]: a row's group, 0..n-1."""
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


def _warning(false_accepts: float) -> str:
    if false_accepts >= MIN_FALSE_ACCEPTS:
        return ""
    return f"only {false_accepts:.3g} false accepts are allowed at this rate, so the figure is uncertain"
