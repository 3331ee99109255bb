"""Connections without the key, from any program of this machine: the gallery goes on, and its log says it once."""

import logging
import socket
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from flows.browse import connections
from flows.browse.gallery import Gallery
from tests.builders.processes.served_gallery import served, wait_until


def is_closed(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_connections_that_are_too_many_or_silent_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 8)
    monkeypatch.setattr(connections, "SILENT_S", 1.0)
    connections._say_once.cache_clear()
    with ExitStack() as stack, caplog.at_level(logging.WARNING):
        base = stack.enter_context(served(Gallery(str(tmp_path), who="ann")))
        port = urlsplit(base).port
        opened = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60)) for _ in range(40)]
        wait_until(lambda: sum(map(is_closed, opened)) >= 32)
        wait_until(lambda: all(map(is_closed, opened)))  # those that sent nothing
        assert httpx.get(base, timeout=120, verify=False).status_code == 401
    assert caplog.text.count("connections at once") == 1
