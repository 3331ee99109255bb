"""A small HTTP proxy before a real server: it fails, answers slowly, or reports an error after success."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import httpx

HOP = {"transfer-encoding", "connection", "content-encoding", "content-length", "date", "server"}


@dataclass
class Fault:
    """A fault for the next requests of a method whose path matches `path`.

    times: the number of such requests; status, body, headers: the reply in place of the server's; after: the request
    reaches the server all the same; seconds: the delay of the request; until: it is held back until this is set;
    missing_bytes: how many bytes fewer than promised the reply has.
    """

    path: str
    method: str = "GET"
    times: int = 1
    status: int = 0
    after: bool = False
    seconds: float = 0.0
    until: threading.Event | None = None
    body: bytes = b'{"detail": "a fault of the test"}'
    headers: dict[str, str] = field(default_factory=dict)
    missing_bytes: int = 0


class Proxy:
    """Forwards every request to a server.

    faults: those still to happen; requests: method and path of each request; rewrite: changes the path of a request.
    """

    def __init__(self, target: str) -> None:
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.rewrite: Callable[[str], str] = str
        self.web = httpx.Client(base_url=target, timeout=60, trust_env=False, verify=False)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.web.close()

    def next_fault(self, method: str, path: str) -> Fault | None:
        """The fault for this request; each call uses up one of its times."""
        for fault in self.faults:
            if fault.times and fault.method == method and re.search(fault.path, path):
                fault.times -= 1
                return fault
        return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                proxy.requests.append(f"{self.command} {self.path}")
                fault = proxy.next_fault(self.command, self.path)
                time.sleep(fault.seconds if fault else 0)
                if fault and fault.until:
                    fault.until.wait(600)
                reply = None
                if not (fault and fault.status and not fault.after):
                    headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "accept-encoding")}
                    reply = proxy.web.request(self.command, proxy.rewrite(self.path), content=body, headers=headers)
                if fault and fault.status:
                    status, content = fault.status, fault.body
                    reply_headers = {"content-type": "application/json", **fault.headers}
                else:
                    assert reply is not None
                    status, content = reply.status_code, reply.content
                    reply_headers = {k: v for k, v in reply.headers.items() if k.lower() not in HOP}
                try:
                    self.send_response(status)
                    for name, value in reply_headers.items():
                        self.send_header(name, value)
                    self.send_header("content-length", str(len(content) + (fault.missing_bytes if fault else 0)))
                    self.end_headers()
                    self.wfile.write(content)
                    self.close_connection = bool(fault and fault.missing_bytes)
                except OSError:  # the client is gone
                    self.close_connection = True

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_one  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler
