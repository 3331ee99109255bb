"""Work in a thread beside the training loop: the writing of a checkpoint."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class BackgroundTask:
    """A context that runs one function at a time in a thread; at the end of the block it waits for the last one.

    An error of the function is raised by the next call of start() or check(), or at the end of the block. After Ctrl-C
    and SystemExit the block ends at once, and the thread with the process.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def start(self, work: Callable[[], None]) -> None:
        """Run a function in the thread, when the one before it has ended."""
        self._wait()
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise the error of the function that ran last, where there is one; does not wait."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  it is raised in the thread that started this one
            self._error = error

    def _wait(self) -> None:
        if self._thread:
            self._thread.join()
            self._thread = None
        self.check()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self._wait()
        elif issubclass(kind, Exception) and self._thread:  # a checkpoint of before the error is written to its end
            self._thread.join()
