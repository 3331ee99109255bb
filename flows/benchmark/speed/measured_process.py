"""Time and memory of a function that runs in a process of its own.

So the memory of earlier work does not count, and that of all child processes does. The process ends when its caller
ends, also when the caller is killed.
"""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from types import TracebackType
from typing import Any, NamedTuple, Self

import psutil

INTERVAL_S = 0.5  # between two readings of the memory


class ProcessMeasurement(NamedTuple):
    """A function's result, its seconds, and the most memory that its process and that one's children held."""

    result: Any
    seconds: float
    peak_gb: float


class PeakMemory:
    """A context that measures the most memory of this process and its children, without memory that they share.

    peak: bytes in the whole block; first_peak: bytes until the second phase began.
    """

    def __init__(self, second_phase: Callable[[], bool] = lambda: False) -> None:
        """second_phase: returns whether the second phase of the work has begun."""
        self.peak = self.first_peak = 0
        self._second_phase = second_phase

    def __enter__(self) -> Self:
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._watcher.join()

    def _watch(self) -> None:
        process, over = psutil.Process(), False
        while not over:
            self.peak = max(self.peak, sum(map(_own_bytes, [process, *process.children(recursive=True)])))
            if not self._second_phase():
                self.first_peak = self.peak
            over = self._over.wait(INTERVAL_S)


def run_in_own_process(function: Callable[..., Any], *arguments: Any) -> ProcessMeasurement:
    """The measurement of a function in a new process, whose start and imports do not count.

    function: one that another process can import. Its exceptions are raised here.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        measurement: ProcessMeasurement = pool.submit(_measure, os.getpid(), function, arguments).result()
    return measurement


def _measure(parent: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> ProcessMeasurement:
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    with PeakMemory() as memory:
        start = time.monotonic()
        result = function(*arguments)
        seconds = time.monotonic() - start
    return ProcessMeasurement(result, seconds, memory.peak / 1e9)


def _end_with(parent: int) -> None:
    """End this process and its children when the parent has ended: nobody waits for the result any more."""
    while os.getppid() == parent:
        time.sleep(INTERVAL_S)
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(1)


def _own_bytes(process: psutil.Process) -> int:
    """The bytes that a process holds and shares with no other; 0 for one that has just ended."""
    try:
        # memory_full_info would be exact, but takes much longer: it walks every page
        memory = process.memory_info()
        return int(memory.rss - getattr(memory, "shared", 0))
    except psutil.Error:
        return 0
