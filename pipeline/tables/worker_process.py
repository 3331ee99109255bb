"""What worker processes do with memory that they are done with: kept within a table, given back between tables.

Dask has them give back every 64 kB at once, which also makes every larger array a system call and its first touch page
faults: a third of the time of stages of many small arrays. Kept for good it would be the sum of what all stages leave.
"""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import pyarrow as pa

ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": 1 << 25, "MALLOC_TRIM_THRESHOLD_": 1 << 28}  # bytes; read as a process starts
_last = ""
_forget: list[Callable[[], object]] = []


def between_tables(forget: Callable[[], object]) -> None:
    """Have something called whenever this process turns to another table, to let go of what one table alone needs."""
    _forget.append(forget)


def turn_to(table: str) -> None:
    """Give back what the shards of another table left, when this process begins with shards of this one."""
    global _last
    if _last not in ("", table):
        for forget in _forget:
            forget()
        pa.default_memory_pool().release_unused()
        if trim := _malloc_trim():
            trim(0)
    _last = table


@cache
def _malloc_trim() -> Any:
    """glibc's function that gives back all free pages, not only those at the heap's end; None where there is none."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
