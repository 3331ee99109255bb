"""Ctrl-C and a polite end (SIGTERM) during a training: noted, acted upon where everything can be kept.

A second one does at once what the signal does without this.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def told_to_stop() -> Iterator[list[int]]:
    """A list into which SIGINT and SIGTERM write their number while the block runs; only a main thread can listen."""
    told: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield told
        return
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in SIGNALS}

    def note(number: int, _frame: object) -> None:
        told.append(number)
        signal.signal(number, before[signal.Signals(number)])

    for number in SIGNALS:
        signal.signal(number, note)
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(number: int) -> NoReturn:
    """End as the signal says: KeyboardInterrupt, whoever else listens to SIGTERM, or exit status 143."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    if callable(signal.getsignal(number)):  # as Prefect does, which calls its run crashed
        signal.raise_signal(number)
    raise SystemExit(128 + number)
