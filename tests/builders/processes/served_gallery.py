"""A gallery of `refinery browse`, served in this process at a free port."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from flows.browse import gallery as gallery_module
from flows.browse.endpoints import gallery_app
from flows.browse.flow import listening
from flows.browse.gallery import Gallery
from flows.browse.guard import Guard, Secrets
from flows.browse.server import server_of

KNOWN = Secrets("a-token", "a-cookie", "a-key")
TOKEN = KNOWN.token


def wait_until(holds: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def started(root: str, who: str) -> Iterator[Gallery]:
    """A gallery that has read the root, and that makes labels again soon after each decision."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gallery_module, "PAUSE_S", 0.05)
        patch.setattr(gallery_module, "POLL_S", 0.1)
        gallery = Gallery(root, who=who)
        gallery.start()
        wait_until(lambda: gallery.is_ready)
        try:
            yield gallery
        finally:
            gallery.end()
            gallery.wait()


@contextmanager
def served(gallery: Gallery) -> Iterator[str]:
    """The address at which the gallery is served, without the token."""
    with listening(0) as listener:
        port = listener.getsockname()[1]
        app = Guard(gallery_app(gallery), known=KNOWN, port=port)
        server = server_of(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join()
