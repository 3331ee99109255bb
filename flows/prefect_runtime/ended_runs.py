"""Runs whose process is gone without a word: they would keep the only slot of their deployment."""

import logging
import os
import socket
from collections.abc import Sequence

import psutil
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Crashed

log = logging.getLogger("refinery")
AT_WORK = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)
SLACK_S = 5.0  # by which the clocks of the server and of this machine may differ


def mark_process(client: SyncPrefectClient, run: FlowRun) -> None:
    """Note on the server that this process works on a run."""
    client.update_flow_run(run.id, infrastructure_pid=f"{socket.gethostname()}:{os.getpid()}")


def close_ended_runs(deployments: Sequence[str], *, only_runner: bool, reason: str) -> int:
    """Set runs whose process is gone to Crashed, which frees their slots; returns how many.

    deployments: as "flow/name". only_runner: whether no other runner than that of this process can have begun runs of
    them; then runs that have no process yet, and those of another machine, count as ended as well.
    """
    closed = 0
    names = DeploymentFilter.model_validate({"name": {"any_": [d.partition("/")[2] for d in deployments]}})
    at_work = FlowRunFilter.model_validate({"state": {"type": {"any_": list(AT_WORK)}}})
    with get_client(sync_client=True) as client:
        flows = {client.read_deployment_by_name(d).id for d in deployments}
        for run in client.read_flow_runs(flow_run_filter=at_work, deployment_filter=names):
            if run.deployment_id in flows and _is_gone(run, only_runner=only_runner):
                client.set_flow_run_state(run.id, Crashed(message=reason), force=True)
                closed += 1
    return closed


def _is_gone(run: FlowRun, *, only_runner: bool) -> bool:
    host, _, number = (run.infrastructure_pid or "").rpartition(":")
    if host != socket.gethostname() or not number.isdigit():
        return only_runner
    try:
        began = psutil.Process(int(number)).create_time()
    except psutil.NoSuchProcess:
        return True
    # a later process may have got the number of one that is gone
    return run.start_time is not None and began > run.start_time.timestamp() + SLACK_S
