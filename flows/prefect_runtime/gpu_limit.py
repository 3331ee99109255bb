"""One run at a time on the graphics card: a limit called `gpu` on the Prefect server, which may be raised there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect.concurrency.sync import concurrency
from prefect.context import FlowRunContext

LIMIT = "gpu"
CARD = Path("/dev/nvidiactl")  # the driver's own; a card that a run leaves alone is kept from others without harm


@contextmanager
def gpu() -> Iterator[None]:
    """A turn on the card: nothing to wait for without a card, without a run, or on a server without the limit."""
    if FlowRunContext.get() is None or not CARD.exists():
        yield
        return
    with concurrency(LIMIT, occupy=1):
        yield
