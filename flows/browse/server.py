"""The server of a gallery: uvicorn at a socket that listens already, until Ctrl-C or SIGTERM."""

import signal
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from flows.browse.endpoints import gallery_app
from flows.browse.gallery import Gallery
from flows.browse.guard import Guard, new_token

STOP_S = 2  # that open requests may take once the server is to end


def serve(root: str, listener: socket.socket, *, port: int, who: str, opened: Callable[[str], None]) -> bool:
    """Serve the gallery of a root until it is stopped; returns whether decisions are left that the labels lack.

    opened: gets the address to open, which holds the token.
    """
    gallery, token = Gallery(root, who=who), new_token()
    guarded = Guard(gallery_app(gallery), token=token, port=port)
    config = uvicorn.Config(
        guarded,
        log_config=None,
        access_log=False,  # addresses hold names of people, and once the token
        server_header=False,
        timeout_graceful_shutdown=STOP_S,
        lifespan="off",
        ws="none",
    )
    for sign in (signal.SIGTERM, signal.SIGHUP):  # by a service manager, or as the terminal closes
        if signal.getsignal(sign) is not signal.SIG_IGN:  # under nohup the terminal may close
            signal.signal(sign, signal.default_int_handler)
    gallery.start()
    try:
        opened(f"http://127.0.0.1:{port}/?token={token}")
        with suppress(KeyboardInterrupt):  # uvicorn ends, and gives the signal on
            uvicorn.Server(config).run(sockets=[listener])
    finally:
        gallery.stop()
    return gallery.is_pending
