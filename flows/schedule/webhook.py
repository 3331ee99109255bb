"""A door for Label Studio's webhook: someone answered, so collect now instead of at the next quarter of an hour.

What is posted is not looked at, only that it was; many answers in a row are one collect. With REFINERY_WEBHOOK_SECRET
set, only who sends it in the header X-Refinery-Secret is heard.
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
MOST = 1 << 20  # bytes of a body that are read and thrown away
PATIENCE_S = 30.0  # with who says that a body comes and sends none
REST_S = 10.0  # seconds between two collects; people answer faster than that


@contextmanager
def listen(port: int, deployment: str, *, rest_s: float = REST_S) -> Iterator[int]:
    """Answers POST on a loopback port for the block, and starts runs of the deployment ("flow/name"); the port.

    port: 0 takes a free one. Raises UserError when the port is taken.
    """
    rung, ended = threading.Event(), threading.Event()
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), door(rung))
    except OSError as error:
        raise UserError(f"--webhook-port {port}: {error.strerror}: give another port") from None
    here = copy_context()  # which Prefect server is meant, a new thread would not know
    collect = threading.Thread(target=here.run, args=(_collect, deployment, rung, ended, rest_s), daemon=True)
    for thread in (threading.Thread(target=server.serve_forever, daemon=True), collect):
        thread.start()
    log.info("a webhook is awaited on http://127.0.0.1:%d", server.server_port)
    try:
        yield server.server_port
    finally:
        ended.set()
        rung.set()
        server.shutdown()
        server.server_close()


def _collect(deployment: str, rung: threading.Event, ended: threading.Event, rest_s: float) -> None:
    """One run for all that rang since the last one."""
    while rung.wait() and not ended.is_set():
        rung.clear()
        try:
            run_deployment(deployment, timeout=0, as_subflow=False)
        except Exception as error:  # noqa: BLE001  the schedule collects all the same, so the door stays open
            log.warning("a webhook came and no run could be started (%s): the schedule will do", error)
        ended.wait(rest_s)


def door(rung: threading.Event) -> type[BaseHTTPRequestHandler]:
    """What answers at the port: an event that is set when someone rings who may."""

    class Door(BaseHTTPRequestHandler):
        """POST rings; anything else is not known here."""

        timeout = PATIENCE_S

        def do_POST(self) -> None:
            length = whole_number(self.headers.get("Content-Length") or "0")
            if length is not None:
                self.rfile.read(min(MOST, length))
            known = _known(self.headers.get(HEADER, ""))
            self.send_response(400 if length is None else 202 if known else 401)
            self.send_header("Content-Length", "0")
            self.end_headers()
            if known and length is not None:
                rung.set()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: addresses and headers are nobody's business."""

    return Door


def _known(given: str) -> bool:
    secret = os.environ.get(SECRET, "")
    return not secret or hmac.compare_digest(given.encode("latin-1"), secret.encode())  # latin-1: as headers come
