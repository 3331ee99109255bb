"""Nearest-neighbour search with faiss, which no other file uses; on the GPU when faiss sees one.

Cosines are inner products of unit rows. A search runs in blocks, whose size bounds its memory. The rows that faiss
returns are candidates: callers that store a score compute it again in double precision, so that neither threads nor a
GPU can change a byte of a table.

A small gallery is searched exactly. A gallery of MIN_CODED_ROWS rows or more is searched by short codes first (faiss's
4-bit fast scan, Andre and others 2015), and the rows with the nearest codes are compared in full. Which search is used
depends on the gallery alone, and codes are never searched on a GPU, so the same query always gets the same result.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from pipeline.faces.accelerator.devices import chosen_name
from pipeline.noise.search.pq_codes import code_layout

BLOCK_ROWS = 65536  # at a time in an exact search: 128 MB of 512 float32
CODED_BLOCK_ROWS = 8192  # at a time in a search by codes: 80 MB for the tables that each query needs
MIN_BLOCK_ROWS = 256  # at a time, even with too little memory
# of a gallery for codes, which are 1.5 times as fast as an exact search then, and twice as fast from 10,000 rows on
MIN_CODED_ROWS = 5_000
# rows compared in full for each query; with 32 of them three times as many neighbours are missed among 100,000 rows
SHORTLIST = 64
Floats = NDArray[np.float32]
Indices = NDArray[np.signedinteger[Any]]


class Codes(NamedTuple):
    """The codes of a gallery's rows: see pq_codes.Layout."""

    axes: Floats  # [d, 2 * pairs]: a query is multiplied by them before the search
    pairs: int  # of numbers in a code
    faiss_index: Any


@dataclass(frozen=True, eq=False)
class Index:
    """A gallery of unit rows x [m, d], prepared for many searches by build_index(); a large one has codes."""

    x: Floats
    codes: Codes | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: NDArray[Any]) -> "Index":
        """The gallery that consists of these rows."""
        return build_index(self.x[rows])


def build_index(x: NDArray[Any]) -> Index:
    """Prepare a gallery of unit rows x [m, d]; with codes if it is large and codes save time (see code_layout)."""
    x = np.ascontiguousarray(x, np.float32)
    layout = code_layout(x) if len(x) >= MIN_CODED_ROWS else None
    if layout is None:
        return Index(x)
    pairs = len(layout.points)
    index = faiss.IndexPQFastScan(2 * pairs, pairs, 4, faiss.METRIC_INNER_PRODUCT)
    faiss.copy_array_to_vector(layout.points.astype(np.float32).ravel(), index.pq.centroids)
    index.is_trained = True
    # in double precision, so that rounding, which depends on the number of threads, does not change a code
    for start in range(0, len(x), CODED_BLOCK_ROWS):
        block = x[start : start + CODED_BLOCK_ROWS].astype(np.float64)
        index.add(np.asarray(block @ layout.axes, np.float32))
    return Index(x, Codes(layout.axes.astype(np.float32), pairs, index))


def nearest(
    queries: NDArray[Any], gallery: NDArray[Any] | Index, k: int, *, memory_bytes: int | None = None
) -> tuple[Floats, Indices]:
    """Cosines [n, k] and rows [n, k] of the k gallery rows nearest to each query, best first.

    queries [n, d] and gallery [m, d]: unit rows of any float type. Of equal cosines the lowest row comes first.
    Where the gallery has fewer than k rows, the result is padded with row -1 and cosine -inf. An Index with codes is
    searched approximately: some nearest rows are missed. memory_bytes: how much the blocks of the search may take, in
    addition to queries, gallery and results.
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
    """How many rows a search compares at a time. dim: length of a row; pairs: of numbers in a code, 0: exact search."""
    limit = CODED_BLOCK_ROWS if pairs else BLOCK_ROWS
    return limit if memory_bytes is None else min(limit, max(MIN_BLOCK_ROWS, memory_bytes // row_bytes(dim, k, pairs)))


def row_bytes(dim: int, k: int, pairs: int) -> int:
    """Bytes of memory for each row of a block; see block_rows() for the parameters."""
    # by codes: a query, its tables, and the rows compared in full; exact: a query, a gallery row, and the best so far
    return 4 * dim + 88 * pairs + 64 * max(k, SHORTLIST) if pairs else 8 * dim + 64 * k


def _keep_best(cosines: Floats, rows: Indices, new_cosines: Floats, new_rows: Indices) -> None:
    """Write into cosines and rows [n, k] the k best of these and of new_cosines and new_rows, for each query."""
    both_cosines = np.concatenate([cosines, new_cosines], axis=1)
    both_rows = np.concatenate([rows, new_rows], axis=1)
    order = np.lexsort((both_rows, -both_cosines), axis=1)[:, : cosines.shape[1]]
    cosines[:], rows[:] = np.take_along_axis(both_cosines, order, 1), np.take_along_axis(both_rows, order, 1)


def factory_index(gallery: Floats, kind: str, setting: str = "", *, train_rows: int = 50_000) -> Any:
    """Another kind of faiss index over rows [m, d], for benchmarks: its search(queries, k) gives cosines and rows.

    kind: in the syntax of faiss's index_factory, such as IVF1024,Flat; setting: of the search, such as nprobe=64;
    train_rows: how many rows the index is trained on, about.
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
    """The rows [n, s] of x whose codes are nearest to each query, and their exact cosines [n, s]; not sorted."""
    _, rows = codes.faiss_index.search(query @ codes.axes, min(len(x), max(SHORTLIST, 4 * k)))
    cosines = np.empty(rows.shape, np.float32)
    pointers = map(faiss.swig_ptr, (cosines, query, x, rows))
    faiss.fvec_inner_products_by_idx(*pointers, query.shape[1], *rows.shape)
    return cosines, rows


def gpu_count() -> int:
    """How many GPUs faiss may use; 0 for a faiss that is built without GPU support, and where cpu was asked for."""
    return 0 if chosen_name() == "cpu" else int(faiss.get_num_gpus())


def _search_exactly(query: Floats, gallery: Floats, k: int) -> tuple[Floats, Indices]:
    k = min(k, len(gallery))
    if gpu_count() > 0:
        resources = faiss.StandardGpuResources()
        return faiss.knn_gpu(resources, query, gallery, k, metric=faiss.METRIC_INNER_PRODUCT)  # type: ignore[no-any-return]
    return faiss.knn(query, gallery, k, metric=faiss.METRIC_INNER_PRODUCT)  # type: ignore[no-any-return]
