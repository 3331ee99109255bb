"""Runs a Prefect flow for a command; where no server is configured, it starts one and logs that."""

import logging
from collections.abc import Mapping, Sequence
from threading import Thread
from typing import Any

from prefect import Flow
from prefect.settings import PREFECT_API_URL

from flows.prefect_runtime.server import start_ephemeral_server

log = logging.getLogger("refinery")


def run_flow(flow: Flow[..., Any], arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """What the flow returns for these arguments and options."""
    if not PREFECT_API_URL.value():
        log.info("starting a Prefect server for this run (up to half a minute the first time)")
        server = Thread(target=start_ephemeral_server, daemon=True)
        server.start()
        server.join()
    return flow(*arguments, **options)
