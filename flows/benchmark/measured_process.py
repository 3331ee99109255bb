"""A measurement in a process of its own: nothing loaded before counts, all its children do, and it ends when we do."""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from types import TracebackType
from typing import Any, NamedTuple, Self

import psutil

LOOK_S = 0.5  # between two looks at the memory


class Measured(NamedTuple):
    """What a function gave, how long it took, and the most memory that its process and their children held."""

    result: Any
    seconds: float
    peak_gb: float


class Memory:
    """The most bytes that this process and its children hold at a time, those that they share not counted."""

    def __init__(self, begun: Callable[[], bool] = lambda: False) -> None:
        """begun: whether what happens from then on is another part of the work."""
        self.peak = self.before = 0  # in all, and until it had begun
        self._begun = begun

    def __enter__(self) -> Self:
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._watch.join()

    def _look(self) -> None:
        here, over = psutil.Process(), False
        while not over:
            self.peak = max(self.peak, sum(map(_held, [here, *here.children(recursive=True)])))
            if not self._begun():
                self.before = self.peak
            over = self._over.wait(LOOK_S)


def alone(function: Callable[..., Any], *arguments: Any) -> Measured:
    """The function's result in a fresh process, which the start of it and its imports do not count for.

    function: one that another process can import. What it raises is raised here.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        done: Measured = pool.submit(_measured, os.getpid(), function, arguments).result()
    return done


def _measured(parent: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Measured:
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    with Memory() as memory:
        start = time.monotonic()
        result = function(*arguments)
        seconds = time.monotonic() - start
    return Measured(result, seconds, memory.peak / 1e9)


def _end_with(parent: int) -> None:
    """End this process and its children when the parent is gone: nobody waits for the result."""
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(1)


def _held(process: psutil.Process) -> int:
    try:
        memory = process.memory_info()  # of what is read in a moment; memory_full_info walks every page, each time anew
        return int(memory.rss - getattr(memory, "shared", 0))
    except psutil.Error:  # it has just ended
        return 0
