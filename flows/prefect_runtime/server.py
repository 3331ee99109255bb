"""The Prefect server that holds the schedules: the one that is set, or one of our own for as long as it is needed.

One of our own listens on loopback only, and goes when the command that wanted it ends.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_API_PORT, temporary_settings

from pipeline.errors import UserError

log = logging.getLogger("refinery")
START_S, END_S = 180, 15  # seconds: it makes its database first; it writes what it holds last


@contextmanager
def prefect_server() -> Iterator[str]:
    """The address of the server that PREFECT_API_URL or the profile names, else of one that is started for the block.

    Raises UserError when the set one does not answer, when the port is taken, or when the new one does not come up.
    """
    there = PREFECT_API_URL.value()
    if there:
        if not _answers(there):
            raise UserError(
                f"no Prefect server answers at {there}: start it, or unset PREFECT_API_URL for one of its own"
            )
        yield there
        return
    port = PREFECT_SERVER_API_PORT.value()
    url = f"http://127.0.0.1:{port}/api"
    if not _free(port):
        raise UserError(
            f"port {port} is taken: export PREFECT_API_URL={url} if that is a Prefect server, "
            "or another PREFECT_SERVER_API_PORT for a new one"
        )
    log.info("starting a Prefect server at http://127.0.0.1:%d (up to a minute the first time)", port)
    process = _start(port)
    try:
        _wait(process, url)
        os.environ["PREFECT_API_URL"] = url  # for the processes of the runs
        with temporary_settings({PREFECT_API_URL: url}):
            yield url
    finally:
        os.environ.pop("PREFECT_API_URL", None)
        _end(process)


def run_server() -> None:
    """Start the server that Prefect runs for a process without one, deaf to Ctrl-C: for a thread of its own.

    Ctrl-C in a terminal would end it beside us, and its clients would ask it again and again for more than a minute.
    """
    from prefect.server.api.server import SubprocessASGIServer  # takes seconds to load, and not every command needs it

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # of this thread, and so of what it starts
    try:
        SubprocessASGIServer().start()
    except Exception as error:  # noqa: BLE001  the flow tries once more, and says what is wrong
        log.debug("no Prefect server: %s", error)


def _start(port: int) -> subprocess.Popen[bytes]:
    """In a session of its own: Ctrl-C is for us, and the server goes last."""
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)  # noqa: S603


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + START_S
    while not _answers(url):
        if process.poll() is not None:
            raise UserError(
                f"the Prefect server ended with status {process.returncode}: `prefect server start` shows why"
            )
        if time.monotonic() > until:
            raise UserError(f"the Prefect server does not answer at {url} after {START_S} s: is the machine busy?")
        time.sleep(0.5)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=10) as answer:  # noqa: S310  what a user set
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0
