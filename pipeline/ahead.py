"""Work done ahead on another thread: photos are read and decoded while the thread that asked runs the model.

Both libraries, OpenCV and onnxruntime, let go of the interpreter's lock while they work.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from pipeline.faces import model_file

THREADS = 1 if model_file.providers()[0] == "CPUExecutionProvider" else 4  # a CPU is busy with the model as well
AHEAD = 4  # for each thread: enough that it never waits, and little memory
Item = TypeVar("Item")
Done = TypeVar("Done")


def ahead(work: Callable[[Item], Done], items: Iterable[Item]) -> Iterator[Done]:
    """work(item) of each item, in their order, begun on other threads before it is asked for.

    Items are taken from the iterable on the thread that asks, a few more than have been asked for. What work raises is
    raised here, when its turn comes; nothing is left running after that, nor when nobody asks any more.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        begun: deque[Future[Done]] = deque()
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) > AHEAD * THREADS:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()
