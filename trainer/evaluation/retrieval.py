"""Retrieval: the mean average precision of lists, as iQIYI-VID asks for videos of a person.

Liu et al., "iQIYI-VID: A Large Dataset for Multi-modal Person Identification" (2018): for each person the 100 videos
held to be likest, judged in their order; right answers that are not among them count as missed.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer.evaluation import intervals

K = 100
AT_ONCE = 512  # people searched at a time


def average_precisions(
    queries: NDArray[Any],
    person: NDArray[np.integer],
    gallery: NDArray[Any],
    owner: NDArray[np.integer],
    *,
    relevant: NDArray[np.integer] | None = None,
    k: int = K,
) -> NDArray[np.float64]:
    """AP@k [q] of each query: the precision at each right answer among the first k, summed, over all there are.

    queries [q, d] and gallery [n, d]: unit rows, one for a person and one for a video (the mean of its faces); person
    [q] and owner [n]: whom they show. relevant [q]: how many right answers there are, where some are not in the
    gallery. nan for a person without a video. Raises UserError for an empty gallery.
    """
    if not len(gallery):
        raise UserError("the gallery holds no video: give one that does")
    person, owner = np.asarray(person), np.asarray(owner)
    if relevant is None:
        names, counts = np.unique(owner, return_counts=True)
        place = np.searchsorted(names, person).clip(max=len(names) - 1)
        relevant = np.where(names[place] == person, counts[place], 0)
    return np.concatenate([np.empty(0), *_blocks(queries, person, gallery, owner, relevant, k)])


def mean_average_precision(
    found: NDArray[np.float64], *, samples: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """The mean of average precisions [q], people without a video left out, with a 95% interval over drawn people."""
    there = found[~np.isnan(found)]
    return intervals.share(there, np.ones(len(there)), samples=samples, seed=seed)


def _blocks(
    queries: NDArray[Any],
    person: NDArray[Any],
    gallery: NDArray[Any],
    owner: NDArray[Any],
    there: NDArray[Any],
    k: int,
) -> Iterator[NDArray[np.float64]]:
    for start in range(0, len(queries), AT_ONCE):
        who = person[start : start + AT_ONCE, None]
        cosines = np.asarray(queries[start : start + AT_ONCE], np.float32) @ np.asarray(gallery, np.float32).T
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        right = owner[order] == who
        precision = right.cumsum(1) / np.arange(1, order.shape[1] + 1)
        of = there[start : start + AT_ONCE]
        with np.errstate(invalid="ignore", divide="ignore"):
            yield np.where(of > 0, (precision * right).sum(1) / of, np.nan)
