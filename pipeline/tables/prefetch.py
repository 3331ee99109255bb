"""Computes the next few items on other threads while the caller works on the current one.

This saves time only where the computation releases the interpreter's lock, as OpenCV, onnxruntime and pyarrow do.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

READ_THREADS = min(4, os.cpu_count() or 1)  # for stages of a single shard, where no other shard needs the cores
PER_THREAD = 4  # items ahead for each thread: enough that threads never wait, and few enough for the memory
Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    threads: int = 1,
    per_thread: int = PER_THREAD,
    chunk: int = 1,
) -> Iterator[Result]:
    """Yields work(item) for each item, in order; up to per_thread * threads items ahead are computed on other threads.

    The iterable itself is read on the caller's thread. An error in work(item) is raised here when the result of that
    item is due. After an error, or when the caller stops iterating, no work is left running. chunk: so many items are
    given to a thread at once, and up to chunk times as many are computed ahead; an error is due with the first of them.
    For items of less than a millisecond, which threads would otherwise take longer to hand over than to compute.
    """
    if chunk > 1:
        remaining = iter(items)
        chunks = iter(lambda: list(islice(remaining, chunk)), [])
        for results in prefetch(lambda c: [work(i) for i in c], chunks, threads=threads, per_thread=per_thread):
            yield from results
        return
    with ThreadPoolExecutor(threads) as pool:
        futures: deque[Future[Result]] = deque()
        try:
            for item in items:
                futures.append(pool.submit(work, item))
                if len(futures) > per_thread * threads:
                    yield futures.popleft().result()
            while futures:
                yield futures.popleft().result()
        finally:
            for future in futures:
                future.cancel()
