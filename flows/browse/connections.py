"""Connections to the gallery's port: so many at once, and none that asks for nothing.

Every program of this machine can open them, also without the key. Each takes an open file of the process; without any
left it can neither read the root nor accept the browser.
"""

import asyncio
import logging
from functools import cache

from uvicorn.protocols.http.h11_impl import H11Protocol

log = logging.getLogger("refinery")
MAX_CONNECTIONS = 64  # a browser opens six to a host; a process may have 256 open files, or more
BACKLOG = 16  # connections that are accepted at a time, before those that are too many are closed
SILENT_S = 20.0  # until a connection that sent no whole request is closed


class BoundedConnections(H11Protocol):
    """HTTP/1.1 of uvicorn for connections that are not too many at once."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or close it."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            _say_once()
            transport.abort()
        else:
            self.loop.call_later(SILENT_S, self._close_if_silent)

    def _close_if_silent(self) -> None:
        if self.cycle is None:  # no request has come
            self.transport.abort()


@cache
def _say_once() -> None:
    log.warning(
        "browse: more than %d connections at once: another program opens them; further ones are closed",
        MAX_CONNECTIONS,
    )
