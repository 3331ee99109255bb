"""Every neighbour question, answered by faiss and only here; on the GPU when faiss sees one.

Cosines are inner products of unit rows. A search runs in blocks, so its memory is bounded by BLOCK and not by the
number of faces. What faiss returns are candidates: callers that store a number compute it again in double precision,
so that neither threads nor a GPU can change a byte of a table.

A small gallery is searched exactly. One of MANY rows or more is searched by codes first (faiss's fast scan of 4 bits,
Andre and others 2015), and what looks likest there is compared in full. The gallery alone says which way it goes, and
codes stay on the processor: whoever asks, with whatever, finds the same.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from pipeline.noise.search.pq_codes import layout

BLOCK = 65536  # rows of a search at a time: 128 MB of 512 float32
CODED = 8192  # the same by codes, which need tables for each query: 80 MB
LEAST = 256  # rows at a time, however little memory there is
MANY = 5_000  # rows of a gallery from which on codes pay: half as fast again, twice from 10,000 on
SHORTLIST = 64  # rows that are compared in full for each query; on 100,000 rows half as many lose three times as much
Floats = NDArray[np.float32]
Indices = NDArray[np.signedinteger[Any]]


class Codes(NamedTuple):
    """A gallery in codes of pairs of numbers; axes [d, 2 pairs]: what a query is multiplied by to be compared."""

    axes: Floats
    pairs: int
    held: Any  # by faiss


@dataclass(frozen=True, eq=False)
class Index:
    """A gallery of unit rows x [m, d] to ask again and again, with codes where it is large: indexed() makes it."""

    x: Floats
    codes: Codes | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: NDArray[Any]) -> "Index":
        """The gallery of some of the rows."""
        return indexed(self.x[rows])


def indexed(x: NDArray[Any]) -> Index:
    """A gallery of unit rows x [m, d], with codes if it has MANY rows and spreads so that codes are a gain."""
    x = np.ascontiguousarray(x, np.float32)
    found = layout(x) if len(x) >= MANY else None
    if found is None:
        return Index(x)
    pairs = len(found.points)
    held = faiss.IndexPQFastScan(2 * pairs, pairs, 4, faiss.METRIC_INNER_PRODUCT)
    faiss.copy_array_to_vector(found.points.astype(np.float32).ravel(), held.pq.centroids)
    held.is_trained = True
    for at in range(0, len(x), CODED):  # in double precision: with other threads no number falls to another code
        held.add(np.asarray(x[at : at + CODED].astype(np.float64) @ found.axes, np.float32))
    return Index(x, Codes(found.axes.astype(np.float32), pairs, held))


def nearest(
    queries: NDArray[Any], gallery: NDArray[Any] | Index, k: int, *, memory_bytes: int | None = None
) -> tuple[Floats, Indices]:
    """Cosines [n, k] and rows [n, k] of the k gallery rows nearest to each query, best first.

    queries [n, d], gallery [m, d], unit rows of any float type; -1 and -inf fill up where the gallery has fewer than
    k rows. Equal cosines come lowest row first. With an Index that has codes some rows are missed. memory_bytes: what
    the blocks of the search may take, beside queries, gallery and what is found.
    """
    x, codes = (gallery.x, gallery.codes) if isinstance(gallery, Index) else (gallery, None)
    cosines = np.full((len(queries), k), -np.inf, np.float32)
    rows = np.full((len(queries), k), -1, np.int64)
    step = block_rows(x.shape[1], k, codes.pairs if codes else 0, memory_bytes)
    for at in range(0, len(queries), step):
        query, here = _rows(queries, at, step), slice(at, at + step)
        if codes:
            _keep(cosines[here], rows[here], *_by_codes(query, x, codes, k))
            continue
        for start in range(0, len(x), step):
            found, index = _knn(query, _rows(x, start, step), k)
            _keep(cosines[here], rows[here], found, index + start)
    return cosines, rows


def block_rows(dim: int, k: int, pairs: int, memory_bytes: int | None) -> int:
    """How many rows a search takes at a time; pairs: of the codes that are searched, 0: none."""
    most = CODED if pairs else BLOCK
    return most if memory_bytes is None else min(most, max(LEAST, memory_bytes // block_bytes(dim, k, pairs)))


def block_bytes(dim: int, k: int, pairs: int) -> int:
    """What each row of a block takes: by codes the query, its tables, and what is compared in full; exactly a row of
    each side, and what is merged."""
    return 4 * dim + 88 * pairs + 64 * max(k, SHORTLIST) if pairs else 8 * dim + 64 * k


def _keep(best: Floats, where: Indices, found: Floats, index: Indices) -> None:
    """The best of both, in place of the first two [n, k]."""
    both = np.concatenate([best, found], axis=1)
    names = np.concatenate([where, index], axis=1)
    order = np.lexsort((names, -both), axis=1)[:, : best.shape[1]]
    best[:], where[:] = np.take_along_axis(both, order, 1), np.take_along_axis(names, order, 1)


def described(gallery: Floats, kind: str, setting: str = "", *, train_rows: int = 50_000) -> Any:
    """An index of faiss's own over rows [m, d], to measure beside ours: search(queries, k) gives cosines and rows.

    kind: as faiss's index_factory has it, IVF1024,Flat say; setting: of its search, nprobe=64 say; train_rows: that
    lists are made of.
    """
    index = faiss.index_factory(gallery.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
    index.train(gallery[:: max(1, len(gallery) // train_rows)])
    index.add(gallery)
    if setting:
        faiss.ParameterSpace().set_index_parameters(index, setting)
    return index


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


def _rows(x: NDArray[Any], start: int, step: int) -> Floats:
    return np.ascontiguousarray(x[start : start + step], np.float32)


def _by_codes(query: Floats, x: Floats, codes: Codes, k: int) -> tuple[Floats, Indices]:
    """Exact cosines [n, s] to the rows [n, s] of x that look likest in codes, in no order."""
    _, rows = codes.held.search(query @ codes.axes, min(len(x), max(SHORTLIST, 4 * k)))
    cosines = np.empty(rows.shape, np.float32)
    pointers = map(faiss.swig_ptr, (cosines, query, x, rows))
    faiss.fvec_inner_products_by_idx(*pointers, query.shape[1], *rows.shape)
    return cosines, rows


def _knn(query: Floats, gallery: Floats, k: int) -> tuple[Floats, Indices]:
    k = min(k, len(gallery))
    if faiss.get_num_gpus() > 0:
        return faiss.knn_gpu(_gpu(), query, gallery, k, metric=faiss.METRIC_INNER_PRODUCT)  # type: ignore[no-any-return]
    return faiss.knn(query, gallery, k, metric=faiss.METRIC_INNER_PRODUCT)  # type: ignore[no-any-return]


def _gpu() -> Any:
    return faiss.StandardGpuResources()
