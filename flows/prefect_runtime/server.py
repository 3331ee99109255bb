"""The Prefect server of a command: the configured one, or one that is started and ends with the command.

A started server listens on loopback only, answers nobody without its password, and no page of another origin: whoever
can give it a run can run code as its user.
"""

import atexit
import logging
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_HOME,
    PREFECT_SERVER_API_AUTH_STRING,
    PREFECT_SERVER_API_PORT,
    temporary_settings,
)

from flows.prefect_runtime.health import answers, answers_everybody
from pipeline.child_process import end_child, start_child
from pipeline.errors import UserError
from pipeline.whole_files import whole_file

log = logging.getLogger("refinery")
START_TIMEOUT_S = 180.0  # the first start creates the server's database
SECRETS = ("LABEL_STUDIO_API_KEY", "REFINERY_WEBHOOK_SECRET")  # the server itself has no use for them
PASSWORD_FILE = "refinery-server-password"  # noqa: S105  the name of a file below PREFECT_HOME


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
        warn_of_open_server(url)
        yield url
        return
    port = int(PREFECT_SERVER_API_PORT.value())
    password = _kept_password(PREFECT_HOME.value().expanduser() / PASSWORD_FILE)
    log.info("starting a Prefect server at http://127.0.0.1:%d (up to a minute the first time)", port)
    server = _start(port, password, pages=True)
    try:
        with using_server(_url(port), password):
            yield _url(port)
    finally:
        end_child(server)


@cache
def server_of_process() -> tuple[str, str]:
    """The address and the password of a server of this process, which has no pages and ends with the process.

    Its port and its password are drawn at random. Raises UserError when it does not start.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    password = _new_password()
    # as late as possible: Prefect sends the last lines of a run's log as the process ends
    atexit.register(end_child, _start(port, password, pages=False))
    return _url(port), password


@contextmanager
def using_server(url: str, password: str) -> Iterator[None]:
    """In the block this process and those that it starts use the Prefect server at an address, with its password."""
    variables = {"PREFECT_API_URL": url, "PREFECT_API_AUTH_STRING": password}
    before = {name: os.environ.get(name) for name in variables}
    with temporary_settings({PREFECT_API_URL: url, PREFECT_API_AUTH_STRING: password}):
        os.environ.update(variables)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


@cache
def warn_of_open_server(url: str) -> None:
    """Warn once of a server that lets everybody who reaches it start runs."""
    if answers_everybody(f"{url.rstrip('/')}/deployments/count"):
        log.warning(
            "the Prefect server at %s asks for no password: whoever reaches it, a web page too, can run code as you; "
            "start it with PREFECT_SERVER_API_AUTH_STRING, and set PREFECT_API_AUTH_STRING here",
            url,
        )


def _start(port: int, password: str, *, pages: bool) -> subprocess.Popen[bytes]:
    """Start a server and wait until it answers; pages: whether it shows the history of runs in a browser."""
    if not _is_free(port):
        raise UserError(
            f"port {port} is taken: export PREFECT_API_URL={_url(port)} if that is a Prefect server, "
            "or set another PREFECT_SERVER_API_PORT"
        )
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    settings = {
        "PREFECT_SERVER_API_AUTH_STRING": password,
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://127.0.0.1:{port}",
        "PREFECT_SERVER_UI_ENABLED": str(pages).lower(),
    }
    others = {name: value for name, value in os.environ.items() if name not in ("PREFECT_API_URL", *SECRETS)}
    process = start_child(command, env=others | settings)
    try:
        _wait_until_healthy(process, _url(port))
    except BaseException:
        end_child(process)
        raise
    return process


def _kept_password(file: Path) -> str:
    """The password that is set for a server, or that of the file, which only its owner can read; made if needed."""
    if set_by_user := PREFECT_SERVER_API_AUTH_STRING.value():
        return str(set_by_user)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or not file.read_text().strip():
            with whole_file(file) as temporary:
                temporary.chmod(0o600)
                temporary.write_text(_new_password() + "\n")
        log.info("the pages of the Prefect server ask for the password in %s", file)
        return file.read_text().strip()
    except OSError as error:
        raise UserError(
            f"cannot keep a password in {file} ({error.strerror}): set PREFECT_HOME to a folder that can be written to"
        ) from None


def _new_password() -> str:
    return f"refinery:{secrets.token_hex(20)}"


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/api"


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


def _health(url: str) -> str:
    return f"{url.rstrip('/')}/health"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0
