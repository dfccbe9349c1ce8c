"""The review page's server: routes, and what they answer; `guard` decides who is answered.

It listens on an address of this machine and serves the page, pictures by number, and what people choose. No route moves,
writes or deletes a file, and only one changes anything: the choices in the index.
"""

from __future__ import annotations

import json
import secrets
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources
from types import FrameType
from typing import Any

import uvicorn
from jinja2 import Environment, PackageLoader
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from indexer import cards
from indexer.errors import ImgindexError, LockedError, SafetyError, UsageError
from indexer.groups import VERIFIED, Member
from indexer.guard import Guard
from indexer.pictures import Pictures, Trouble
from indexer.review import Review, sifted

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""The names that a server on this machine may be asked by."""
MOST_CARDS = 100
"""In one answer."""
_ASSETS = {"style.css": "text/css", "review.css": "text/css", "review.js": "text/javascript"}
_PICTURE_POLICY = {"content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'"}
_TROUBLE = {Trouble.CHANGED: 409, Trouble.UNSHOWN: 415, Trouble.BUSY: 503}
_ERRORS: tuple[tuple[type[ImgindexError], int], ...] = ((SafetyError, 409), (UsageError, 400), (LockedError, 503))


@dataclass(frozen=True, slots=True)
class Served:
    """A page ready to be served."""

    app: ASGIApp
    address: str
    """With the token: what the browser opens."""
    sockets: tuple[socket.socket, ...]


def served(review: Review, pictures: Pictures, command: str, host: str, port: int) -> Served:
    """The page of a review, listening.

    Args:
        review: What is reviewed.
        pictures: Gives files as JPEG.
        command: That prunes what was reviewed, as the page shows it.
        host: The address to listen on.
        port: To listen on, 0 for any that is free.

    Raises:
        UsageError: When nothing can listen there.
    """
    listening = _listening(host, port)
    port = listening.getsockname()[1]
    token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    name = f"[{host}]" if ":" in host else host
    app = Guard(_Page(review, pictures, command, csrf).app(), {*LOOPBACK, name}, port, token, csrf)
    return Served(app, f"http://{name}:{port}/?token={token}", (listening,))


def serve(page: Served, ready: Callable[[], None]) -> None:
    """Answers until the process is told to stop.

    Args:
        page: To be served.
        ready: Called when requests are answered.
    """
    Server(page, ready).run(sockets=list(page.sockets))


class Server(uvicorn.Server):
    """Tells when it answers."""

    def __init__(self, page: Served, ready: Callable[[], None]) -> None:
        """Nothing is answered yet; see `serve`."""
        super().__init__(
            uvicorn.Config(
                page.app,
                log_config=None,  # what is asked for holds names and the token
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                limit_concurrency=100,
                timeout_graceful_shutdown=1,
            )
        )
        self._ready = ready

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ends on Ctrl-C as on being done; on what else stops a run, as a run does."""
        if sig == signal.SIGINT:
            self.should_exit = True
        else:
            super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to answer."""
        await super().startup(sockets)
        self._ready()


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(
        family, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )  # asyncio sends at once only where TCP is named
    try:
        listening.bind((host, port))
        listening.listen(128)
    except (OSError, OverflowError) as error:
        listening.close()
        raise UsageError(f"cannot listen on {host} port {port}: {error}", "name another --host or --port") from error
    return listening


class _Page:
    """What the routes answer."""

    def __init__(self, review: Review, pictures: Pictures, command: str, csrf: str) -> None:
        self._review, self._pictures, self._command, self._csrf = review, pictures, command, csrf
        self._shell = Environment(loader=PackageLoader("indexer", "web"), autoescape=True).get_template("review.html")

    def app(self) -> Starlette:
        """The routes; all but one only answer."""
        routes = [
            Route("/", self.page),
            Route("/web/{name}", self.asset),
            Route("/api/folders", self.folders),
            Route("/api/groups", self.groups),
            Route("/api/group/{number:int}", self.group),
            Route("/api/versions", self.versions),
            Route("/api/plan", self.plan),
            Route("/thumbnail/{number:int}", self.thumbnail),
            Route("/picture/{number:int}", self.picture),
            Route("/api/decide", self.decide, methods=["POST"]),
        ]
        return Starlette(routes=routes, exception_handlers={ImgindexError: _told})

    def page(self, _request: Request) -> Response:
        """The page itself; the rest it asks for."""
        return HTMLResponse(self._shell.render(csrf=self._csrf, command=self._command, kinds=VERIFIED))

    def asset(self, request: Request) -> Response:
        """A file of the page: style or script."""
        kind = _ASSETS.get(request.path_params["name"])
        if kind is None:
            raise HTTPException(404)
        data = resources.files("indexer").joinpath("web", request.path_params["name"]).read_bytes()
        return Response(data, media_type=kind)

    def folders(self, _request: Request) -> Response:
        """The folders that groups can be chosen by."""
        return JSONResponse(cards.folders_json(self._review.snapshot()))

    def groups(self, request: Request) -> Response:
        """Some of the groups that a sieve lets through, and how far the review has come."""
        start, count = _number(request, "start"), min(_number(request, "count", MOST_CARDS), MOST_CARDS)
        snapshot = self._review.snapshot()
        everything = self._review.cards(snapshot)
        found = sifted(everything, snapshot, cards.sieve(request.query_params))
        progress = {"all": len(everything), "decided": sum(card.decided for card in everything), "found": len(found)}
        shown = [cards.card_json(card, snapshot) for card in found[start : start + count]]
        return JSONResponse({**progress, "start": start, "groups": shown})

    def group(self, request: Request) -> Response:
        """One group as it stands."""
        snapshot = self._review.snapshot()
        number = request.path_params["number"]
        if number >= len(snapshot.groups):
            raise HTTPException(404)
        return JSONResponse(cards.card_json(self._review.card(snapshot, number), snapshot))

    def versions(self, request: Request) -> Response:
        """What bulk decisions need of the groups that a sieve lets through."""
        snapshot = self._review.snapshot()
        found = sifted(self._review.cards(snapshot), snapshot, cards.sieve(request.query_params))
        return JSONResponse([cards.brief_json(card) for card in found])

    def plan(self, _request: Request) -> Response:
        """What pruning would move now."""
        return JSONResponse(cards.plan_json(self._review.plan()))

    def thumbnail(self, request: Request) -> Response:
        """A small picture, as it is stored in the index."""
        jpeg = self._review.thumbnail(self._member(request))
        if jpeg is None:
            raise HTTPException(404)
        return Response(jpeg, media_type="image/jpeg", headers=_PICTURE_POLICY)

    def picture(self, request: Request) -> Response:
        """A picture at full size, encoded anew."""
        found = self._pictures(self._member(request))
        if isinstance(found, Trouble):
            return PlainTextResponse(found.value, _TROUBLE[found], {"retry-after": "1"})
        return Response(found, media_type="image/jpeg", headers=_PICTURE_POLICY)

    async def decide(self, request: Request) -> Response:
        """Stores decisions; gives their groups as they stand then."""
        try:
            rulings = cards.rulings(json.loads(await request.body()))
        except (ValueError, RecursionError):
            return JSONResponse({"error": "this is no decision"}, 400)
        return await run_in_threadpool(self._decided, rulings)

    def _decided(self, rulings: Any) -> Response:
        made = self._review.rule(rulings)
        snapshot = self._review.snapshot()
        if len(made) > MOST_CARDS:
            return JSONResponse({"versions": [cards.brief_json(card) for card in made]})
        return JSONResponse({"groups": [cards.card_json(card, snapshot) for card in made]})

    def _member(self, request: Request) -> Member:
        """The file with a number, among those that are reviewed."""
        member = self._review.snapshot().members.get(request.path_params["number"])
        if member is None:
            raise HTTPException(404)
        return member


def _number(request: Request, name: str, default: int = 0) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default


def _told(_request: Request, error: Exception) -> Response:
    """An error of ours as an answer."""
    if not isinstance(error, ImgindexError):
        raise error
    status = next((code for kind, code in _ERRORS if isinstance(error, kind)), int(HTTPStatus.INTERNAL_SERVER_ERROR))
    return JSONResponse({"error": error.message, "hint": error.hint}, status)
