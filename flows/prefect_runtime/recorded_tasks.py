"""The tasks of this process's runs, and whether the Prefect server has recorded that they ended.

Prefect sends what becomes of a task to the server in the background, and the server's recorder writes it some time
later: a server that ends with the run would leave its last tasks out of the history, or open.
"""

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import TaskRunFilter
from prefect.client.schemas.objects import TERMINAL_STATES
from prefect.context import TaskRunContext
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

log = logging.getLogger("refinery")
WAIT_S = 10.0  # a server at rest has recorded a task within a tenth of a second
POLL_S = 0.1
PAGE = 200  # of task runs, the most that the server returns at a time
_begun: set[UUID] = set()


def noted(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of a task, which notes the task's run as it begins.

    A hook of Prefect's state Running would do the same, but the log of each task would tell of it.
    """

    @wraps(function)
    def note_and_call(*args: Any, **kwargs: Any) -> Any:
        context = TaskRunContext.get()
        if context is not None:
            _begun.add(context.task_run.id)
        return function(*args, **kwargs)

    return note_and_call


def wait_until_recorded(wait_s: float = WAIT_S) -> None:
    """Wait until the server has recorded the end of every task that began, for at most `wait_s` seconds.

    Warns of those that are not recorded by then. A server that no longer answers is not asked again.
    """
    until = time.monotonic() + wait_s
    try:
        settings = temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0})
        with settings, get_client(httpx_settings={"timeout": wait_s}, sync_client=True) as client:
            while _begun:
                _begun.difference_update(_ended(client))
                if _begun and time.monotonic() > until:
                    break
                time.sleep(POLL_S if _begun else 0)
    except httpx.HTTPError as error:
        log.debug("the Prefect server no longer answers: %s", error)
    if _begun:
        log.warning("the Prefect server has not recorded how %d tasks of this run ended", len(_begun))
        _begun.clear()


def _ended(client: SyncPrefectClient) -> set[UUID]:
    """Those of the first tasks that wait whose end is recorded."""
    query = {
        "id": {"any_": sorted(_begun)[:PAGE]},
        "state": {"type": {"any_": [state.value for state in TERMINAL_STATES]}},
    }
    runs = client.read_task_runs(task_run_filter=TaskRunFilter.model_validate(query), limit=PAGE)
    return {run.id for run in runs}
