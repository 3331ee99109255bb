"""A Label Studio of one's own, for people who have none: on loopback, in a virtual environment of its own.

Label Studio pins other versions than ours of what both need, so it is installed beside this program and never imported.
Everything it knows lies in the folder it is given: data, an account, a token that only the owner of the files can read.
"""

import fcntl
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv as environments
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError

log = logging.getLogger("refinery")
VERSION = "1.23.2"
ACCOUNT = "owner@localhost.localdomain"
FIRST_START = 180  # seconds; it makes its database first, half a minute on two cores that have nothing else to do
QUIET = {"COLLECT_ANALYTICS": "false", "LATEST_VERSION_CHECK": "false", "SENTRY_DSN": "", "FRONTEND_SENTRY_DSN": ""}


class Local(NamedTuple):
    """A server that runs: its address, the files that hold the account's token and password, and its process."""

    url: str
    token: Path
    password: Path
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End the server and wait until it is gone."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                os.killpg(self.process.pid, sign)
            try:
                self.process.wait(timeout=10)
                return
            except subprocess.TimeoutExpired:
                continue


def environment() -> Path:
    """The folder of the virtual environment: REFINERY_LABEL_STUDIO, or one in the user's cache."""
    given = os.environ.get("REFINERY_LABEL_STUDIO")
    return Path(given).absolute() if given else Path.home() / ".cache" / "refinery" / "label-studio"


def install(venv: Path) -> Path:
    """The program that starts Label Studio, installed when it is not there yet (1 GB, about two minutes, once).

    Two processes that ask for it at once wait for each other. Raises UserError when pip cannot install it.
    """
    program = venv / "bin" / "label-studio"
    ready = venv / f".ready-{VERSION}"
    if ready.exists():
        return program
    try:
        with _alone(venv):
            if not ready.exists():
                log.info("installing Label Studio %s in %s: 1 GB, some minutes, once", VERSION, venv)
                environments.create(venv, with_pip=True, clear=not program.exists(), symlinks=True)
                _pip(venv)
                ready.touch()
                log.info("Label Studio is installed")
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(
            f"cannot make a virtual environment in {venv} ({error}): set REFINERY_LABEL_STUDIO to a folder "
            "that can be written to, with 1 GB of room"
        ) from None
    return program


def start(folder: Path, *, port: int, venv: Path) -> Local:
    """Start Label Studio on 127.0.0.1 and wait until it answers.

    folder: where its data, token and password lie, made when it is not there; the folder above it is what pages may
    show pictures from. Raises UserError when the port is taken or the server does not come up.
    """
    program = install(venv)
    _free(port)
    folder, url = folder.absolute(), f"http://127.0.0.1:{port}"
    first = not (folder / "data" / "label_studio.sqlite3").exists()
    log.info("starting Label Studio at %s%s", url, " (half a minute or more the first time)" if first else "")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        token, password = _secret(folder / "token"), _secret(folder / "password")
        with open(folder / "server.log", "ab") as written:
            process = subprocess.Popen(  # noqa: S603  the program that `install` put there
                [program, "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)],
                env=_surroundings(folder, url, token, password),
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
                cwd=folder,
                start_new_session=True,
            )
    except OSError as error:
        raise UserError(f"cannot start a server in {folder}: {error.strerror or error}") from None
    local = Local(url, token, password, process)
    try:
        _wait(local, folder / "server.log")
    except BaseException:
        local.stop()
        raise
    (folder / "url").write_text(url + "\n")
    return local


def answers(url: str, *, seconds: float = 5) -> bool:
    """Whether a Label Studio answers at an address."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=seconds) as reply:  # noqa: S310  an http address
            return bool(reply.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _surroundings(folder: Path, url: str, token: Path, password: Path) -> dict[str, str]:
    """What Label Studio reads from its environment; account and token count at the first start only."""
    ours = {
        "LABEL_STUDIO_BASE_DATA_DIR": str(folder / "data"),
        "LABEL_STUDIO_HOST": url,
        "LABEL_STUDIO_USERNAME": ACCOUNT,
        "LABEL_STUDIO_PASSWORD": password.read_text().strip(),
        "LABEL_STUDIO_USER_TOKEN": token.read_text().strip(),
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(folder.parent),
        "SSRF_PROTECTION_ENABLED": "false",  # a webhook may call a program on this machine
    }
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")} | QUIET | ours


def _secret(path: Path) -> Path:
    """A file with 40 random hexadecimal digits that only its owner can read, made when it is not there."""
    if not path.exists():
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as stream:
            stream.write(secrets.token_hex(20) + "\n")
    return path


def _free(port: int) -> None:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            raise UserError(
                f"port {port} is taken on this machine, perhaps by this very server: use that, or give another --port"
            ) from None


def _wait(local: Local, written: Path) -> None:
    until = time.monotonic() + FIRST_START
    while not answers(local.url):
        if local.process.poll() is not None or time.monotonic() > until:
            lines = written.read_text(errors="replace").split("\n")
            last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
            raise UserError(f"Label Studio did not come up ({last.strip()[:200]}): see {written}")
        time.sleep(0.2)


@contextmanager
def _alone(venv: Path) -> Iterator[None]:
    """Only one process at a time makes the environment; the system lets go when a process ends."""
    venv.parent.mkdir(parents=True, exist_ok=True)
    with open(venv.with_name(f".{venv.name}.lock"), "w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _pip(venv: Path) -> None:
    shown = sys.stderr.isatty()
    done = subprocess.run(  # noqa: S603  pip of the environment that was just made
        [
            venv / "bin" / "python",
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            *([] if shown else ["-q"]),
            f"label-studio=={VERSION}",
        ],
        stdout=sys.stderr if shown else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        said = [line for line in done.stderr.split("\n") if line.startswith("ERROR")] or ["pip failed"]
        raise UserError(f"cannot install Label Studio {VERSION} in {venv} ({said[-1][:200]}): is there a network?")
