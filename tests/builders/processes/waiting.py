"""Waiting for a process to do something, with a limit that a slow and busy machine keeps."""

import time
from collections.abc import Callable

from pipeline.errors import UserError

STARTS_S = 120.0  # in which a process has to be up, on a machine where much else runs


def wait_until(condition: Callable[[], object], failure: str, *, seconds: float = STARTS_S) -> None:
    """Wait until a condition holds. Raises UserError with the words of `failure` when it does not in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise UserError(failure)
        time.sleep(0.02)
