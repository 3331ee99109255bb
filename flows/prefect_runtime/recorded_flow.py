"""Functions that Prefect records as flow runs where it is wanted; elsewhere they run without Prefect being loaded."""

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property, update_wrapper
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from flows.prefect_runtime.flow_run import in_flow_run, server_url

if TYPE_CHECKING:
    from prefect import Flow

log = logging.getLogger("refinery")
P = ParamSpec("P")
R = TypeVar("R")
_recording: ContextVar[bool] = ContextVar("recording", default=False)


@contextmanager
def recording(wanted: bool) -> Iterator[None]:
    """In the block, calls of recorded flows are runs on the Prefect server, if that is wanted."""
    token = _recording.set(wanted)
    try:
        yield
    finally:
        _recording.reset(token)


class RecordedFlow(Generic[P, R]):
    """A function that is a Prefect flow when it is called in a flow run or in a recording, and itself elsewhere.

    fn: the function; name: the flow's name on the server; check: gets all arguments by name, and raises UserError where
    they are mistaken. It is called before a server is started, which takes ten seconds.
    """

    def __init__(self, fn: Callable[P, R], name: str, check: Callable[[Mapping[str, Any]], object] | None) -> None:
        update_wrapper(self, fn)
        self.fn, self.name, self.check = fn, name, check

    @cached_property
    def flow(self) -> "Flow[P, R]":
        """The Prefect flow of this function."""
        from prefect import Flow  # takes a second to load

        return Flow(self.fn, name=self.name, validate_parameters=False, persist_result=False)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """What the function returns for these arguments."""
        if in_flow_run():
            return self.flow(*args, **kwargs)
        if not _recording.get():
            return self.fn(*args, **kwargs)
        if self.check is not None:
            bound = inspect.signature(self.fn).bind(*args, **kwargs)
            bound.apply_defaults()
            self.check(bound.arguments)
        with _server():
            return self.flow(*args, **kwargs)


def recorded_flow(
    name: str, *, check: Callable[[Mapping[str, Any]], object] | None = None
) -> Callable[[Callable[P, R]], RecordedFlow[P, R]]:
    """Make a function a RecordedFlow with this name and check of its arguments."""

    def made(function: Callable[P, R]) -> RecordedFlow[P, R]:
        return RecordedFlow(function, name, check)

    return made


@contextmanager
def _server() -> Iterator[None]:
    """In the block the Prefect server that is set is used, or, where none is set, one of this process.

    That one ends with the process, so the block ends when its history of the block's tasks is whole; except by Ctrl-C,
    which has ended the server as well.
    """
    url = server_url()
    from flows.prefect_runtime.recorded_tasks import wait_until_recorded
    from flows.prefect_runtime.server import server_of_process, using_server, warn_of_open_server  # loads Prefect

    if url:
        warn_of_open_server(url)
        yield
        return
    log.info("starting a Prefect server for this run (up to half a minute the first time)")
    with using_server(*server_of_process()):
        try:
            yield
        except Exception:
            wait_until_recorded()
            raise
        wait_until_recorded()
