"""Retrieval: mean average precision of the videos that are ranked for each person, as iQIYI-VID measures it.

Liu et al., "iQIYI-VID: A Large Dataset for Multi-modal Person Identification" (2018): for each person the 100 videos
with the highest scores are taken in their order; a video of the person that is not among them counts as missed.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer.evaluation import intervals
from trainer.evaluation.finite_vectors import check_finite
from trainer.evaluation.mates import TIE

K = 100
QUERIES_AT_ONCE = 512


def average_precisions(
    queries: NDArray[Any],
    person: NDArray[np.integer],
    gallery: NDArray[Any],
    gallery_person: NDArray[np.integer],
    *,
    relevant: NDArray[np.integer] | None = None,
    k: int = K,
) -> NDArray[np.float64]:
    """The average precision AP@k [q] of each query; nan for a person without a video.

    It is the sum of the precisions at each of the person's videos among the first k, divided by the number of the
    person's videos. queries [q, d]: an embedding per person; gallery [n, d]: an embedding per video (the mean of its
    faces); both of norm 1. person [q], gallery_person [n]: the person of each. relevant [q]: the number of the person's
    videos, when some of them are not in the gallery. Raises UserError for an empty gallery, and for embeddings that are
    not finite.
    """
    if not len(gallery):
        raise UserError("the gallery holds no video: give a gallery with videos")
    check_finite(queries, "queries")
    check_finite(gallery, "videos of the gallery")
    person, gallery_person = np.asarray(person), np.asarray(gallery_person)
    if relevant is None:
        people, counts = np.unique(gallery_person, return_counts=True)
        at = np.searchsorted(people, person).clip(max=len(people) - 1)
        relevant = np.where(people[at] == person, counts[at], 0)
    blocks = _precision_sums(queries, person, gallery, gallery_person, k=k)
    sums = np.concatenate([np.empty(0), *blocks])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(relevant > 0, sums / relevant, np.nan)


def mean_average_precision(
    precisions: NDArray[np.float64], *, samples: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """The mean of average precisions [q] and its 95% interval over people; nan (a person without a video) is left out.

    Returns the mean and the bounds of the interval.
    """
    with_videos = precisions[~np.isnan(precisions)]
    return intervals.ratio_with_interval(with_videos, np.ones(len(with_videos)), samples=samples, seed=seed)


def _precision_sums(
    queries: NDArray[Any],
    person: NDArray[Any],
    gallery: NDArray[Any],
    gallery_person: NDArray[Any],
    *,
    k: int,
) -> Iterator[NDArray[np.float64]]:
    """The sum of the precisions at each of the person's videos among the first k, for a block of queries at a time."""
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        at = slice(start, start + QUERIES_AT_ONCE)
        cosines = np.asarray(queries[at], np.float32) @ np.asarray(gallery, np.float32).T
        is_relevant = gallery_person == person[at, None]
        yield np.array([_precision_sum(row, own, k) for row, own in zip(cosines, is_relevant, strict=True)], np.float64)


def _precision_sum(cosine: NDArray[np.float32], is_relevant: NDArray[np.bool_], k: int) -> float:
    """The sum of one query's precisions; cosine [n]: to each video, is_relevant [n]: whether it is of the person.

    Of videos with equal cosines those of the person come last, so that their order in the gallery does not matter.
    """
    own = -np.sort(-cosine[is_relevant])
    others = np.sort(cosine[~is_relevant])
    number = np.arange(1, len(own) + 1)  # of the person's videos up to each
    rank = number + len(others) - np.searchsorted(others, own - np.float32(TIE))
    return float((number / rank)[rank <= k].sum())
