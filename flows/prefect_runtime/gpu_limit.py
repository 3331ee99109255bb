"""One run at a time on the GPU: a concurrency limit called `gpu` on the Prefect server, which may be raised there."""

from collections.abc import Iterator
from contextlib import contextmanager

from flows.prefect_runtime.flow_run import in_flow_run
from pipeline.faces.accelerator import devices

LIMIT = "gpu"


@contextmanager
def gpu() -> Iterator[None]:
    """Run the block when no other run uses the GPU; at once where there is no GPU, no Prefect run, or no limit.

    A block that turns out not to use the GPU waits as well.
    """
    if not in_flow_run() or not devices.DRIVER.exists():
        yield
        return
    from prefect.concurrency.sync import concurrency  # loaded by now, with the flow

    with concurrency(LIMIT, occupy=1):
        yield


def create_gpu_limit() -> None:
    """Create the limit on the Prefect server where it is missing; an existing one keeps its value."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
    from prefect.exceptions import ObjectNotFound

    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(LIMIT)
        except ObjectNotFound:
            client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=LIMIT, limit=1))
