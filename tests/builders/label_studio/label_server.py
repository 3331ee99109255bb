"""A real Label Studio for tests; its empty database is made once and then copied."""

import os
import shutil
import socket
from pathlib import Path
from unittest.mock import patch

from pipeline.review.label_studio import installation, local_server
from pipeline.review.label_studio.local_server import LocalServer
from pipeline.review.label_studio.records import Server
from tests.builders.label_studio.simulated_annotators import invite

QUICK_SETTINGS = Path(__file__).parent / "server_settings"  # a folder of one module that the server loads
ENVIRONMENT = local_server._environment


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def begin(folder: Path, port: int = 0) -> LocalServer:
    """A server with an empty database, which is copied from an earlier one: making one takes half a minute."""
    venv = installation.environment_folder()
    empty = venv / f"empty-{installation.VERSION}"
    if empty.exists() and not folder.exists():
        shutil.copytree(empty, folder)
        folder.chmod(0o700)
    local = _start(folder, port, venv)
    if not empty.exists():
        local.stop()
        making = venv / f".empty-{os.getpid()}"
        shutil.copytree(folder, making)
        (making / "server.log").unlink()
        try:
            making.rename(empty)
        except OSError:  # another process was faster
            shutil.rmtree(making)
        local = _start(folder, port, venv)
    invite(local)
    return local


def _start(folder: Path, port: int, venv: Path) -> LocalServer:
    with patch.object(local_server, "_environment", _quick_environment):
        return local_server.start(folder, port=port or free_port(), venv=venv)


def _quick_environment(folder: Path, url: str) -> dict[str, str]:
    variables = ENVIRONMENT(folder, url)
    path = f"{QUICK_SETTINGS}{os.pathsep}{variables['PYTHONPATH']}"
    return variables | {"DJANGO_SETTINGS_MODULE": "quick_settings", "PYTHONPATH": path}


def connection(local: LocalServer) -> Server:
    """The address and the token of a local server."""
    return Server(local.url, local.token.read_text().strip())
