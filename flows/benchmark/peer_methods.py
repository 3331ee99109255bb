"""What one would try on noisy names instead: each says which photos stay, at a setting that one has to choose."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from pipeline.errors import UserError
from pipeline.noise.search.neighbours import factory_index, nearest

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]
NEIGHBOURS, EXACT = 20, 200_000  # of a photo; photos that are searched exactly
LISTS, PROBES = 4, 32  # beyond, of an inverted file
BATCH = 4096  # photos whose probabilities of all names are held at once


class Data(NamedTuple):
    """Unit vectors [n, d] and the number of each photo's name [n]; photos of a name lie together."""

    x: NDArray[np.float32]
    name: Ints


def _runs(name: Ints) -> Iterator[slice]:
    edges = np.flatnonzero(np.diff(name, prepend=-1, append=-1))
    yield from (slice(a, b) for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _dbscan(data: Data, eps: float) -> Mask:
    """Of each name the largest cluster stays; all of a name without one."""
    from sklearn.cluster import DBSCAN  # a second to load, for this alone

    stays = np.ones(len(data.name), bool)
    for of_name in _runs(data.name):
        group = DBSCAN(eps=eps, min_samples=2, metric="cosine").fit_predict(data.x[of_name])
        if (group >= 0).any():
            stays[of_name] = group == np.bincount(group[group >= 0]).argmax()
    return stays


def _cleanlab(data: Data, scale: float) -> Mask:
    """What confident learning has no issue with: probabilities are a softmax of the cosines to the names' centres.

    A photo's own name is judged by the mean of its other photos, as if it had been left out of the training.
    """
    try:
        from cleanlab.experimental.label_issues_batched import LabelInspector
    except ImportError:
        raise UserError("cleanlab is not installed: pip install 'face-refinery[peers]', or --only others") from None
    sums = np.zeros((data.name.max() + 1, data.x.shape[1]), np.float32)
    for of_name in _runs(data.name):
        sums[data.name[of_name.start]] = data.x[of_name].sum(0)
    centres = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)

    def probabilities(at: slice) -> NDArray[np.float32]:
        x, name = data.x[at], data.name[at]
        others = sums[name] - x
        own = np.einsum("nd,nd->n", x, others) / np.maximum(np.linalg.norm(others, axis=1), 1e-9)
        p = x @ centres.T
        p[np.arange(len(x)), name] = own
        p -= p.max(1, keepdims=True)
        np.exp(np.float32(scale) * p, out=p)
        return np.asarray(p / p.sum(1, keepdims=True))

    inspector = LabelInspector(num_class=len(centres), verbose=False, n_jobs=1)
    batches = [slice(at, at + BATCH) for at in range(0, len(data.x), BATCH)]
    for at in batches:
        inspector.update_confident_thresholds(data.name[at], probabilities(at))
    for at in batches:
        inspector.score_label_quality(data.name[at], probabilities(at))
    stays = np.ones(len(data.name), bool)
    stays[inspector.get_label_issues()] = False
    return stays


def _neighbours(data: Data, least: float) -> Mask:
    """Photos whose cosine reaches `least` are one; of each name its largest component stays."""
    n = len(data.name)
    lists = LISTS * int(n**0.5) if n > EXACT else 0
    if lists:
        index = factory_index(data.x, f"IVF{lists},Flat", f"nprobe={PROBES}", train_rows=40 * lists)
        cosines, rows = index.search(data.x, NEIGHBOURS)
    else:
        cosines, rows = nearest(data.x, data.x, NEIGHBOURS)
    near = (cosines >= least) & (rows >= 0)
    one, two = np.repeat(np.arange(n), near.sum(1)), rows[near]
    component = connected_components(coo_matrix((np.ones(len(one), bool), (one, two)), shape=(n, n)))[1]
    stays = np.zeros(n, bool)
    for of_name in _runs(data.name):
        values, counts = np.unique(component[of_name], return_counts=True)
        stays[of_name] = component[of_name] == values[counts.argmax()]
    return stays


SETTINGS: dict[str, tuple[Callable[[Data, float], Mask], tuple[float, ...]]] = {
    "dbscan": (_dbscan, (0.3, 0.4, 0.5, 0.6, 0.7)),  # eps, a cosine distance
    "cleanlab": (_cleanlab, (32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)),  # of the softmax
    "neighbours": (_neighbours, (0.3, 0.4, 0.5, 0.6, 0.7)),  # cosine
}
