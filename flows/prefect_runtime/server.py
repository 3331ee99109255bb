"""The Prefect server of a command: the configured one, or one that is started and ends with the command.

A started server listens on loopback only.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_API_PORT, temporary_settings

from flows.prefect_runtime.health import answers
from pipeline.errors import UserError

log = logging.getLogger("refinery")
START_TIMEOUT_S = 180.0  # the first start creates the server's database
END_TIMEOUT_S = 15.0  # the server writes its database before it ends


@contextmanager
def prefect_server() -> Iterator[str]:
    """Yield the address of the server of PREFECT_API_URL or the profile, else of one that is started for the block.

    Raises UserError when the set server does not answer, when the port is taken, or when the new server does not start.
    """
    url = PREFECT_API_URL.value()
    if url:
        if not answers(_health(url)):
            raise UserError(
                f"no Prefect server answers at {url}: start it, or unset PREFECT_API_URL to have one started"
            )
        yield url
        return
    with _new_server(PREFECT_SERVER_API_PORT.value()) as url, temporary_settings({PREFECT_API_URL: url}):
        os.environ["PREFECT_API_URL"] = url  # for the processes of the runs
        try:
            yield url
        finally:
            os.environ.pop("PREFECT_API_URL", None)


@contextmanager
def _new_server(port: int) -> Iterator[str]:
    """The address of a server on this port, which runs for the block."""
    url = f"http://127.0.0.1:{port}/api"
    if not _is_free(port):
        raise UserError(
            f"port {port} is taken: export PREFECT_API_URL={url} if that is a Prefect server, "
            "or set another PREFECT_SERVER_API_PORT"
        )
    log.info("starting a Prefect server at http://127.0.0.1:%d (up to a minute the first time)", port)
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    none = subprocess.DEVNULL
    # in a session of its own, so that Ctrl-C in the terminal does not reach it and it ends after the runs
    process = subprocess.Popen(command, stdin=none, stdout=none, start_new_session=True)  # noqa: S603
    try:
        _wait_until_healthy(process, url)
        yield url
    finally:
        _end(process)


def start_ephemeral_server() -> None:
    """Start the server that Prefect runs for a process without a configured one. Call it in a thread of its own.

    The thread blocks Ctrl-C for the server's process. Otherwise Ctrl-C would end the server before the command, and the
    command's clients would retry for more than a minute.
    """
    from prefect.server.api.server import SubprocessASGIServer  # takes seconds to load, and not every command needs it

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # holds for this thread and the process it starts
    try:
        SubprocessASGIServer().start()
    except Exception as error:  # noqa: BLE001  the flow starts one again, and reports an error
        log.debug("no Prefect server: %s", error)


def _wait_until_healthy(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not answers(_health(url)):
        if process.poll() is not None:
            status = process.returncode
            raise UserError(f"the Prefect server ended with status {status}: `prefect server start` shows why")
        if time.monotonic() > deadline:
            raise UserError(
                f"the Prefect server does not answer at {url} after {START_TIMEOUT_S:.0f} s: is the machine busy?"
            )
        time.sleep(0.5)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _health(url: str) -> str:
    return f"{url.rstrip('/')}/health"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0
