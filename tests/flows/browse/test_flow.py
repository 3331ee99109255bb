"""The command `refinery browse`: mistakes are one line, a port that is taken is none, and it ends when told to."""

import multiprocessing
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from flows.browse import endpoints, server
from flows.browse import gallery as gallery_module
from flows.browse.flow import ClosedGallery, browse, listening
from flows.browse.guard import KEY_HEADER
from flows.cli.console import main
from pipeline.errors import UserError
from tests.builders.processes.served_gallery import wait_until
from tests.builders.tables.drawn_refinement import drawn_root, refined


def test_mistakes_are_one_line_each(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no finished refinement"):
        browse(str(tmp_path))
    root = str(drawn_root(tmp_path_factory))
    for who in ("policy", " policy", "truth\u3000", "a\nb", "x" * 300):
        with pytest.raises(UserError, match="--who"):
            browse(root, who=who)
    for port in (-1, 70_000):
        with pytest.raises(UserError, match=f"--port {port}"):
            browse(root, port=port, who="ann")


def test_a_port_that_is_taken_gives_another_one_on_this_machine_alone() -> None:
    with listening(0) as first:
        port = first.getsockname()[1]
        socket.create_connection(first.getsockname(), timeout=60).close()  # it waits for the server to start
        with listening(port) as second:
            assert second.getsockname()[0] == "127.0.0.1"
            assert second.getsockname()[1] != port
            assert second.family == socket.AF_INET


def test_decisions_that_wait_are_said() -> None:
    assert "wait in the ledger" in ClosedGallery("r", True).lines()[0]
    assert "in the labels" in ClosedGallery("r", False).lines()[0]
    assert "no longer at r" in ClosedGallery("r", None).lines()[0]


def test_the_server_has_ended_before_its_port_is_closed(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = str(drawn_root(tmp_path_factory))
    before = {sign: signal.getsignal(sign) for sign in (signal.SIGTERM, signal.SIGHUP)}
    try:
        with listening(0) as listener:
            end = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM))
            closed = server.serve(root, listener, port=1, who="ann", opened=lambda _: end.start())
            assert "server" not in {thread.name for thread in threading.enumerate()}
            assert closed == (False, False)
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)


HOUR_S = 3600.0


def computes_for_an_hour(began: Path) -> Callable[..., None]:
    def compute(*_: object, **__: object) -> None:
        began.touch()
        with ThreadPoolExecutor(1) as pool:  # a process waits for those of its threads that such a pool started
            pool.submit(time.sleep, HOUR_S).result()

    return compute


def run_in_child(root: str, folder: Path) -> None:
    """`refinery browse` in a forked process, where labels and the page History take an hour."""
    sys.argv = ["refinery", "browse", root, "--no-browser", "--who", "ann", "--port", "0"]
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT), number)
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    gallery_module.label_again = computes_for_an_hour(folder / "labelling")
    endpoints.history = computes_for_an_hour(folder / "reading")
    main()


@pytest.mark.slow
def test_it_ends_soon_whatever_it_computes_and_whoever_is_connected(tmp_path: Path) -> None:
    root = refined(str(tmp_path / "root"))[0].root
    process = multiprocessing.get_context("fork").Process(target=run_in_child, args=(root, tmp_path))
    process.start()
    try:
        wait_until(lambda: (tmp_path / "err").exists() and "token=" in (tmp_path / "err").read_text())
        opened = re.search(r"open (http://127\.0\.0\.1:(\d+))/\?token=(\S+)", (tmp_path / "err").read_text())
        assert opened is not None
        address, port, token = opened.groups()
        with (
            httpx.Client(base_url=address, timeout=HOUR_S) as client,
            socket.create_connection(("127.0.0.1", int(port))),
        ):
            client.headers[KEY_HEADER] = client.get("/", params={"token": token}).headers["location"][len("/#key=") :]
            wait_until(lambda: client.get("/api/state").json()["ready"])
            face = client.get("/api/identity", params={"name": "p01"}).json()["groups"][0]["faces"][0]["face_id"]
            client.post("/api/decide", json={"kind": "unusable", "faces": [face]}, headers={"Origin": address})

            def read_history() -> None:
                with suppress(httpx.HTTPError):  # it is cut off, or answered by an error
                    client.get("/api/history")

            reader = threading.Thread(target=read_history)
            reader.start()
            wait_until(lambda: (tmp_path / "labelling").exists() and (tmp_path / "reading").exists())
            process.terminate()
            process.join(120)  # two seconds, and many more where the machine does much else
            assert process.exitcode == 0
            reader.join()
    finally:
        process.kill()
    assert "decisions wait in the ledger" in (tmp_path / "out").read_text()
    assert server.ANSWER_S < server.STOP_S
    assert server.STOP_S + server.LEAVE_S < 2
