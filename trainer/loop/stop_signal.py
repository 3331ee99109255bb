"""Lets a training that receives SIGINT (Ctrl-C) or SIGTERM write a checkpoint before it ends.

The first signal is only recorded, and the training loop stops after its current update. A second one of the same kind
ends the process at once, as without this module.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import torch

from trainer.distributed.ranks import max_over_ranks, world_size

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def catch_stop_signals() -> Iterator[list[int]]:
    """A list to which the number of each SIGINT or SIGTERM is appended that arrives while the block runs.

    Only the main thread may set signal handlers: in another thread the list stays empty.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    previous_handlers = {number: signal.getsignal(number) or signal.SIG_DFL for number in SIGNALS}

    def record(number: int, _frame: object) -> None:
        received.append(number)
        signal.signal(number, previous_handlers[signal.Signals(number)])

    for number in SIGNALS:
        signal.signal(number, record)
    try:
        yield received
    finally:
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)


def exit_by_signal(number: int) -> NoReturn:
    """End the process as the recorded signal would have ended it.

    SIGINT raises KeyboardInterrupt. SIGTERM calls the handler that somebody else has set, or exits with status 143.
    """
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    if callable(signal.getsignal(number)):  # such as Prefect's, which marks its run as crashed
        signal.raise_signal(number)
    raise SystemExit(128 + number)


def signal_of_any_rank(signals: list[int], device: torch.device) -> int:
    """The number of a signal that any of the ranks has received, or 0 for none: the same on all ranks.

    So all ranks write the checkpoint together, or none does.
    """
    number = signals[0] if signals else 0
    return int(max_over_ranks(torch.tensor(number, device=device))) if world_size() > 1 else number
