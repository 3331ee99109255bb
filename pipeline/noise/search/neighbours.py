"""Nearest neighbours, answered by faiss and only here; on the GPU when faiss sees one.

Cosines are inner products of unit rows. A search runs in blocks, so its memory is bounded by their size and not by the
number of faces. What faiss returns are candidates: callers that store a score compute it again in double precision, so
that neither threads nor a GPU can change a byte of a table.

A small gallery is searched exactly. One of MIN_CODED_ROWS rows or more is searched by codes first (faiss's fast scan of
4 bits, Andre and others 2015), and the rows nearest by code are compared in full. The gallery alone decides which, and
codes stay on the processor: the same question always has the same answer.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from pipeline.noise.search.pq_codes import code_layout

BLOCK_ROWS = 65536  # of an exact search at a time: 128 MB of 512 float32
CODED_BLOCK_ROWS = 8192  # of a search by codes, which need tables for each query: 80 MB
MIN_BLOCK_ROWS = 256  # at a time, however little memory there is
MIN_CODED_ROWS = 5_000  # of a gallery from which on codes pay: half as fast again, twice from 10,000 on
SHORTLIST = 64  # rows that are compared in full for each query; on 100,000 rows half as many lose three times as much
Floats = NDArray[np.float32]
Indices = NDArray[np.signedinteger[Any]]


class Codes(NamedTuple):
    """A gallery in codes of pairs of numbers; axes [d, 2 pairs]: what a query is multiplied by to be compared."""

    axes: Floats
    pairs: int
    faiss_index: Any


@dataclass(frozen=True, eq=False)
class Index:
    """A gallery of unit rows x [m, d] to be searched many times, with codes where it is large: see build_index()."""

    x: Floats
    codes: Codes | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: NDArray[Any]) -> "Index":
        """The gallery of some of the rows."""
        return build_index(self.x[rows])


def build_index(x: NDArray[Any]) -> Index:
    """A gallery of unit rows x [m, d], with codes if it has MIN_CODED_ROWS rows and varies so that codes are a gain."""
    x = np.ascontiguousarray(x, np.float32)
    layout = code_layout(x) if len(x) >= MIN_CODED_ROWS else None
    if layout is None:
        return Index(x)
    pairs = len(layout.points)
    index = faiss.IndexPQFastScan(2 * pairs, pairs, 4, faiss.METRIC_INNER_PRODUCT)
    faiss.copy_array_to_vector(layout.points.astype(np.float32).ravel(), index.pq.centroids)
    index.is_trained = True
    # in double precision: with another number of threads no number falls to another code
    for start in range(0, len(x), CODED_BLOCK_ROWS):
        block = x[start : start + CODED_BLOCK_ROWS].astype(np.float64)
        index.add(np.asarray(block @ layout.axes, np.float32))
    return Index(x, Codes(layout.axes.astype(np.float32), pairs, index))


def nearest(
    queries: NDArray[Any], gallery: NDArray[Any] | Index, k: int, *, memory_bytes: int | None = None
) -> tuple[Floats, Indices]:
    """Cosines [n, k] and rows [n, k] of the k gallery rows nearest to each query, best first.

    queries [n, d], gallery [m, d], unit rows of any float type; -1 and -inf fill up where the gallery has fewer than
    k rows. Of equal cosines the lowest row comes first. With an Index that has codes some rows are missed.
    memory_bytes: what the blocks of the search may take, beside queries, gallery and results.
    """
    x, codes = (gallery.x, gallery.codes) if isinstance(gallery, Index) else (gallery, None)
    cosines = np.full((len(queries), k), -np.inf, np.float32)
    rows = np.full((len(queries), k), -1, np.int64)
    step = block_rows(x.shape[1], k, codes.pairs if codes else 0, memory_bytes)
    for start in range(0, len(queries), step):
        query, block = _float_rows(queries, start, step), slice(start, start + step)
        if codes:
            _keep_best(cosines[block], rows[block], *_search_codes(query, x, codes, k))
            continue
        for first in range(0, len(x), step):
            new_cosines, new_rows = _search_exactly(query, _float_rows(x, first, step), k)
            _keep_best(cosines[block], rows[block], new_cosines, new_rows + first)
    return cosines, rows


def block_rows(dim: int, k: int, pairs: int, memory_bytes: int | None) -> int:
    """How many rows a search takes at a time; pairs: of the codes that are searched, 0: none."""
    limit = CODED_BLOCK_ROWS if pairs else BLOCK_ROWS
    return limit if memory_bytes is None else min(limit, max(MIN_BLOCK_ROWS, memory_bytes // row_bytes(dim, k, pairs)))


def row_bytes(dim: int, k: int, pairs: int) -> int:
    """Bytes that each row of a block takes.

    By codes: the query, its tables, and what is compared in full; exactly: a row of each side, and what is merged.
    """
    return 4 * dim + 88 * pairs + 64 * max(k, SHORTLIST) if pairs else 8 * dim + 64 * k


def _keep_best(cosines: Floats, rows: Indices, new_cosines: Floats, new_rows: Indices) -> None:
    """Write the best of old and new into the first two [n, k]."""
    both = np.concatenate([cosines, new_cosines], axis=1)
    names = np.concatenate([rows, new_rows], axis=1)
    order = np.lexsort((names, -both), axis=1)[:, : cosines.shape[1]]
    cosines[:], rows[:] = np.take_along_axis(both, order, 1), np.take_along_axis(names, order, 1)


def factory_index(gallery: Floats, kind: str, setting: str = "", *, train_rows: int = 50_000) -> Any:
    """One of faiss's other indexes over rows [m, d], to be measured: search(queries, k) gives cosines and rows.

    kind: as faiss's index_factory has it, such as IVF1024,Flat; setting: of its search, such as nprobe=64; train_rows:
    from which its lists are trained.
    """
    index = faiss.index_factory(gallery.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
    index.train(gallery[:: max(1, len(gallery) // train_rows)])
    index.add(gallery)
    if setting:
        faiss.ParameterSpace().set_index_parameters(index, setting)
    return index


def _float_rows(x: NDArray[Any], start: int, step: int) -> Floats:
    return np.ascontiguousarray(x[start : start + step], np.float32)


def _search_codes(query: Floats, x: Floats, codes: Codes, k: int) -> tuple[Floats, Indices]:
    """Exact cosines [n, s] to the rows [n, s] of x that are nearest by code, in no order."""
    _, rows = codes.faiss_index.search(query @ codes.axes, min(len(x), max(SHORTLIST, 4 * k)))
    cosines = np.empty(rows.shape, np.float32)
    pointers = map(faiss.swig_ptr, (cosines, query, x, rows))
    faiss.fvec_inner_products_by_idx(*pointers, query.shape[1], *rows.shape)
    return cosines, rows


def gpu_count() -> int:
    """How many GPUs faiss sees; 0 for a faiss that is built for processors alone."""
    return int(faiss.get_num_gpus())


def _search_exactly(query: Floats, gallery: Floats, k: int) -> tuple[Floats, Indices]:
    k = min(k, len(gallery))
    if gpu_count() > 0:
        resources = faiss.StandardGpuResources()
        return faiss.knn_gpu(resources, query, gallery, k, metric=faiss.METRIC_INNER_PRODUCT)  # type: ignore[no-any-return]
    return faiss.knn(query, gallery, k, metric=faiss.METRIC_INNER_PRODUCT)  # type: ignore[no-any-return]
