"""Other methods that find wrong labels. Each returns the photos that it keeps, at a setting that users must choose."""

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
NEIGHBOURS = 20  # nearest photos of each photo
EXACT = 200_000  # up to this number of photos the nearest are searched exactly, beyond by an inverted file
LISTS, PROBES = 4, 32  # of that file: lists for each square root of the number of photos, and lists read for a photo
BATCH = 4096  # photos whose probabilities of all identities are in memory at a time


class Data(NamedTuple):
    """Unit embeddings [n, d] and the number of each photo's identity [n]; photos of an identity are adjacent."""

    x: NDArray[np.float32]
    identity: Ints


def _identities(identity: Ints) -> Iterator[slice]:
    """The rows of each identity."""
    edges = np.flatnonzero(np.diff(identity, prepend=-1, append=-1))
    yield from (slice(a, b) for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _centre(data: Data, min_cosine: float) -> Mask:
    """Keep the photos whose cosine to the centre of their identity, the mean of its photos, is at least this."""
    stays = np.ones(len(data.identity), bool)
    for members in _identities(data.identity):
        centre = data.x[members].sum(0)
        stays[members] = data.x[members] @ centre >= min_cosine * np.linalg.norm(centre)
    return stays


def _dbscan(data: Data, eps: float) -> Mask:
    """Keep the largest cluster of each identity; all photos of an identity without clusters. eps: a cosine distance."""
    from sklearn.cluster import DBSCAN  # a second to load, and only this method needs it

    stays = np.ones(len(data.identity), bool)
    for members in _identities(data.identity):
        cluster = DBSCAN(eps=eps, min_samples=2, metric="cosine").fit_predict(data.x[members])
        if (cluster >= 0).any():
            stays[members] = cluster == np.bincount(cluster[cluster >= 0]).argmax()
    return stays


def _cleanlab(data: Data, scale: float) -> Mask:
    """Keep the photos that confident learning does not flag.

    A photo's probabilities are a softmax, of this scale, of its cosines to the identities' centres. The centre of its
    own identity is the mean of the other photos, as if a model had been trained without this one.
    """
    try:
        from cleanlab.experimental.label_issues_batched import LabelInspector
    except ImportError:
        raise UserError("cleanlab is not installed: pip install 'face-refinery[peers]', or --only others") from None
    sums = np.zeros((data.identity.max() + 1, data.x.shape[1]), np.float32)
    for members in _identities(data.identity):
        sums[data.identity[members.start]] = data.x[members].sum(0)
    centres = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)

    def probabilities(at: slice) -> NDArray[np.float32]:
        x, identity = data.x[at], data.identity[at]
        sum_of_others = sums[identity] - x
        own_cosine = np.einsum("nd,nd->n", x, sum_of_others)
        own_cosine /= np.maximum(np.linalg.norm(sum_of_others, axis=1), 1e-9)
        p = x @ centres.T
        p[np.arange(len(x)), identity] = own_cosine
        p -= p.max(1, keepdims=True)
        np.exp(np.float32(scale) * p, out=p)
        return np.asarray(p / p.sum(1, keepdims=True))

    inspector = LabelInspector(num_class=len(centres), verbose=False, n_jobs=1)
    batches = [slice(at, at + BATCH) for at in range(0, len(data.x), BATCH)]
    for at in batches:
        inspector.update_confident_thresholds(data.identity[at], probabilities(at))
    for at in batches:
        inspector.score_label_quality(data.identity[at], probabilities(at))
    stays = np.ones(len(data.identity), bool)
    stays[inspector.get_label_issues()] = False
    return stays


def _neighbours(data: Data, min_cosine: float) -> Mask:
    """Connect neighbours whose cosine is at least min_cosine, and keep the largest component of each identity."""
    n = len(data.identity)
    lists = LISTS * int(n**0.5) if n > EXACT else 0
    if lists:
        index = factory_index(data.x, f"IVF{lists},Flat", f"nprobe={PROBES}", train_rows=40 * lists)
        cosines, rows = index.search(data.x, NEIGHBOURS)
    else:
        cosines, rows = nearest(data.x, data.x, NEIGHBOURS)
    near = (cosines >= min_cosine) & (rows >= 0)
    one, two = np.repeat(np.arange(n), near.sum(1)), rows[near]
    component = connected_components(coo_matrix((np.ones(len(one), bool), (one, two)), shape=(n, n)))[1]
    stays = np.zeros(n, bool)
    for members in _identities(data.identity):
        values, counts = np.unique(component[members], return_counts=True)
        stays[members] = component[members] == values[counts.argmax()]
    return stays


# each method, and the settings from which one is chosen
SETTINGS: dict[str, tuple[Callable[[Data, float], Mask], tuple[float, ...]]] = {
    "centre": (_centre, (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)),  # least cosine
    "dbscan": (_dbscan, (0.3, 0.4, 0.5, 0.6, 0.7)),  # eps, a cosine distance
    "cleanlab": (_cleanlab, (32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)),  # scale of the softmax
    "neighbours": (_neighbours, (0.3, 0.4, 0.5, 0.6, 0.7)),  # least cosine
}
