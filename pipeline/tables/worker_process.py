"""What a worker process does beside its shards: it leaves Ctrl-C to the leading process, and gives memory back.

Dask's default has workers give back every 64 kB at once, which also makes every larger array a system call and its
first touch page faults: a third of the time of stages with many small arrays. Never given back, it would be the sum of
what all stages leave. So memory is kept within a table and given back between tables.
"""

import ctypes
import signal
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import pyarrow as pa

ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": 1 << 25, "MALLOC_TRIM_THRESHOLD_": 1 << 28}  # bytes; read as a process starts
_current_table = ""
_releases: list[Callable[[], object]] = []


def dask_setup(_worker: Any) -> None:
    """What Dask calls in each worker process as it starts; the name is Dask's (see distributed.worker.preload)."""
    ignore_ctrl_c()


def ignore_ctrl_c() -> None:
    """Ignore Ctrl-C from now on; only a main thread can.

    A terminal sends it to every process of the command; the leading one stops and ends its workers.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def on_table_change(release: Callable[[], object]) -> None:
    """Have `release` called whenever this process goes over to another table, to drop what one table alone needs."""
    _releases.append(release)


def begin_table(table: str) -> None:
    """To be called before each shard: gives back what the shards of another table left in this process."""
    global _current_table
    if _current_table not in ("", table):
        for release in _releases:
            release()
        pa.default_memory_pool().release_unused()
        if trim := _malloc_trim():
            trim(0)
    _current_table = table


@cache
def _malloc_trim() -> Any:
    """glibc's function that gives back all free pages, not only those at the heap's end; None where there is none."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
