"""A server whose JSON is not Label Studio's is told in words, with its address, and never in Python's."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.errors import UserError
from pipeline.review.label_studio import client
from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.records import Review, Server

PYTHON = ("NoneType", "object has no", "attribute", "KeyError", "validation error", "int()", "argument", "subscript")


class OddServer(ThreadingHTTPServer):
    """Answers every request with the same body, but that for the own account as Label Studio does, if wanted."""

    body, has_account = b"", False


@pytest.fixture
def odd_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OddServer]:
    monkeypatch.setattr("pipeline.review.label_studio.retry.PATIENCE_S", 0.0)
    monkeypatch.setattr("pipeline.review.label_studio.retry.FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(client, "FIRST_PATIENCE_S", 0.0)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            account = server.has_account and "whoami" in self.path
            body = b'{"id": 1, "email": "a@example.org"}' if account else server.body
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    server = OddServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("has_account", [False, True])
@pytest.mark.parametrize(
    "body", [b"{}", b'{"results": [3]}', b'{"count": 1, "results": {}}', b"[]", b"null", b"7", b"{"]
)
def test_odd_json_is_one_line_in_words(odd_server: OddServer, body: bytes, has_account: bool) -> None:
    odd_server.body, odd_server.has_account = body, has_account
    url = f"http://127.0.0.1:{odd_server.server_port}"
    with pytest.raises(UserError, match="is not Label Studio's") as raised:
        StudioClient(Server(url, "token")).projects(Review("review", "id"))
    message = str(raised.value)
    assert url in message
    assert "\n" not in message
    assert not [word for word in PYTHON if word in message], message
