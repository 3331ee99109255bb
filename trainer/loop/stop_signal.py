"""SIGINT (Ctrl-C) and SIGTERM during a training: noted, so that it can write a checkpoint before it ends.

A second signal has the effect that it has without this.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def catch_stop_signals() -> Iterator[list[int]]:
    """A list that receives the numbers of SIGINT and SIGTERM while the block runs; stays empty in a side thread."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # only the main one may set handlers
        yield received
        return
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in SIGNALS}

    def note(number: int, _frame: object) -> None:
        received.append(number)
        signal.signal(number, before[signal.Signals(number)])

    for number in SIGNALS:
        signal.signal(number, note)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_by_signal(number: int) -> NoReturn:
    """End as the signal would have: by KeyboardInterrupt, by another handler of SIGTERM, or with exit status 143."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    if callable(signal.getsignal(number)):  # such as Prefect's, which marks its run as crashed
        signal.raise_signal(number)
    raise SystemExit(128 + number)
