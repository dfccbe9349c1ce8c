"""Decides which requests the review page answers, before anything else looks at them.

Loopback is no boundary: any page that a browser shows can send requests there, and any user of the machine can. So a
request must name this server as its host, carry the cookie that only the address with the token gives, and, when it changes
something, come from the page itself.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSRF_HEADER = "x-imgindex-csrf"
MOST_BYTES = 16 << 20
"""Of a request: decisions on some 100,000 groups."""
HEADERS = {
    "content-security-policy": "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Of every answer."""
_ONWARD = '<!doctype html><html lang="en"><meta http-equiv="refresh" content="0; url=/"><title>Review</title>'


class Guard:
    """An ASGI application that answers for another one, or refuses."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str], port: int, token: str, csrf: str) -> None:
        """Note who may ask.

        Args:
            app: What answers.
            hosts: The names that this server goes by, without the port.
            port: That it listens on.
            token: In the address once, in the cookie from then on.
            csrf: What only the page itself knows.
        """
        self._app, self._token, self._csrf = app, token, csrf
        self._hosts = frozenset(f"{host}:{port}" for host in hosts)
        self._cookie = f"imgindex-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses a request, or passes it on; each answer gets the headers that bind the browser."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def send_bound(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        refusal = self._refusal(scope, headers)
        await (refusal or self._app)(scope, receive, send_bound)

    def _refusal(self, scope: Scope, headers: list[tuple[str, str]]) -> Response | None:
        """The answer to a request that goes no further, None for one that may."""
        found = dict(headers)
        named = [value for name, value in headers if name == "host"]
        if len(named) != 1 or named[0] not in self._hosts:
            return _refused("this server does not go by that name")
        asked = parse_qs(scope["query_string"].decode("latin-1"))
        if scope["path"] == "/" and scope["method"] == "GET" and "token" in asked:
            return self._let_in(asked["token"][0])
        if not _same(_cookies(found).get(self._cookie, ""), self._token):
            return _refused("open the address that imgindex printed, with its token")
        if scope["path"] != "/" and found.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return _refused("another page asked for this")
        if scope["method"] not in {"GET", "HEAD"}:
            return self._refusal_to_change(found)
        return None

    def _let_in(self, token: str) -> Response:
        """Takes the token from the address into a cookie."""
        if not _same(token, self._token):
            return _refused("the token is not the one that imgindex printed")
        answer = HTMLResponse(_ONWARD)  # a redirection would count as the former page's, and the cookie stay behind
        answer.set_cookie(self._cookie, self._token, path="/", httponly=True, samesite="strict")
        return answer

    def _refusal_to_change(self, headers: Mapping[str, str]) -> Response | None:
        """The answer to a request that would change something and does not come from the page."""
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return _refused("another page asked for this")
        if headers.get("origin", f"http://{headers['host']}") != f"http://{headers['host']}":
            return _refused("another page asked for this")
        if not _same(headers.get(CSRF_HEADER, ""), self._csrf):
            return _refused("the page has to be loaded again")
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return PlainTextResponse("send JSON", 415)
        length = headers.get("content-length", "")
        if not (length.isascii() and length.isdigit() and int(length) <= MOST_BYTES):
            return PlainTextResponse("too long, or of unknown length", 413)
        return None


def _refused(why: str) -> Response:
    return PlainTextResponse(f"Refused: {why}.\n", 403)


def _cookies(headers: Mapping[str, str]) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
    except CookieError:
        return {}


def _same(left: str, right: str) -> bool:
    """True for equal secrets; how long it takes tells nothing."""
    return hmac.compare_digest(left.encode("latin-1", "replace"), right.encode("latin-1"))
