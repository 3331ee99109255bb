"""The server of a gallery: uvicorn at a socket that listens already, until Ctrl-C or SIGTERM, and two seconds longer.

The server and the labels have threads of their own. What they have not finished when the time is over is left: every
decision is in the ledger by then, and labels that a process did not finish are made by the next one.
"""

import atexit
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import uvicorn

from flows.browse.computed import is_computing
from flows.browse.connections import BACKLOG, BoundedConnections
from flows.browse.endpoints import gallery_app
from flows.browse.gallery import Gallery
from flows.browse.guard import App, Guard, new_secrets

ANSWER_S = 1  # that open requests may take once the server is to end; uvicorn takes whole numbers
STOP_S = 1.5  # until the server and the labels are left as they are
LEAVE_S = 0.4  # from then on until the process ends, in which its result is printed


class Closed(NamedTuple):
    """How a gallery ended: whether answers are left that the labels lack, and whether threads still compute."""

    pending: bool | None  # None: the refinement is gone
    unfinished: bool


def serve(root: str, listener: socket.socket, *, port: int, who: str, opened: Callable[[str], None]) -> Closed:
    """Serve the gallery of a root until the process is told to stop.

    opened: gets the address to open, which holds the token.
    """
    gallery, known = Gallery(root, who=who), new_secrets()
    guarded = Guard(gallery_app(gallery), known=known, port=port)
    for sign in (signal.SIGTERM, signal.SIGHUP):  # by a service manager, or as the terminal closes
        if signal.getsignal(sign) is not signal.SIG_IGN:  # under nohup the terminal may close
            signal.signal(sign, signal.default_int_handler)
    server = server_of(guarded)
    ended = threading.Event()  # not Thread.join(): a thread counts as ended once Ctrl-C interrupted that

    def run() -> None:
        try:
            server.run(sockets=[listener])
        finally:
            ended.set()

    # a daemon: neither it nor the threads that it starts for requests are waited for when the process ends
    thread = threading.Thread(target=run, name="server", daemon=True)
    gallery.start()
    try:
        thread.start()
        opened(f"http://127.0.0.1:{port}/?token={known.token}")
        with suppress(KeyboardInterrupt):
            ended.wait()
    finally:
        deadline = time.monotonic() + STOP_S
        server.should_exit = True
        gallery.end()
        ended.wait(STOP_S)
        is_ended = gallery.wait(max(0.0, deadline - time.monotonic()))
    return Closed(gallery.lacks_answers(), not (ended.is_set() and is_ended) or is_computing())


def server_of(app: App) -> uvicorn.Server:
    """The server of an application, which run() serves at a socket that listens."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # addresses hold names of people, and once the token
        server_header=False,
        timeout_graceful_shutdown=ANSWER_S,
        http=BoundedConnections,
        backlog=BACKLOG,
        lifespan="off",
        ws="none",
    )
    return uvicorn.Server(config)


def end_soon(*, unfinished: bool) -> None:
    """Let this process end with status 0 once its result is printed, without taking its libraries down one by one.

    unfinished: whether threads of it still compute. They would be waited for, and where they compute outside of Python,
    they cannot be ended one by one.
    """
    if unfinished:
        timer = threading.Timer(LEAVE_S, _leave)
        timer.daemon = True
        timer.start()
    atexit.register(_leave)


def _leave() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)
