"""`refinery review serve` as a process of its own: it starts, prints its address, and ends with Ctrl-C."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.review.label_studio import installation, local_server
from pipeline.review.label_studio.records import Server
from tests.builders.label_studio.label_server import free_port
from tests.builders.label_studio.sent_questions import review_of, sent_items
from tests.builders.processes.waiting import wait_until

pytestmark = pytest.mark.server
SERVE = """
import logging, sys
from flows.review.label_server import serve
logging.basicConfig(level="INFO", format="%(message)s")
print(*serve(sys.argv[1], int(sys.argv[2])).lines())
"""


@contextmanager
def terminating(running: "subprocess.Popen[str]") -> "Iterator[subprocess.Popen[str]]":
    """A process that does not outlive the test, whatever that finds."""
    try:
        yield running
    finally:
        if running.poll() is None:
            running.terminate()
            running.communicate(timeout=300)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_the_address_is_printed_and_the_server_ends_with_the_command(tmp_path: Path, sign: signal.Signals) -> None:
    port, folder = free_port(), tmp_path / "review" / "server"
    empty = installation.environment_folder() / f"empty-{installation.VERSION}"
    if empty.exists():  # a database that was made before, as making one takes half a minute
        shutil.copytree(empty, folder)
    command = [sys.executable, "-c", SERVE, str(tmp_path), str(port)]
    with terminating(subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)) as running:
        assert running.stderr is not None
        lines = []
        for line in running.stderr:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        token = (folder / "token").read_text().strip()
        output = "".join(lines)
        assert f"Label Studio is at http://127.0.0.1:{port};" in output
        assert f"make their accounts at http://127.0.0.1:{port}/user/signup/?token=" in output
        assert f"export LABEL_STUDIO_API_KEY=$(cat {folder / 'token'})" in output
        assert token not in output
        assert (folder / "password").read_text().strip() not in output
        url = (folder / "url").read_text().strip()
        assert sent_items(Server(url, token), review_of("nothing")) == {}
        with pytest.raises(UserError, match=f"port {port} is taken"):
            local_server.start(folder, port=port, venv=installation.environment_folder())
        running.send_signal(sign)
        out, _ = running.communicate(timeout=300)
        assert running.returncode == 0
        assert "its data stays" in out
    assert not local_server.is_up(url)


def test_the_server_ends_with_a_command_that_is_killed(tmp_path: Path) -> None:
    port, folder = free_port(), tmp_path / "review" / "server"
    empty = installation.environment_folder() / f"empty-{installation.VERSION}"
    if empty.exists():
        shutil.copytree(empty, folder)
    with terminating(subprocess.Popen([sys.executable, "-c", SERVE, str(tmp_path), str(port)])) as running:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: local_server.is_up(url), "it did not start")
        running.kill()
        wait_until(lambda: not local_server.is_up(url), "it is still there", seconds=30)


def test_a_server_that_does_not_start_is_an_error_with_its_last_log_lines(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / f".ready-{installation.VERSION}").touch()
    (venv / "bin" / "label-studio").write_text("#!/bin/sh\necho it has no database\nexit 3\n")
    (venv / "bin" / "label-studio").chmod(0o755)
    with pytest.raises(UserError, match=r"did not start \(it has no database\): see .*server.log"):
        local_server.start(tmp_path / "server", port=free_port(), venv=venv)


def test_a_taken_port_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    venv.mkdir()
    (venv / f".ready-{installation.VERSION}").touch()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} is taken"):
            local_server.start(tmp_path / "server", port=port, venv=venv)
    assert not (tmp_path / "server").exists()


def test_an_installation_that_fails_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot make a virtual environment"):
        installation.install(tmp_path / "file" / "venv")
    assert os.listdir(tmp_path) == ["file"]
