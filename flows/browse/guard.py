"""Who may use the gallery's port: the browser that was opened with the token, and no page of any other site.

Three secrets: the token in the address that is opened gives a cookie, with which pages are read, and a key for changes.
Browsers send cookies to every port of a host, so any other server on this machine that the browser visits gets the
cookie. The key stands after the # of the page's address, which no server gets; the page keeps it for its own origin, to
which the port belongs, and sends it with every change. The Host header is checked, so that no name that somebody points
at this machine reaches the port, and the Origin of every change.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from starlette.requests import cookie_parser

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

TOKEN_BYTES = 24
HTTP_PORT = 80  # which browsers leave out of an address
MAX_BODY_BYTES = 32 << 20  # of a photo that is looked for
# nothing but the gallery's own files, from its own port; blob: is a photo that was dropped on the page
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
# A page elsewhere led here, so the browser sent no cookie; a click on the link is one from the gallery's own page. The
# link is to this page once more, which may be the way to a photo; where it holds a wrong key, to the first one.
CLOSED_PAGE = (
    b'<!doctype html><html lang="en"><meta charset="utf-8"><title>refinery browse</title>'
    b'<link rel="icon" href="/static/icon.svg">'
    b"<p>Open the address that <code>refinery browse</code> printed: it holds the key to this page.</p>"
    b'<p>If it is open in this browser already: <a href="%s">go on</a>.</p></html>'
)


KEY_HEADER = "x-refinery-key"
NO_KEY = b'{"error": "open the address that `refinery browse` printed again: this page has no key for changes"}'


class Secrets(NamedTuple):
    """What a gallery's address, its cookie and its pages' changes are known by; each tells nothing about another."""

    token: str
    cookie: str
    key: str


def new_secrets() -> Secrets:
    """Random secrets."""
    return Secrets(*(secrets.token_urlsafe(TOKEN_BYTES) for _ in Secrets._fields))


class Guard:
    """An ASGI application in front of another one, which lets pass what may use it."""

    def __init__(self, app: App, *, known: Secrets, port: int) -> None:
        self._app, self._known = app, known
        names = ("127.0.0.1", "localhost")
        self._hosts = {f"{name}:{port}" for name in names}
        if port == HTTP_PORT:
            self._hosts.update(names)
        self._cookie = f"refinery_browse_{port}"  # of several galleries each has its own

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer the request, or let the application answer."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        if headers.get("host", "").lower() not in self._hosts:
            await _answer(send, 400, b"this address is not the gallery's\n")
        elif scope["path"] == "/" and (given := _query_token(scope)):
            await self._open(send, given)
        elif not self._has_cookie(headers):
            await _answer(send, 401, CLOSED_PAGE % b"", {"Content-Type": "text/html; charset=utf-8"})
        elif scope["method"] not in ("GET", "HEAD") and not self._from_own_page(headers):
            await _answer(send, 403, b"changes are made from the gallery's own pages\n")
        elif scope["method"] not in ("GET", "HEAD") and not _is(headers.get(KEY_HEADER, ""), self._known.key):
            await _answer(send, 403, NO_KEY, {"Content-Type": "application/json"})
        elif not _is_small(headers):
            await _answer(send, 413, b"too large\n")
        else:
            await self._app(scope, receive, _with_headers(send))

    async def _open(self, send: Send, given: str) -> None:
        """Exchange the token of the address that was opened for a cookie and the key."""
        if not _is(given, self._known.token):
            await _answer(send, 401, CLOSED_PAGE % b"/", {"Content-Type": "text/html; charset=utf-8"})
            return
        cookie = f"{self._cookie}={self._known.cookie}; HttpOnly; SameSite=Strict; Path=/"
        await _answer(send, 303, b"", {"Location": f"/#key={self._known.key}", "Set-Cookie": cookie})

    def _has_cookie(self, headers: Mapping[str, str]) -> bool:
        # not SimpleCookie: it drops all cookies of a header where one of another program is no valid cookie
        given = cookie_parser(headers.get("cookie", "")).get(self._cookie, "")
        return _is(given, self._known.cookie)

    def _from_own_page(self, headers: Mapping[str, str]) -> bool:
        """Whether a change comes from a page of the gallery: browsers say from which with every change."""
        own = {f"http://{host}" for host in self._hosts}
        return headers.get("origin", "") in own and headers.get("sec-fetch-site", "same-origin") == "same-origin"


def _is(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(), secret.encode())


def _query_token(scope: Mapping[str, Any]) -> str:
    query: bytes = scope.get("query_string", b"")
    return parse_qs(query.decode("latin-1")).get("token", [""])[0]


def _is_small(headers: Mapping[str, str]) -> bool:
    length = headers.get("content-length", "0")
    return (
        "transfer-encoding" not in headers and length.isascii() and length.isdigit() and int(length) <= MAX_BODY_BYTES
    )


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *_encoded(HEADERS)]
        await send(message)

    return sending


async def _answer(send: Send, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
    plain = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body)), "Cache-Control": "no-store"}
    every = _encoded(HEADERS | plain | dict(headers or {}))
    await send({"type": "http.response.start", "status": status, "headers": every})
    await send({"type": "http.response.body", "body": body})


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
