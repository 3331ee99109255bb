"""Makes shards on threads of this process: the default, which opens no port.

Threads run in parallel because models, pyarrow and numpy release the interpreter's lock while they work.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

from threadpoolctl import ThreadpoolController

from pipeline.tables import worker_process
from pipeline.tables.shard_job import ShardJob, make_shard
from pipeline.tables.table import Shard

_threads: ContextVar[int] = ContextVar("threads", default=0)  # 0: as many as there are cores


@contextmanager
def shard_threads(threads: int) -> Iterator[None]:
    """While this block runs, its builds without workers make so many shards at a time."""
    token = _threads.set(threads)
    try:
        yield
    finally:
        _threads.reset(token)


def run_on_threads(jobs: Sequence[ShardJob], on_shard: Callable[[Shard], None]) -> None:
    """Make all shards, as many at a time as there are cores (or shard_threads() says); on_shard is called with each.

    When a shard fails, no further one is started; those in progress are finished, then the error is raised.
    """
    worker_process.keep_free_memory()
    # BLAS computes on one thread, as in a worker process: with several threads it adds in another order, and the bytes
    # of a table would depend on the number of cores. The shards occupy all cores already.
    blas = _loaded_libraries(len(sys.modules)).limit(limits=1, user_api="blas")
    with blas, ThreadPoolExecutor(_threads.get() or os.cpu_count() or 1) as pool:
        futures = [pool.submit(make_shard, job) for job in jobs]
        try:
            for future in as_completed(futures):
                result = future.result()
                if isinstance(result, Exception):
                    raise result
                on_shard(result)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@lru_cache(1)
def _loaded_libraries(_modules: int) -> ThreadpoolController:
    """The libraries of this process that compute on threads; _modules: how many modules are loaded.

    To look through all libraries takes milliseconds, for each table, so they are looked for again only where
    a module was loaded since, which alone may have brought one.
    """
    return ThreadpoolController()
