"""Computes the memory of a search among all persons before it begins, and the share of its blocks.

Every process of a search holds the whole gallery; every thread works on blocks of rows. The size of the gallery is
fixed, so the blocks are made small enough for both to fit. No result depends on the size of the blocks.
"""

import logging
import os
from typing import NamedTuple

from pipeline.noise.search.neighbours import MIN_CODED_ROWS, block_rows, row_bytes
from pipeline.tables.build import Workers

log = logging.getLogger("refinery")
# How many times the size of the gallery's vectors (float32) a process needs while it reads a gallery of persons or of
# test photos: for the table, the rows that are compared, their vectors, these without the impostors' mean, and their
# squares; measured on 20,000 persons and 138,000 test photos of 512 numbers
PERSON_COPIES, TEST_COPIES = 5, 4
LOGGED_PAIRS = 10**9  # a search with at least this number of pairs logs the memory it needs
GB = 1e9


class SearchSize(NamedTuple):
    """The size of a search."""

    stage: str  # which runs the search
    queries: int
    persons: int  # in the gallery
    tests: int  # test photos in the gallery
    dims: tuple[int, ...]  # each embedder's vector length

    def gallery_bytes(self) -> int:
        """The memory of the galleries in each process."""
        return (PERSON_COPIES * self.persons + TEST_COPIES * self.tests) * 4 * sum(self.dims)


def block_memory(search: SearchSize, k: int, *, memory_bytes: int | None, workers: Workers) -> int | None:
    """How many bytes the blocks of a search may take in each thread; None: no limit.

    k: neighbours of each query; memory_bytes: the limit for all processes of this machine, or for each worker of a
    cluster. Logs how much a large search needs, and warns when even the smallest blocks need more than the limit.
    """
    processes, threads = (workers, 1) if isinstance(workers, int) else (1, 1 if workers else os.cpu_count() or 1)
    gallery = search.gallery_bytes()
    limit = None if memory_bytes is None else max(1, (memory_bytes // processes - gallery) // threads)
    coded = max(search.persons, search.tests) >= MIN_CODED_ROWS
    rows = min(block_rows(d, k, d // 4 if coded else 0, limit) for d in search.dims)
    block = rows * max(row_bytes(d, k, d // 4 if coded else 0) for d in search.dims)
    needed = processes * (gallery + threads * block)
    if search.queries * (search.persons + search.tests) >= LOGGED_PAIRS:
        log.info(
            "%s: at most %d x %d of %s, %s: %.2f GB (%d x %.2f held, %d x %.2f for blocks of %d rows)",
            search.stage,
            search.queries,
            search.persons + search.tests,
            " and ".join(map(str, search.dims)),
            "by codes" if coded else "exact",
            needed / GB,
            processes,
            gallery / GB,
            processes * threads,
            block / GB,
            rows,
        )
    if memory_bytes is not None and needed > memory_bytes:
        allowed = f"needs {needed / GB:.2f} GB, and --memory allows {memory_bytes / GB:.2f}"
        log.warning("%s: %s: fewer --workers need less", search.stage, allowed)
    return limit
