"""Repeats requests that fail for a temporary reason (a server that restarts or is busy); else raises a UserError."""

import logging
import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from pipeline.errors import Unavailable, UserError

log = logging.getLogger("refinery")
PATIENCE_S = 60.0  # how long a request is repeated: a Label Studio that restarts needs about ten seconds
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0  # pauses between tries; each is twice the one before
BUSY = 429
TEMPORARY = (408, BUSY)  # HTTP statuses of temporary failures, besides those from 500 on
MALFORMED = (ValueError, TypeError, AttributeError, LookupError, RecursionError)  # of reading a reply of another form
SENT_STAYS = "questions that were sent stay on the server"  # in error messages
T = TypeVar("T")


class NotFoundError(UserError):
    """The project or task that a request is about is not on the server, or not any more."""


def with_retries(
    call: Callable[[bool], T],
    *,
    url: str,
    fault: type[Exception] | tuple[type[Exception], ...],
    request: str = "",
    patience_s: float | None = None,
) -> T:
    """The result of a call, which is repeated for a while when it fails for a temporary reason.

    A reply that cannot be read (cut short, damaged, or not of Label Studio's form) counts as such a failure.
    call: its argument is False for the first try and True for later ones, when the server may already have done the
    work of the first. fault: the classes of errors with status_code, headers and body; request: words for error
    messages; patience_s: how long the call is repeated, None for PATIENCE_S.
    Raises NotFoundError for status 404, UserError for every other failure that does not end in time.
    """
    patience_s = PATIENCE_S if patience_s is None else patience_s
    started, pause, retried = time.monotonic(), FIRST_PAUSE_S, False
    while True:
        try:
            return call(retried)
        except httpx.TooManyRedirects:
            raise UserError(f"the server at {url} redirects in a circle: give another --url") from None
        except httpx.DecodingError:
            failure, wait = _unreadable(url, request), pause
        except httpx.RequestError as error:
            failure, wait = _unreachable(url, error), pause
        except MALFORMED:
            failure, wait = _unreadable(url, request), pause
        except fault as error:
            failure, wait = _refused(url, request, error), max(pause, _retry_after(error))
            if not _is_temporary(error):
                raise failure from None
        if time.monotonic() - started + wait > patience_s and (retried or wait > patience_s):
            raise failure from None
        if not retried:
            log.info("the request to %s failed; it is repeated for up to %.0f s", url, patience_s)
        time.sleep(min(wait, patience_s))
        pause, retried = min(2 * pause, LONGEST_PAUSE_S), True


def _is_temporary(error: Any) -> bool:
    """Whether a failure may end by itself; a full disk stays full."""
    status = error.status_code or 0
    if 200 <= status < 300:  # its body could not be read: it was cut short, unless it is a web page
        return not is_web_page(error.body)
    return (status in TEMPORARY or status >= 500) and not _disk_is_full(error)


def _retry_after(error: Any) -> float:
    """The seconds that the server's reply asks to wait; 0 when it does not ask."""
    header = {k.lower(): v for k, v in (error.headers or {}).items()}.get("retry-after", "")
    return float(header) if re.fullmatch(r"[0-9]{1,9}", header.strip()) else 0.0


def _disk_is_full(error: Any) -> bool:
    detail = _detail(error).lower()
    return "disk is full" in detail or "no space left" in detail


def _unreachable(url: str, error: Exception) -> UserError:
    slow = isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout)
    if slow:
        return Unavailable(f"the server at {url} takes too long to answer: run again later; {SENT_STAYS}")
    why = " ".join(str(error).split())[:100] or type(error).__name__
    return Unavailable(
        f"no Label Studio answers at {url} ({why}): start it (`refinery review serve ROOT`), or give another --url"
    )


def _unreadable(url: str, request: str) -> UserError:
    """The error message for a reply of another form; what Python says of it would tell a user nothing."""
    about = f" ({request})" if request else ""
    return UserError(
        f"the reply of the server at {url} is not Label Studio's{about}, or was cut short: "
        "give the --url of a Label Studio, or look for a proxy that changes replies, and run again later; "
        f"{SENT_STAYS}"
    )


def _refused(url: str, request: str, error: Any) -> UserError:
    """The error message for a reply whose status is not a success, or that is not JSON; request: its words, or ""."""
    status, detail = error.status_code or 0, _detail(error)
    if 200 <= status < 300 and not is_web_page(error.body):
        return _unreadable(url, request)
    detail = f" ({detail})" if detail else ""
    if status == 404:
        return NotFoundError(f"the server at {url} does not have {request or 'this'}: was it deleted? Run again")
    if _disk_is_full(error):
        return UserError(f"the disk of the server at {url} is full: free some space there and run again; {SENT_STAYS}")
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
        return Unavailable(f"the server at {url} wants fewer requests (429): run again later; {SENT_STAYS}")
    if status >= 500:
        return Unavailable(
            f"the server at {url} fails with {status}{detail}: look at its log and run again; {SENT_STAYS}, "
            "and nothing is sent twice"
        )
    if status == 400:
        return UserError(f"the server at {url} refuses {request or 'a request'}{detail}")
    return UserError(f"the server at {url} is not a Label Studio (status {status}): give another --url")


def _detail(error: Any) -> str:
    """The explanation in the server's reply, at most 200 characters; "" for a web page."""
    body = error.body
    if isinstance(body, dict):
        body = body.get("validation_errors") or body.get("detail") or ""
        body = " ".join(str(v) for v in body.values()) if isinstance(body, dict) else str(body)
    elif is_web_page(body):
        body = ""
    return " ".join(str(body or "").split())[:200]


def is_web_page(body: Any) -> bool:
    """Whether the body of a reply is a web page; a proxy before the server may send one."""
    return isinstance(body, str) and body.lstrip()[:1] == "<"
