"""A layout of vectors in a plane: t-SNE (van der Maaten and Hinton 2008) of their nearest neighbours.

It starts at the two principal components, so that the coarse arrangement is that of the vectors (Kobak and Berens
2019). The forces are those of openTSNE: Barnes-Hut, or interpolated (Linderman and others 2019) from 10,000 vectors on.
They are computed on one thread, so the layout does not depend on the number of cores.
"""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.noise.search.neighbours import Index, build_index, nearest

Floats = NDArray[np.float64]
Layout = NDArray[np.float32]
NEIGHBOURS = 15  # of each vector: three times the perplexity
# few effective neighbours: what a map of persons is for are lookalikes and names of one person. Of 50,000 drawn centres
# the ten nearest were among the 30 nearest of the plane for 21% with a perplexity of 5, and for 15% with 10
PERPLEXITY = 5.0
FIRST_STEPS, STEPS = 100, 250  # with early exaggeration, and after it
EXAGGERATION = 12.0
FEWEST = 50  # vectors; fewer may end in one point, and their principal components are the layout
STEPS_AT_A_TIME = 10  # between two reports of progress
SEARCH_BLOCK, COSINE_BLOCK = 4096, 512  # vectors whose neighbours are searched, and compared again, at a time
SEARCH_SHARE = 0.5  # of the time, which the search of neighbours takes
SETTINGS = (NEIGHBOURS, PERPLEXITY, FIRST_STEPS, STEPS, EXAGGERATION)  # on which the layout depends
DECIMALS = 6  # of the start, in deviations: rounding errors of BLAS must not reach the layout

Progress = Callable[[float], None]  # is called with the share that is done


def layout(x: NDArray[np.float32], progress: Progress = lambda _: None) -> Layout:
    """The places [n, 2] of unit rows x [n, d] in a plane, from -1 to 1; rows that are alike are beside each other."""
    start = principal_components(x)
    if len(x) < FEWEST:
        return _fitted(start)
    rows, distances = near_rows(x, lambda share: progress(SEARCH_SHARE * share))
    return _fitted(_arranged(start, rows, distances, lambda s: progress(SEARCH_SHARE + (1 - SEARCH_SHARE) * s)))


def principal_components(x: NDArray[np.float32]) -> Floats:
    """The first two principal components [n, 2] of rows x [n, d], in deviations of the first one; rounded.

    Of the two directions of each component that one is taken whose largest number is positive.
    """
    if len(x) < 2 or x.shape[1] < 2:
        return np.zeros((len(x), 2))
    mean = x.mean(0, dtype=np.float64)
    covariance = np.zeros((x.shape[1], x.shape[1]))
    for start in range(0, len(x), SEARCH_BLOCK):
        block = x[start : start + SEARCH_BLOCK].astype(np.float64) - mean
        covariance += block.T @ block
    axes = np.linalg.eigh(covariance)[1][:, :-3:-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), [0, 1]])
    blocks = [x[i : i + SEARCH_BLOCK].astype(np.float64) - mean for i in range(0, len(x), SEARCH_BLOCK)]
    components = np.concatenate([block @ axes for block in blocks])
    return np.asarray(np.round(components / max(float(components[:, 0].std()), 1e-9), DECIMALS))


def near_rows(x: NDArray[np.float32], progress: Progress = lambda _: None) -> tuple[NDArray[np.int64], Floats]:
    """The nearest other rows [n, k] of each row of x [n, d], the nearest first, and their distances [n, k].

    faiss proposes them; distances are computed in double precision, and of equal ones the lowest row comes first.
    """
    index, k = build_index(x), min(NEIGHBOURS, len(x) - 1)
    rows, distances = np.empty((len(x), k), np.int64), np.empty((len(x), k))
    for start in range(0, len(x), SEARCH_BLOCK):
        _search(index, np.arange(start, min(len(x), start + SEARCH_BLOCK)), rows, distances)
        progress(min(1.0, (start + SEARCH_BLOCK) / len(x)))
    return rows, distances


def _search(index: Index, queries: NDArray[np.int64], rows: NDArray[np.int64], distances: Floats) -> None:
    """Fill in the nearest rows and distances of these rows of the index."""
    k = rows.shape[1]
    proposed = nearest(index.x[queries], index, k + 1)[1].astype(np.int64)
    for start in range(0, len(queries), COSINE_BLOCK):
        of, near = queries[start : start + COSINE_BLOCK], proposed[start : start + COSINE_BLOCK]
        one, others = index.x[of].astype(np.float64), index.x[near].astype(np.float64)
        cosines = np.round(np.einsum("nd,nkd->nk", one, others), 9)
        cosines[near == of[:, None]] = -np.inf  # where a row is not among its own nearest, its last one goes
        order = np.lexsort((near, -cosines), axis=1)[:, :k]
        rows[of] = np.take_along_axis(near, order, 1)
        distances[of] = np.sqrt(np.maximum(0.0, 2 - 2 * np.take_along_axis(cosines, order, 1)))


def _arranged(start: Floats, rows: NDArray[np.int64], distances: Floats, progress: Progress) -> Floats:
    """The layout that t-SNE makes of a start [n, 2] and the nearest rows of each row."""
    from openTSNE import TSNEEmbedding  # a second to load, and only a map needs it
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    done = 0

    def on_steps(*_: object) -> bool:
        nonlocal done
        done += STEPS_AT_A_TIME
        progress(done / (FIRST_STEPS + STEPS))
        return False  # go on

    perplexity = min(PERPLEXITY, rows.shape[1] / 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of divisions by the distance of equal places, which it leaves out
        near = PerplexityBasedNN(perplexity=perplexity, knn_index=PrecomputedNeighbors(rows, distances), n_jobs=1)
        places = TSNEEmbedding(1e-4 * start, near, n_jobs=1, random_state=0)
        calls = {"callbacks": on_steps, "callbacks_every_iters": STEPS_AT_A_TIME}
        places = places.optimize(n_iter=FIRST_STEPS, exaggeration=EXAGGERATION, momentum=0.5, **calls)
        places = places.optimize(n_iter=STEPS, momentum=0.8, **calls)
    return np.asarray(places, np.float64)


def _fitted(places: Floats) -> Layout:
    """Places [n, 2] moved and scaled into the square from -1 to 1."""
    if not len(places):
        return np.zeros((0, 2), np.float32)
    low, high = places.min(0), places.max(0)
    half = max(float((high - low).max()) / 2, 1e-9)
    return np.asarray((places - (low + high) / 2) / half, np.float32)
