"""How a process that makes shards treats Ctrl-C and free memory, and which GPU it uses.

Ctrl-C: ignored by workers, because the leading process ends them. Memory: by default a process returns free memory to
the system at once, which makes each larger array a system call with page faults: a third of the time of stages with
many small arrays, a quarter of that of preparing large photos. Memory that one thread has freed is also out of the
others' reach. If a process never returned it, the memory of all stages would add up. So a process keeps free memory,
for all its threads, while it makes shards of one table, and returns it before the next table. GPUs: the worker
processes of a command are spread over those of the machine, each of them uses one.
"""

import ctypes
import logging
import os
import re
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

# two sizes in bytes, and the number of separate heaps; glibc reads them as a process starts
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": 1 << 25, "MALLOC_TRIM_THRESHOLD_": 1 << 28, "MALLOC_ARENA_MAX": 1}
# the numbers by which glibc's function mallopt knows them (malloc.h)
MALLOPT = {"MALLOC_MMAP_THRESHOLD_": -3, "MALLOC_TRIM_THRESHOLD_": -1, "MALLOC_ARENA_MAX": -8}
VISIBLE_GPUS = "CUDA_VISIBLE_DEVICES"  # CUDA's libraries read it when they are first used: numbers or names of GPUs
DEVICE = "REFINERY_DEVICE"  # the device that was asked for, such as cuda:1; see faces.accelerator.devices
GPU_FILE = re.compile(r"nvidia(\d+)")  # in /dev, of NVIDIA's driver
_current_table = ""
_releases: list[Callable[[], object]] = []


def dask_setup(worker: Any) -> None:
    """Dask calls this function, by this name, in each worker process as it starts (see distributed.worker.preload).

    worker: Dask's, whose name is its number among those of the command.
    """
    ignore_ctrl_c()
    files = os.listdir("/dev") if os.path.isdir("/dev") else []  # noqa: PTH208, PTH112  names alone
    gpu = gpu_of_worker(getattr(worker, "name", None), os.environ, files)
    if gpu is not None:
        os.environ[VISIBLE_GPUS] = gpu
    # a worker outlives a leading process that a second Ctrl-C ended, for a moment: its heartbeat then finds nobody
    for handler in logging.getLogger("distributed").handlers:
        handler.addFilter(is_no_lost_connection)


def gpu_of_worker(number: object, environment: Mapping[str, str], files: Sequence[str]) -> str | None:
    """The GPU that this worker of a command uses, for VISIBLE_GPUS: the workers take the visible ones in turn.

    files: the names in /dev. None: there is no GPU, the worker has no number, or a GPU was chosen by its number.
    """
    if ":" in environment.get(DEVICE, ""):
        return None
    visible = environment.get(VISIBLE_GPUS)
    if visible is None:
        # a container may hold nvidia3 alone: CUDA counts what it sees from 0
        gpus = [str(gpu) for gpu in range(sum(bool(GPU_FILE.fullmatch(file)) for file in files))]
    else:
        gpus = [gpu.strip() for gpu in visible.split(",") if gpu.strip()]
    return gpus[number % len(gpus)] if gpus and isinstance(number, int) else None


def is_no_lost_connection(record: logging.LogRecord) -> bool:
    """False of a record that Dask logs with a lost connection's traceback (CommClosedError and the like)."""
    return not (record.exc_info and isinstance(record.exc_info[1], OSError))


def ignore_ctrl_c() -> None:
    """Ignore Ctrl-C from now on; does nothing outside the main thread, which alone can set signal handlers.

    A terminal sends Ctrl-C to every process of a command; the leading process stops and ends its workers.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def on_table_change(release: Callable[[], object]) -> None:
    """Call release() before the first shard of each further table: it frees what only the table before needed."""
    _releases.append(release)


@cache
def keep_free_memory() -> None:
    """Treat free memory in this process as in a worker process, but for what the environment says otherwise.

    Threads that have begun already keep their heaps. Does nothing with another C library than glibc.
    """
    mallopt = _glibc("mallopt")
    for name, value in ENVIRONMENT.items():
        if mallopt and name not in os.environ:
            mallopt(MALLOPT[name], value)


def begin_table(table: str) -> None:
    """To be called before each shard: frees the memory that shards of another table left in this process."""
    global _current_table
    if _current_table not in ("", table):
        for release in _releases:
            release()
        import pyarrow as pa  # here, for `--help` reads names of this file and shall not wait for it

        pa.default_memory_pool().release_unused()
        if trim := _glibc("malloc_trim"):
            trim(0)  # returns all free pages to the system
    _current_table = table


@cache
def _glibc(function: str) -> Any:
    """A function of glibc; None with another C library."""
    try:
        return getattr(ctypes.CDLL(None), function)
    except (AttributeError, OSError, TypeError):
        return None
