"""What is told of a scheduled run: its name says root and outcome, and a run that failed is one line of the log."""

import logging
import os
from typing import Any

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.runtime import flow_run as current

from flows.prefect_runtime.ended_runs import mark_process
from pipeline.child_process import end_with_parent
from pipeline.errors import UserError

PARENT_VARIABLE = "REFINERY_SERVED_BY"  # the number of the process of `serve` that starts the runs
log = logging.getLogger("refinery")


def root_of(parameters: dict[str, Any]) -> str:
    """The root that a run with these parameters works on."""
    return str(parameters.get("root") or dict(parameters.get("refine_options") or {}).get("root", ""))


def run_name() -> str:
    """The name of a run that begins: its flow and the root."""
    return f"{current.flow_name}: {root_of(current.parameters)}"


def began(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001  Prefect names them
    """Note which process works on a run, let it end with the one that started it, and let its log appear.

    In a run's process no command has set the level of the log.
    """
    if parent := os.environ.get(PARENT_VARIABLE):
        end_with_parent(int(parent))
    log.setLevel(os.environ.get("REFINERY_LOG", "INFO").upper())
    with get_client(sync_client=True) as client:
        mark_process(client, flow_run)


def completed(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Add to the run's name what it did."""
    result: Any = state.result(raise_on_failure=False)
    _rename(flow_run, f"{flow.name}: {root_of(flow_run.parameters)}: {result.outcome()}")


def failed(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Log why a run failed, in one line, and say in its name that it did. Also called where a process was killed."""
    root = root_of(flow_run.parameters)
    log.error("%s of %s failed: %s", flow.name, root, cause_of(state))
    _rename(flow_run, f"{flow.name}: {root}: failed")


def cause_of(state: State[Any]) -> str:
    """Why a run failed, in one line: for a user's mistake its message, else the kind of error as well."""
    try:
        error = state.result(raise_on_failure=False) if state.is_failed() else None
    except Exception:  # noqa: BLE001  the error itself may lie in another process
        error = None
    cause = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    return " ".join((cause if isinstance(error, BaseException) else str(state.message)).split())


def _rename(run: FlowRun, name: str) -> None:
    with get_client(sync_client=True) as client:
        client.update_flow_run(run.id, name=name)
