"""Items computed a little ahead on other threads, while the caller works on the one before.

It pays where the work releases the interpreter's lock, as OpenCV, onnxruntime and pyarrow do.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

READ_THREADS = min(4, os.cpu_count() or 1)  # for a table of one shard: no other shard needs the cores meanwhile
PER_THREAD = 4  # items begun for each thread: enough that it never waits, and little memory
Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int = 1, per_thread: int = PER_THREAD
) -> Iterator[Result]:
    """work(item) of each item, in order, begun on other threads before the caller asks for it.

    Items are taken from the iterable on the caller's thread, per_thread * threads of them ahead. What work raises is
    raised here when its item comes up; after that, or when the caller stops iterating, nothing is left running.
    """
    with ThreadPoolExecutor(threads) as pool:
        begun: deque[Future[Result]] = deque()
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) > per_thread * threads:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()
