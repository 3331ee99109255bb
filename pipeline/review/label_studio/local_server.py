"""A Label Studio server on this machine, for users who have none: a process that listens on loopback only.

Its data, its account and its token lie in one folder; only the owner of the files can read token and password.
"""

import logging
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.review.label_studio.installation import install

log = logging.getLogger("refinery")
ACCOUNT = "owner@localhost.localdomain"
START_TIMEOUT_S = 180  # the first start makes the database, which takes half a minute on two idle cores
QUIET = {"COLLECT_ANALYTICS": "false", "LATEST_VERSION_CHECK": "false", "SENTRY_DSN": "", "FRONTEND_SENTRY_DSN": ""}


class LocalServer(NamedTuple):
    """A running server: its address, the files that hold the account's token and password, and its process."""

    url: str
    token: Path
    password: Path
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Stop the server and wait until its process has ended."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                os.killpg(self.process.pid, sign)
            try:
                self.process.wait(timeout=10)
                return
            except subprocess.TimeoutExpired:
                continue


def start(folder: Path, *, port: int, venv: Path) -> LocalServer:
    """Start Label Studio on 127.0.0.1 and wait until it answers.

    folder: for its data, token and password, made if needed; pages may show pictures from folders beside it. venv: the
    virtual environment in which Label Studio is, or will be, installed.
    Raises UserError when the port is taken or the server does not answer within START_TIMEOUT_S.
    """
    program = install(venv)
    _check_port(port)
    folder, url = folder.absolute(), f"http://127.0.0.1:{port}"
    first = not (folder / "data" / "label_studio.sqlite3").exists()
    log.info("starting Label Studio at %s%s", url, " (half a minute or more the first time)" if first else "")
    try:
        server = _start_process(program, folder, url, port)
    except OSError as error:
        raise UserError(
            f"cannot start a server in {folder} ({error.strerror or error}): give a folder that can be written to"
        ) from None
    try:
        _wait_until_up(server, folder / "server.log")
    except BaseException:
        server.stop()
        raise
    (folder / "url").write_text(url + "\n")
    return server


def is_up(url: str, *, timeout_s: float = 5) -> bool:
    """Whether a Label Studio answers at an address."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=timeout_s) as reply:  # noqa: S310  an http address
            return bool(reply.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _start_process(program: Path, folder: Path, url: str, port: int) -> LocalServer:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    token, password = _secret(folder / "token"), _secret(folder / "password")
    with open(folder / "server.log", "ab") as log_file:
        process = subprocess.Popen(  # noqa: S603  the program that `install` put there
            [program, "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)],
            env=_environment(folder, url, token, password),
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            cwd=folder,
            start_new_session=True,
        )
    return LocalServer(url, token, password, process)


def _environment(folder: Path, url: str, token: Path, password: Path) -> dict[str, str]:
    """The environment variables of the server; those with account and token have an effect at the first start only."""
    ours = {
        "LABEL_STUDIO_BASE_DATA_DIR": str(folder / "data"),
        "LABEL_STUDIO_HOST": url,
        "LABEL_STUDIO_USERNAME": ACCOUNT,
        "LABEL_STUDIO_PASSWORD": password.read_text().strip(),
        "LABEL_STUDIO_USER_TOKEN": token.read_text().strip(),
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(folder.parent),
        "SSRF_PROTECTION_ENABLED": "false",  # lets the server call webhooks on this machine
    }
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")} | QUIET | ours


def _secret(path: Path) -> Path:
    """The path of a file with 40 random hexadecimal digits that only its owner can read; made if needed."""
    if not path.exists():
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as stream:
            stream.write(secrets.token_hex(20) + "\n")
    return path


def _check_port(port: int) -> None:
    """Raises UserError when the port is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise UserError(
                f"port {port} is taken on this machine, perhaps by this server: use that one, or give another --port"
            ) from None


def _wait_until_up(server: LocalServer, log_file: Path) -> None:
    """Raises UserError with the last line of the log when the server ends or does not answer in time."""
    until = time.monotonic() + START_TIMEOUT_S
    while not is_up(server.url):
        if server.process.poll() is not None or time.monotonic() > until:
            lines = log_file.read_text(errors="replace").split("\n")
            last = next((line for line in reversed(lines) if line.strip()), "it wrote nothing")
            raise UserError(f"Label Studio did not start ({last.strip()[:200]}): see {log_file}")
        time.sleep(0.2)
