"""A Label Studio server on this machine, for users who have none: a process that listens on loopback only.

Its data, its account and its token lie in one folder; only the owner of the files can read token and password. What
other accounts must not change, a middleware in the server keeps from them.
"""

import logging
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

from pipeline.child_process import end_child, start_child
from pipeline.errors import UserError
from pipeline.review.label_studio.installation import install
from pipeline.review.server_folder import ACCOUNT, media_folder, prepare, served_folder, sign_up_key

log = logging.getLogger("refinery")
START_TIMEOUT_S = 180  # the first start makes the database, which takes half a minute on two idle cores
QUIET = {"COLLECT_ANALYTICS": "false", "LATEST_VERSION_CHECK": "false", "SENTRY_DSN": "", "FRONTEND_SENTRY_DSN": ""}
# what the server gets of this process's environment. Not keys of object stores, for example: an annotator may make the
# server read a bucket with the keys that it finds
INHERITED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
INHERITED_PREFIX, NOT_INHERITED = "LABEL_STUDIO_", ("LABEL_STUDIO_API_KEY", "LABEL_STUDIO_URL")
GUARD = (
    Path(__file__).parent / "owner_guard"
)  # modules that the server loads: they keep the owner's settings from others


class LocalServer(NamedTuple):
    """A running server, its process, and what its owner needs of it."""

    url: str
    token: Path  # the file that holds the account's token
    password: Path  # the file that holds its password
    media: Path  # the folder from which pages may show pictures
    invitation: str  # the address at which an annotator makes an account; nobody can make one without it
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Stop the server and wait until its process has ended."""
        end_child(self.process)


def start(folder: Path, *, port: int, venv: Path) -> LocalServer:
    """Start Label Studio on 127.0.0.1 and wait until it answers; it ends with this process at the latest.

    folder: for its data, token and password, made if needed; pages show pictures from the folder `files` beside it.
    venv: the virtual environment in which Label Studio is, or will be, installed.
    Raises UserError when the port is taken or the server does not answer within START_TIMEOUT_S.
    """
    program = install(venv)
    _check_port(port)
    folder, url = folder.absolute(), f"http://127.0.0.1:{port}"
    first = not (folder / "data" / "label_studio.sqlite3").exists()
    log.info("starting Label Studio at %s%s", url, " (half a minute or more the first time)" if first else "")
    try:
        prepare(folder)
        process = _start_process(program, folder, url, port)
    except OSError as error:
        raise UserError(
            f"cannot start a server in {folder} ({error.strerror or error}): give a folder that can be written to"
        ) from None
    try:
        _wait_until_up(process, url, folder / "server.log")
        (folder / "url").write_text(url + "\n")
        (folder / "url").chmod(0o600)
        invitation = f"{url}/user/signup/?token={sign_up_key(folder)}"
    except BaseException:
        end_child(process)
        raise
    return LocalServer(url, folder / "token", folder / "password", media_folder(folder), invitation, process)


def is_up(url: str, *, timeout_s: float = 5) -> bool:
    """Whether a Label Studio answers at an address."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=timeout_s) as reply:  # noqa: S310  an http address
            return bool(reply.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _start_process(program: Path, folder: Path, url: str, port: int) -> subprocess.Popen[bytes]:
    with open(folder / "server.log", "ab") as log_file:
        (folder / "server.log").chmod(0o600)
        return start_child(
            [program, "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)],
            env=_environment(folder, url),
            output=log_file,
            errors=log_file,
            folder=folder,
        )


def _environment(folder: Path, url: str) -> dict[str, str]:
    """The environment variables of the server; those with account and token have an effect at the first start only."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name in INHERITED
        or name.lower().endswith("_proxy")
        or (name.startswith(INHERITED_PREFIX) and name not in NOT_INHERITED)
    }
    ours = {
        "HOME": str(folder),
        "LABEL_STUDIO_BASE_DATA_DIR": str(folder / "data"),
        "LABEL_STUDIO_HOST": url,
        "LABEL_STUDIO_USERNAME": ACCOUNT,
        "LABEL_STUDIO_PASSWORD": (folder / "password").read_text().strip(),
        "LABEL_STUDIO_USER_TOKEN": (folder / "token").read_text().strip(),
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(served_folder(folder)),
        "DJANGO_SETTINGS_MODULE": "guarded_settings",
        "PYTHONPATH": str(GUARD),
        "SSRF_PROTECTION_ENABLED": "false",  # lets the server call webhooks on this machine
    }
    return inherited | QUIET | ours


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


def _wait_until_up(process: subprocess.Popen[bytes], url: str, log_file: Path) -> None:
    """Raises UserError with the last line of the log when the server ends or does not answer in time."""
    until = time.monotonic() + START_TIMEOUT_S
    while not is_up(url):
        if process.poll() is not None or time.monotonic() > until:
            lines = log_file.read_text(errors="replace").split("\n")
            last = next((line for line in reversed(lines) if line.strip()), "it wrote nothing")
            raise UserError(f"Label Studio did not start ({last.strip()[:200]}): see {log_file}")
        time.sleep(0.2)
