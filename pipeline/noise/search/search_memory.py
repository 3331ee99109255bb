"""What a global search will take, told before it begins, and how much of the memory its blocks may have.

A search holds its gallery in every process and works on blocks of rows in every thread. The gallery is what it is; the
blocks shrink until both fit. No byte of what is found depends on them.
"""

import logging
import os
from typing import NamedTuple

from pipeline.noise.search.neighbours import MANY, block_bytes, block_rows
from pipeline.tables.build import Workers

log = logging.getLogger("refinery")
# How many times the float32 of a gallery a process takes while it reads it: what was read, what of it counts, the
# centres, these about strangers, and their squares; measured on 20,000 persons and 138,000 test photos of 512 numbers
PERSONS, TESTS = 5, 4
BIG = 10**9  # pairs from which a search is told of
GB = 1e9


class Search(NamedTuple):
    """A search to come: rows asked for, of the persons and of the test sets to look in, and each embedder's length."""

    stage: str
    queries: int
    persons: int
    tests: int
    dims: tuple[int, ...]

    def held_bytes(self) -> int:
        """What the galleries take in every process."""
        return (PERSONS * self.persons + TESTS * self.tests) * 4 * sum(self.dims)


def blocks_bytes(search: Search, k: int, *, memory_bytes: int | None, workers: Workers) -> int | None:
    """What the blocks of one search may take; None: what they like. Tells of the search if it is big.

    k: neighbours looked for; memory_bytes: of all processes of this machine, or of each worker of a cluster.
    """
    processes, threads = (workers, 1) if isinstance(workers, int) else (1, 1 if workers else os.cpu_count() or 1)
    held = search.held_bytes()
    each = None if memory_bytes is None else max(1, (memory_bytes // processes - held) // threads)
    largest = max(search.persons, search.tests)
    coded = largest >= MANY
    rows = min(block_rows(d, k, d // 4 if coded else 0, each) for d in search.dims)
    block = rows * max(block_bytes(d, k, d // 4 if coded else 0) for d in search.dims)
    needed = processes * (held + threads * block)
    if search.queries * (search.persons + search.tests) >= BIG:
        log.info(
            "%s: at most %d x %d of %s, %s: %.2f GB (%d x %.2f held, %d x %.2f for blocks of %d rows)",
            search.stage,
            search.queries,
            search.persons + search.tests,
            " and ".join(map(str, search.dims)),
            "by codes" if coded else "exact",
            needed / GB,
            processes,
            held / GB,
            processes * threads,
            block / GB,
            rows,
        )
    if memory_bytes is not None and needed > memory_bytes:
        log.warning(
            "%s: needs %.2f GB, and --memory allows %.2f: fewer --workers need less",
            search.stage,
            needed / GB,
            memory_bytes / GB,
        )
    return each
