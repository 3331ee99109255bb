"""Requests to a server that is down, slow, busy or broken: repeated while the failure may pass, else one clear line."""

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from pipeline.errors import UserError

log = logging.getLogger("refinery")
PATIENCE_S = 60.0  # of trying again: a Label Studio that restarts needs about ten seconds
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0  # between two tries, doubled each time
BUSY = 429
PASSING = (408, BUSY)  # statuses of failures that may pass; those from 500 on may, too
T = TypeVar("T")


class NotFoundError(UserError):
    """What a request was about is not on the server (any more)."""


def with_retries(
    call: Callable[[bool], T],
    *,
    url: str,
    fault: type[Exception],
    request: str = "",
    patience_s: float | None = None,
) -> T:
    """What the call returns, tried again for a while when it fails in a way that may pass.

    call: its argument says whether it is tried again, as what must not be done twice may have been done although it
    failed. fault: the errors that carry a status_code, headers and a body; request: in words, for errors; patience_s:
    for how long it is tried, PATIENCE_S where it is None.
    Raises NotFoundError on 404, and UserError for a failure that does not pass.
    """
    patience_s = PATIENCE_S if patience_s is None else patience_s
    started, pause, retried = time.monotonic(), FIRST_PAUSE_S, False
    while True:
        try:
            return call(retried)
        except httpx.TransportError as error:
            failure, wait = _unreachable(url, error), pause
        except fault as error:
            failure, wait = _refused(url, request, error), max(pause, _retry_after(error))
            if not _may_pass(error):
                raise failure from None
        if time.monotonic() - started + wait > patience_s and (retried or wait > patience_s):
            raise failure from None
        if not retried:
            log.info("%s does not do its work at the moment; trying again for up to %.0f s", url, patience_s)
        time.sleep(min(wait, patience_s))
        pause, retried = min(2 * pause, LONGEST_PAUSE_S), True


def _may_pass(error: Any) -> bool:
    status = error.status_code or 0
    return (status in PASSING or status >= 500) and not _disk_is_full(error)


def _retry_after(error: Any) -> float:
    """The seconds that the server asks to wait; 0 where it does not say."""
    header = {k.lower(): v for k, v in (error.headers or {}).items()}.get("retry-after", "")
    return float(header) if header.isdigit() else 0.0


def _disk_is_full(error: Any) -> bool:
    detail = _detail(error).lower()
    return "disk is full" in detail or "no space left" in detail


def _unreachable(url: str, error: Exception) -> UserError:
    slow = isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout)
    if slow:
        return UserError(f"the server at {url} takes too long to answer: run again later; what was sent stays")
    why = " ".join(str(error).split())[:100] or type(error).__name__
    return UserError(
        f"no Label Studio answers at {url} ({why}): start it (`refinery review serve ROOT`), or give another --url"
    )


def _refused(url: str, request: str, error: Any) -> UserError:
    """The error for a reply with a status that is no success."""
    status, detail = error.status_code or 0, _detail(error)
    detail = f" ({detail})" if detail else ""
    if status == 404:
        return NotFoundError(f"the server at {url} does not know {request or 'the request'}: was it deleted? run again")
    if _disk_is_full(error):
        return UserError(f"the disk of the server at {url} is full: free some there and run again; what was sent stays")
    if status == 401:
        return UserError(
            f"the server at {url} refuses the token{detail}: make one there under Account & Settings, "
            "and export LABEL_STUDIO_API_KEY=..."
        )
    if status == 403:
        return UserError(
            f"the server at {url} does not let this account {request or 'do that'}{detail}: use another token"
        )
    if status == BUSY:
        return UserError(f"the server at {url} wants fewer requests (429): run again later; what was sent stays")
    if status >= 500:
        return UserError(
            f"the server at {url} fails with {status}{detail}: look at its log and run again; what was sent "
            "stays, and nothing is sent twice"
        )
    if status == 400:
        return UserError(f"the server at {url} refuses {request or 'a request'}{detail}")
    return UserError(f"what answers at {url} is no Label Studio (status {status}): give another --url")


def _detail(error: Any) -> str:
    """The server's own explanation, in a few words; never a whole page or the data that was sent."""
    body = error.body
    if isinstance(body, dict):
        body = body.get("validation_errors") or body.get("detail") or ""
        body = " ".join(str(v) for v in body.values()) if isinstance(body, dict) else str(body)
    elif is_web_page(body):
        body = ""
    return " ".join(str(body or "").split())[:200]


def is_web_page(body: Any) -> bool:
    """Whether a reply is a page for people, perhaps from a proxy in between."""
    return isinstance(body, str) and body.lstrip()[:1] == "<"
