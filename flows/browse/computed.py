"""A value that takes a while: it is computed in the background, and a page that asks for it meanwhile is told so."""

import logging
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from flows.browse.gallery import Loading
from pipeline.errors import UserError

log = logging.getLogger("refinery")
Value = TypeVar("Value")
THREAD = "computed"  # the name of the threads that compute


class Computed(Generic[Value]):
    """A value that is computed in the background, once for each version of what it is computed from."""

    def __init__(self, compute: Callable[[], Value], waiting: str) -> None:
        self._compute, self._waiting = compute, waiting
        self._lock = threading.Lock()
        self._value: tuple[Any, Value | UserError] | None = None
        self._running = False
        self._share: float | None = None  # that is done, where it is known

    def report(self, share: float) -> None:
        """Say which share of the computation is done; for the function that computes."""
        self._share = share

    def of(self, version: Any) -> Value:
        """The value of this version. Raises Loading while it is computed, UserError where that failed."""
        with self._lock:
            if self._value is not None and self._value[0] == version:
                if isinstance(self._value[1], UserError):
                    raise self._value[1]
                return self._value[1]
            if not self._running:
                self._running, self._share = True, None
                threading.Thread(target=self._run, args=(version,), name=THREAD, daemon=True).start()
            raise Loading(self._waiting, self._share)

    def _run(self, version: Any) -> None:
        try:
            value: Value | UserError = self._compute()
        except UserError as error:
            value = error
        except Exception as error:  # the page says it, and does not ask for the same again and again
            log.warning("browse: %s", error, exc_info=True)
            value = UserError(f"this could not be computed ({error or type(error).__name__}): see the log")
        with self._lock:
            self._value, self._running = (version, value), False


def is_computing() -> bool:
    """Whether a value is being computed in this process."""
    return any(thread.name == THREAD for thread in threading.enumerate())
