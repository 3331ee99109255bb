"""The Label Studio of a root's review: the one of --url, or the local one that `review serve ROOT` started.

A token is sent to the address that it was given for, and to no other.
"""

import os
import re
from pathlib import Path

from flows.prefect_runtime.flow_run import started_by_prefect
from pipeline.errors import UserError
from pipeline.review import server_folder
from pipeline.review.label_studio.records import Server

LOOPBACK = re.compile(r"http://127\.0\.0\.1:\d+/?")
DEFAULT_URL = "http://127.0.0.1:8080"
URL_VARIABLE, TOKEN_VARIABLE = "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"


def server_of(root: str, url: str) -> Server:
    """The server at this url, "" for the local one of the root; its token comes from the environment or a file.

    Raises UserError where there is no token for this address.
    """
    url = address_of(root, url)
    token = token_of(root, url)
    if not token:
        given = f"{TOKEN_VARIABLE} and {URL_VARIABLE}={url}" if started_by_prefect() else TOKEN_VARIABLE
        raise UserError(f"no token for {url}: set {given}, or start a server with `refinery review serve {root}`")
    return Server(url, token)


def address_of(root: str, url: str) -> str:
    """The address of the server that a command uses with this --url; "" where none was given."""
    return (url or local_url(root) or DEFAULT_URL).rstrip("/")


def media_folder(root: str, url: str) -> Path | None:
    """The folder from which the local server of this root shows pictures; None for any other server.

    Other servers get the pictures inside the questions.
    """
    if "://" in root or local_url(root).rstrip("/") != url:
        return None
    media = server_folder.media_folder(_server_folder(root))
    # a server of an earlier version, which still runs, shows the files themselves
    return media if media.exists() else Path(root).absolute() / "review" / "files"


def _server_folder(root: str) -> Path:
    return Path(root).absolute() / "review" / "server"


def token_of(root: str, url: str) -> str:
    """The token for the server at an address, with no / at its end; "" where none was given for it.

    The token in LABEL_STUDIO_API_KEY is for the address in LABEL_STUDIO_URL, or for the one that a command was called
    with. A run that a Prefect server started was not called by a person: whoever can start runs there chooses the
    address, so for it the variable alone counts. The token of the root's local server is for that server.
    """
    token = os.environ.get(TOKEN_VARIABLE, "")
    if token and (os.environ.get(URL_VARIABLE, "").rstrip("/") == url or not started_by_prefect()):
        return token
    file = _server_folder(root) / "token"
    return file.read_text().strip() if url == local_url(root).rstrip("/") and file.exists() else ""


def local_url(root: str) -> str:
    """The address at which `review serve ROOT` last ran; "" where it never ran.

    Such a server is on loopback: another address in the file of a root that came from elsewhere would get the token.
    """
    file = _server_folder(root) / "url"
    url = file.read_text().strip() if file.exists() else ""
    return url if LOOPBACK.fullmatch(url) else ""
