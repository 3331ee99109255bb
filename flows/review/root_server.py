"""The Label Studio of a root's review: the one of --url, or the local one that `review serve ROOT` started."""

import os
from pathlib import Path

from pipeline.errors import UserError
from pipeline.review.label_studio.records import Server

DEFAULT_URL = "http://127.0.0.1:8080"


def server_of(root: str, url: str) -> Server:
    """The server at this url, "" for the local one of the root; its token comes from the environment or a file.

    Raises UserError where there is no token.
    """
    url = (url or local_url(root) or DEFAULT_URL).rstrip("/")
    token = token_of(root)
    if not token:
        raise UserError(
            f"no token for {url}: set LABEL_STUDIO_API_KEY, or start a server with `refinery review serve {root}`"
        )
    return Server(url, token)


def media_folder(root: str, url: str) -> Path | None:
    """The folder from which the local server of this root shows pictures; None for any other server.

    Other servers get the pictures inside the questions.
    """
    if "://" in root or local_url(root).rstrip("/") != url:
        return None
    return Path(root).absolute() / "review" / "files"


def _server_folder(root: str) -> Path:
    return Path(root).absolute() / "review" / "server"


def token_of(root: str) -> str:
    """The token of LABEL_STUDIO_API_KEY, else of the root's local server; "" where there is neither."""
    file = _server_folder(root) / "token"
    return os.environ.get("LABEL_STUDIO_API_KEY", "") or (file.read_text().strip() if file.exists() else "")


def local_url(root: str) -> str:
    """The address at which `review serve ROOT` last ran; "" where it never ran."""
    file = _server_folder(root) / "url"
    return file.read_text().strip() if file.exists() else ""
