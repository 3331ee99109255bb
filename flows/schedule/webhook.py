"""A port for Label Studio's webhook: an answer starts a run that collects, before the schedule would.

Only that something was posted counts, not what; many posts in a row start one run. Where REFINERY_WEBHOOK_SECRET is
set, a post must carry it in the header X-Refinery-Secret.
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
MAX_BODY_BYTES = 1 << 20  # read and thrown away, so that the sender is not cut off
BODY_TIMEOUT_S = 30.0  # for a sender that announces a body and sends none
PAUSE_S = 10.0  # between two runs: people answer faster than that


@contextmanager
def listen(port: int, deployment: str, *, pause_s: float = PAUSE_S) -> Iterator[int]:
    """Answer POST on a loopback port for the block, and start runs of the deployment ("flow/name"); yields the port.

    port: 0 takes a free one. Raises UserError when the port is taken.
    """
    posted, ended = threading.Event(), threading.Event()
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), request_handler(posted))
    except OSError as error:
        raise UserError(f"--webhook-port {port}: {error.strerror}: give another port") from None
    context = copy_context()  # says which Prefect server is used; a new thread would not know
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
    """Start one run for all posts since the run before."""
    while posted.wait() and not ended.is_set():
        posted.clear()
        try:
            run_deployment(deployment, timeout=0, as_subflow=False)
        except Exception as error:  # noqa: BLE001  the schedule collects all the same, and the port stays open
            log.warning("a webhook posted and no run could be started (%s): the schedule will collect", error)
        ended.wait(pause_s)


def request_handler(posted: threading.Event) -> type[BaseHTTPRequestHandler]:
    """The handler of the port: it sets the event when someone posts who may.

    Answers 202 to a post that counts, 401 to one without the secret, 400 to one whose length is no number.
    """

    class Handler(BaseHTTPRequestHandler):
        """Knows POST alone."""

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
            """Log nothing: addresses and headers stay out of our log."""

    return Handler


def _has_secret(header: str) -> bool:
    """Whether the header holds the secret, or there is none; headers come as latin-1."""
    secret = os.environ.get(SECRET, "")
    return not secret or hmac.compare_digest(header.encode("latin-1"), secret.encode())
