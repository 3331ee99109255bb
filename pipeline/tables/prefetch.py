"""Work done ahead on other threads, while the one that asked goes on with what came before.

It pays where what is done lets go of the interpreter's lock, as OpenCV, onnxruntime and pyarrow do.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

IDLE = min(4, os.cpu_count() or 1)  # threads for a table of one shard, while whose making nothing else is made
AHEAD = 4  # items for each thread: enough that it never waits, and little memory
Item = TypeVar("Item")
Done = TypeVar("Done")


def ahead(
    work: Callable[[Item], Done], items: Iterable[Item], *, threads: int = 1, each: int = AHEAD
) -> Iterator[Done]:
    """work(item) of each item, in their order, begun on other threads before it is asked for.

    Items are taken from the iterable on the thread that asks, `each` for every thread more than have been asked for.
    What work raises is raised here, when its turn comes; nothing is left running after that, nor when nobody asks any
    more.
    """
    with ThreadPoolExecutor(threads) as pool:
        begun: deque[Future[Done]] = deque()
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) > each * threads:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()
