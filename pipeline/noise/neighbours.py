"""Every neighbour question, answered by faiss and only here; on the GPU when faiss sees one.

Cosines are inner products of unit rows. A search runs in blocks, so its memory is bounded by BLOCK and not by the
number of faces. What faiss returns are candidates: callers that store a number compute it again in double precision,
so that neither threads nor a GPU can change a byte of a table.
"""

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

BLOCK = 65536  # rows of a search at a time: 128 MB of 512 float32
Floats = NDArray[np.float32]
Indices = NDArray[np.signedinteger[Any]]


def nearest(queries: NDArray[Any], gallery: NDArray[Any], k: int) -> tuple[Floats, Indices]:
    """Cosines [n, k] and rows [n, k] of the k gallery rows nearest to each query, best first.

    queries [n, d], gallery [m, d], unit rows of any float type; -1 and -inf fill up where the gallery has fewer than
    k rows. Equal cosines come lowest row first.
    """
    cosines = np.full((len(queries), k), -np.inf, np.float32)
    rows = np.full((len(queries), k), -1, np.int64)
    for at in range(0, len(queries), BLOCK):
        query = _rows(queries, at)
        best, where = cosines[at : at + BLOCK], rows[at : at + BLOCK]
        for start in range(0, len(gallery), BLOCK):
            block = _rows(gallery, start)
            found, index = _knn(query, block, min(k, len(block)))
            both = np.concatenate([best, found], axis=1)
            names = np.concatenate([where, index + start], axis=1)
            order = np.lexsort((names, -both), axis=1)[:, :k]
            best[:], where[:] = np.take_along_axis(both, order, 1), np.take_along_axis(names, order, 1)
    return cosines, rows


def by_lists(x: Floats, k: int, lists: int, probes: int) -> tuple[Floats, Indices]:
    """Cosines [n, k] and rows [n, k] of about the k nearest rows of x [n, d] to each, by an inverted file.

    lists: of the file; probes: how many are looked into for each row. What lies in other lists is missed.
    """
    index = faiss.index_factory(x.shape[1], f"IVF{lists},Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(x[:: max(1, len(x) // (40 * lists))])
    index.nprobe = probes
    index.add(x)
    return index.search(x, k)  # type: ignore[no-any-return]


def connected(n: int, i: NDArray[Any], j: NDArray[Any]) -> Indices:
    """The component [n] of each of n nodes under the edges (i, j), named by its lowest node.

    Labels run down the edges and are halved like pointers (Shiloach and Vishkin 1982): no loop over edges in Python.
    """
    label: Indices = np.arange(n, dtype=np.int64)
    while len(i):
        low = np.minimum(label[i], label[j])
        new = label.copy()
        np.minimum.at(new, label[i], low)
        np.minimum.at(new, label[j], low)
        while not np.array_equal(new, new[new]):
            new = new[new]
        if np.array_equal(new, label):
            break
        label = new
    return label


def _rows(x: NDArray[Any], start: int) -> Floats:
    return np.ascontiguousarray(x[start : start + BLOCK], np.float32)


def _knn(query: Floats, gallery: Floats, k: int) -> tuple[Floats, Indices]:
    if faiss.get_num_gpus() > 0:
        return faiss.knn_gpu(_gpu(), query, gallery, k, metric=faiss.METRIC_INNER_PRODUCT)  # type: ignore[no-any-return]
    return faiss.knn(query, gallery, k, metric=faiss.METRIC_INNER_PRODUCT)  # type: ignore[no-any-return]


def _gpu() -> Any:
    return faiss.StandardGpuResources()
