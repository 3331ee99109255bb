"""Runs that the server cancelled, as lines of the log: else a run that is due during another one would just vanish.

The limit of a deployment is one run at a time (see deployments.ONE_AT_A_TIME); the server keeps it, and tells nobody.
"""

import asyncio
import logging
from collections.abc import Sequence

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort

from flows.schedule.run_outcome import root_of

log = logging.getLogger("refinery")
EVERY_S = 15.0  # how often the server is asked
LAST = 50  # runs of one answer: in that time far fewer are cancelled


async def log_skipped_runs(deployments: Sequence[str], *, every_s: float = EVERY_S) -> None:
    """Log each run of these deployments ("flow/name") that is cancelled from now on, until this task is cancelled."""
    names = [d.partition("/")[2] for d in deployments]
    async with get_client() as client:
        known: set[object] | None = None  # from the first answer on
        while True:
            runs = await _cancelled_runs(client, names)
            if runs is not None:
                ids = {run.id for run in runs}
                skipped = [run for run in runs if run.id not in (ids if known is None else known)]
                known = ids | (known or set())
                for run in skipped:
                    log.warning("a run of %s was not carried out: %s", _work_of(run), _cause(run))
            await asyncio.sleep(every_s)


async def _cancelled_runs(client: PrefectClient, names: Sequence[str]) -> list[FlowRun] | None:
    """The last cancelled runs of deployments, the earliest first; None where the server does not answer."""
    try:
        runs = await client.read_flow_runs(
            flow_run_filter=FlowRunFilter.model_validate({"state": {"type": {"any_": [StateType.CANCELLED]}}}),
            deployment_filter=DeploymentFilter.model_validate({"name": {"any_": list(names)}}),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            limit=LAST,
        )
    except Exception as error:  # noqa: BLE001  a server that does not answer is told of by the runner
        log.debug("the server did not tell which runs were skipped: %s", error)
        return None
    return runs[::-1]


def _work_of(run: FlowRun) -> str:
    """What the run was to do, with its root."""
    return f"the {'review' if 'root' in run.parameters else 'refinement'} of {root_of(run.parameters)}"


def _cause(run: FlowRun) -> str:
    message = " ".join(str(run.state.message if run.state is not None else "").split())
    if "concurrency limit" in message.lower():
        return f"an earlier run of it is under way ({message})"
    return f"it was cancelled ({message})" if message else "it was cancelled"
