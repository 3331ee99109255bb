"""How much memory a search among all persons takes, computed before it begins, and how much its blocks may have.

A search holds its gallery in every process and works on blocks of rows in every thread. The gallery is what it is; the
blocks shrink until both fit. No result depends on the size of the blocks.
"""

import logging
import os
from typing import NamedTuple

from pipeline.noise.search.neighbours import MIN_CODED_ROWS, block_rows, row_bytes
from pipeline.tables.build import Workers

log = logging.getLogger("refinery")
# How many times the float32 of a gallery a process takes while it reads it: what was read, what of it counts, the
# centres, these without the impostors' mean, and their squares; measured on 20,000 persons and 138,000 test photos of
# 512 numbers
PERSONS, TESTS = 5, 4
LARGE = 10**9  # pairs from which a search is announced
GB = 1e9


class SearchSize(NamedTuple):
    """The size of a search: queries, persons and test photos to look among, and each embedder's vector length."""

    stage: str
    queries: int
    persons: int
    tests: int
    dims: tuple[int, ...]

    def gallery_bytes(self) -> int:
        """What the galleries take in every process."""
        return (PERSONS * self.persons + TESTS * self.tests) * 4 * sum(self.dims)


def block_memory(search: SearchSize, k: int, *, memory_bytes: int | None, workers: Workers) -> int | None:
    """Bytes that the blocks of a search may take in each thread; None: no limit. Logs the need of a large search.

    k: neighbours looked for; memory_bytes: of all processes of this machine, or of each worker of a cluster.
    """
    processes, threads = (workers, 1) if isinstance(workers, int) else (1, 1 if workers else os.cpu_count() or 1)
    gallery = search.gallery_bytes()
    limit = None if memory_bytes is None else max(1, (memory_bytes // processes - gallery) // threads)
    coded = max(search.persons, search.tests) >= MIN_CODED_ROWS
    rows = min(block_rows(d, k, d // 4 if coded else 0, limit) for d in search.dims)
    block = rows * max(row_bytes(d, k, d // 4 if coded else 0) for d in search.dims)
    needed = processes * (gallery + threads * block)
    if search.queries * (search.persons + search.tests) >= LARGE:
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
