"""Wraps a function as a Prefect task, so that a flow's steps appear in the run's history and are retried.

Outside a flow run the function itself is called, without Prefect.
"""

from collections.abc import Callable
from typing import Any

from flows.prefect_runtime.flow_run import in_flow_run
from pipeline.errors import Unavailable

RETRIES, RETRY_DELAY_S = 2, 5


def as_task(function: Callable[..., Any], *, name: str | None = None) -> Callable[..., Any]:
    """The function as a Prefect task of the flow that is running; the function itself where no flow runs.

    name: the task's name on the run's page; by default the function's.
    """
    if not in_flow_run():
        return function
    from prefect import task  # loaded by now, with the flow
    from prefect.cache_policies import NO_CACHE

    from flows.prefect_runtime.recorded_tasks import noted

    decorate = task(
        name=name or function.__name__,
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=RETRIES,
        retry_delay_seconds=RETRY_DELAY_S,
        retry_condition_fn=may_succeed_later,
    )
    return decorate(noted(function))


def may_succeed_later(_task: Any, _run: Any, state: Any) -> bool:
    """Whether a task failed because a storage or a server did not answer. Other errors would come again."""
    return isinstance(state.result(raise_on_failure=False), OSError | Unavailable)
