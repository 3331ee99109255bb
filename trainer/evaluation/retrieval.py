"""Retrieval: mean average precision of the ranked videos of each person, as iQIYI-VID measures it.

Liu et al., "iQIYI-VID: A Large Dataset for Multi-modal Person Identification" (2018): for each person the 100 videos
that score highest, judged in their order; a video of the person that is not among them counts as missed.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer.evaluation import intervals

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
    """AP@k [q] of each query: the precision at each of its person's videos among the first k, over all of them.

    queries [q, d] and gallery [n, d]: rows of norm 1, one a person and one a video (the mean of its faces); person [q]
    and gallery_person [n]: who they show. relevant [q]: how many videos of the person there are, where some are not in
    the gallery. nan for a person without a video. Raises UserError for an empty gallery.
    """
    if not len(gallery):
        raise UserError("the gallery holds no video: give one that does")
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
    """The mean of average precisions [q] with its 95% interval over people; people without a video are left out."""
    known = precisions[~np.isnan(precisions)]
    return intervals.ratio_with_interval(known, np.ones(len(known)), samples=samples, seed=seed)


def _precision_sums(
    queries: NDArray[Any],
    person: NDArray[Any],
    gallery: NDArray[Any],
    gallery_person: NDArray[Any],
    *,
    k: int,
) -> Iterator[NDArray[np.float64]]:
    """The sum of the precisions at each right video among the first k, of some queries at a time."""
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        at = slice(start, start + QUERIES_AT_ONCE)
        cosines = np.asarray(queries[at], np.float32) @ np.asarray(gallery, np.float32).T
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        right = gallery_person[order] == person[at, None]
        precision = right.cumsum(1) / np.arange(1, order.shape[1] + 1)
        yield (precision * right).sum(1)
