"""One run at a time on the graphics card: a limit called `gpu` on the Prefect server, which may be raised there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.concurrency.sync import concurrency
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound

LIMIT = "gpu"
DRIVER = Path("/dev/nvidiactl")  # exists where the driver of an NVIDIA card is loaded


@contextmanager
def gpu() -> Iterator[None]:
    """Run the block when no other run holds the card; at once without a card, a Prefect run, or the limit.

    A block that does not use the card in the end waits all the same, which does no harm.
    """
    if FlowRunContext.get() is None or not DRIVER.exists():
        yield
        return
    with concurrency(LIMIT, occupy=1):
        yield


def create_gpu_limit() -> None:
    """Make the limit on the Prefect server where it is missing; one that was changed there stays as it is."""
    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(LIMIT)
        except ObjectNotFound:
            client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=LIMIT, limit=1))
