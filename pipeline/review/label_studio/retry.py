"""What a server that is down, slow, busy or broken gets: patience where it can pass, one clear line where it cannot."""

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from pipeline.errors import UserError

log = logging.getLogger("refinery")
PATIENCE = 60.0  # seconds of trying again: a Label Studio that restarts needs about ten
FIRST, LONGEST = 0.5, 8.0  # seconds between two tries, doubled each time
BUSY = 429
PASSES = (408, BUSY)  # and everything from 500 on
T = TypeVar("T")


class Gone(UserError):  # noqa: N818  an error only for who did not expect it
    """What was asked for is not there (any more)."""


def patiently(
    call: Callable[[bool], T], *, url: str, fault: type[Exception], what: str = "", patience: float | None = None
) -> T:
    """What the call returns, tried again for a while when it fails in a way that can pass.

    call: is told whether it is tried again, for what must not be done twice may have been done although it failed.
    fault: the errors that carry a status_code, headers and a body; what: the request in words; patience: in seconds.
    Raises Gone on 404, and UserError on what does not pass.
    """
    patience = PATIENCE if patience is None else patience
    started, pause, again = time.monotonic(), FIRST, False
    while True:
        try:
            return call(again)
        except httpx.TransportError as error:
            told, wait = _unreachable(url, error), pause
        except fault as error:
            told, wait = _told(url, what, error), max(pause, _asked_for(error))
            if not _passes(error):
                raise told from None
        if time.monotonic() - started + wait > patience and (again or wait > patience):
            raise told from None
        if not again:
            log.info("%s does not do its work at the moment; trying again for up to %.0f s", url, patience)
        time.sleep(min(wait, patience))
        pause, again = min(2 * pause, LONGEST), True


def _passes(error: Any) -> bool:
    status = error.status_code or 0
    return (status in PASSES or status >= 500) and not _full(error)


def _asked_for(error: Any) -> float:
    """The seconds that the server asks to wait; 0 where it does not say."""
    said = {k.lower(): v for k, v in (error.headers or {}).items()}.get("retry-after", "")
    return float(said) if said.isdigit() else 0.0


def _full(error: Any) -> bool:
    said = _detail(error).lower()
    return "disk is full" in said or "no space left" in said


def _unreachable(url: str, error: Exception) -> UserError:
    slow = isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout)
    if slow:
        return UserError(f"the server at {url} takes too long to answer: run again later; what was sent stays")
    why = " ".join(str(error).split())[:100] or type(error).__name__
    return UserError(
        f"no Label Studio answers at {url} ({why}): start it (`refinery review serve ROOT`), or give another --url"
    )


def _told(url: str, what: str, error: Any) -> UserError:
    status, detail = error.status_code or 0, _detail(error)
    said = f" ({detail})" if detail else ""
    if status == 404:
        return Gone(f"the server at {url} does not know {what or 'what was asked for'}: was it deleted? run again")
    if _full(error):
        return UserError(f"the disk of the server at {url} is full: free some there and run again; what was sent stays")
    if status == 401:
        return UserError(
            f"the server at {url} refuses the token{said}: make one there under Account & Settings, "
            "and export LABEL_STUDIO_API_KEY=..."
        )
    if status == 403:
        return UserError(f"the server at {url} does not let this account {what or 'do that'}{said}: use another token")
    if status == BUSY:
        return UserError(f"the server at {url} wants fewer requests (429): run again later; what was sent stays")
    if status >= 500:
        return UserError(
            f"the server at {url} fails with {status}{said}: look at its log and run again; what was sent "
            "stays, and nothing is sent twice"
        )
    if status == 400:
        return UserError(f"the server at {url} refuses {what or 'a request'}{said}")
    return UserError(f"what answers at {url} is no Label Studio (status {status}): give another --url")


def _detail(error: Any) -> str:
    """What the server said, in a few words; never a whole page or the data that was sent."""
    body = error.body
    if isinstance(body, dict):
        body = body.get("validation_errors") or body.get("detail") or ""
        body = " ".join(str(v) for v in body.values()) if isinstance(body, dict) else str(body)
    elif status_page(body):
        body = ""
    return " ".join(str(body or "").split())[:200]


def status_page(body: Any) -> bool:
    """Whether a reply is a page for people, of a proxy perhaps."""
    return isinstance(body, str) and body.lstrip()[:1] == "<"
