"""A port for Label Studio's webhook: a post after an answer starts a run that collects, before the schedule does.

The content of a post is not read; many posts in a row start one run. Where REFINERY_WEBHOOK_SECRET is set, a post must
have it in the header X-Refinery-Secret.
"""

import hmac
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prefect.deployments import run_deployment

from pipeline.errors import UserError
from pipeline.sources.text_lists import whole_number

log = logging.getLogger("refinery")
HEADER, SECRET = "X-Refinery-Secret", "REFINERY_WEBHOOK_SECRET"
MAX_BODY_BYTES = 1 << 20  # read and ignored, so that the sender gets its answer
BODY_TIMEOUT_S = 30.0  # for a sender that announces a body and sends nothing
PAUSE_S = 10.0  # between two runs, so that one run collects several answers


@contextmanager
def listen(port: int, deployment: str, *, pause_s: float = PAUSE_S) -> Iterator[int]:
    """In the block, answer POST on a loopback port and start runs of the deployment ("flow/name"). Yields the port.

    port: 0 for any free one. Raises UserError when the port is taken.
    """
    posted, ended = threading.Event(), threading.Event()
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), request_handler(posted))
    except OSError as error:
        raise UserError(f"--webhook-port {port}: {error.strerror}: give another port") from None
    context = copy_context()  # holds which Prefect server is used; a new thread has an empty context
    runs = threading.Thread(target=context.run, args=(_start_runs, deployment, posted, ended, pause_s), daemon=True)
    for thread in (threading.Thread(target=server.serve_forever, daemon=True), runs):
        thread.start()
    log.info("a webhook may post to http://127.0.0.1:%d", server.server_port)
    try:
        yield server.server_port
    finally:
        ended.set()
        posted.set()
        server.shutdown()
        server.server_close()


def _start_runs(deployment: str, posted: threading.Event, ended: threading.Event, pause_s: float) -> None:
    """Whenever posts came, start one run for all of them."""
    while posted.wait() and not ended.is_set():
        posted.clear()
        try:
            run_deployment(deployment, timeout=0, as_subflow=False)
        except Exception as error:  # noqa: BLE001  the schedule collects all the same, and the port stays open
            log.warning("a webhook posted and no run could be started (%s): the schedule will collect", error)
        ended.wait(pause_s)


def request_handler(posted: threading.Event) -> type[BaseHTTPRequestHandler]:
    """The port's handler of requests, which sets the event on an accepted post.

    Answers 202 to an accepted post, 401 to one without the secret, 400 to one whose length is not a number.
    """

    class Handler(BaseHTTPRequestHandler):
        """Handles POST only."""

        timeout = BODY_TIMEOUT_S

        def do_POST(self) -> None:
            length = whole_number(self.headers.get("Content-Length") or "0")
            if length is not None:
                self.rfile.read(min(MAX_BODY_BYTES, length))
            allowed = _has_secret(self.headers.get(HEADER, ""))
            self.send_response(400 if length is None else 202 if allowed else 401)
            self.send_header("Content-Length", "0")
            self.end_headers()
            if allowed and length is not None:
                posted.set()

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: addresses and headers must not get into the log."""

    return Handler


def _has_secret(header: str) -> bool:
    """Whether the header holds the secret, or no secret is set; headers are latin-1."""
    secret = os.environ.get(SECRET, "")
    return not secret or hmac.compare_digest(header.encode("latin-1"), secret.encode())
