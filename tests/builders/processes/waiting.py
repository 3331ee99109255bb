"""Waiting for a condition, with a time limit that is long enough for a slow and busy machine."""

import time
from collections.abc import Callable

from pipeline.errors import UserError

STARTS_S = 120.0  # time limit for the start of a process on a busy machine


def wait_until(condition: Callable[[], object], failure: str, *, seconds: float = STARTS_S) -> None:
    """Wait until a condition holds. Raises UserError with the text `failure` after the time limit."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise UserError(failure)
        time.sleep(0.02)
