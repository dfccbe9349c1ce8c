"""What the tests of the review page share: the page served in a thread, and requests as any program can send them."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from support import aged, make_photos, settle

from indexer import Index
from indexer.drawing import encoded, mosaic
from indexer.executors import local_pool
from indexer.groups import VERIFIED
from indexer.pictures import Pictures
from indexer.review import Review
from indexer.serve import Server, served

COMMAND = "imgindex prune --reviewed --yes"


@dataclass(frozen=True)
class Answer:
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def value(self) -> Any:
        """The JSON in it."""
        return json.loads(self.body)


@dataclass
class Site:
    """A served review, and what its page knows."""

    address: str
    review: Review | None = None
    cookie: str = ""
    csrf: str = ""

    @property
    def host(self) -> str:
        """Name and port."""
        return self.address.split("/")[2]

    def raw(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b"") -> Answer:
        """The answer to a request with these headers and no others."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders(body or None)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    def get(self, path: str, **headers: str) -> Answer:
        """The answer to the page itself."""
        own = {"Host": self.host, "Cookie": self.cookie} | {k.replace("_", "-"): v for k, v in headers.items()}
        return self.raw("GET", path, [*own.items()])

    def post(self, value: Any, path: str = "/api/decide", **changes: str | None) -> Answer:
        """The answer to the page's own request, with some headers changed or, by None, left out."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        own: dict[str, str | None] = {
            "Host": self.host,
            "Cookie": self.cookie,
            "Origin": f"http://{self.host}",
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/json",
            "X-Imgindex-CSRF": self.csrf,
            "Content-Length": str(len(body)),
        }
        own |= {name.replace("_", "-"): text for name, text in changes.items()}
        return self.raw("POST", path, [(name, text) for name, text in own.items() if text is not None], body)

    def groups(self, query: str = "") -> list[dict[str, Any]]:
        """The first groups as the page gets them."""
        found: list[dict[str, Any]] = self.get(f"/api/groups?{query}").value["groups"]
        return found

    def enter(self) -> None:
        """Does what a browser does with the printed address."""
        answer = self.raw("GET", self.address.split(self.host)[1], [("Host", self.host)])
        self.cookie = answer.headers["set-cookie"].split(";")[0]
        found = re.search(rb'name="csrf" content="([^"]+)"', self.get("/").body)
        assert found
        self.csrf = found[1].decode()


def with_groups(folder: Path, index: Index) -> Path:
    """Six photos, of which `a/0.jpg` and `b/1.jpg` lie there twice, and a mosaic in three sizes; indexed."""
    shutil.copytree(_indexed().name, folder, dirs_exist_ok=True)
    assert Path(index.path) == folder / "imgindex.db"
    return folder / "photos"


@cache
def _indexed() -> tempfile.TemporaryDirectory[str]:
    """The folder that `with_groups` copies, as making it takes a second."""
    place = tempfile.TemporaryDirectory()
    folder = Path(place.name)
    photos = make_photos(folder / "photos")
    (photos / "z").mkdir()
    for name in ("a/0.jpg", "b/1.jpg"):
        copy = photos / "z" / Path(name).name
        copy.write_bytes((photos / name).read_bytes())
        aged(copy, 500)
    for number, side in enumerate((320, 240, 160)):
        smaller = mosaic(7).resize((side, side * 3 // 4))
        (photos / f"mosaic{number}.png").write_bytes(encoded(smaller, "PNG"))
        aged(photos / f"mosaic{number}.png")
    Index(folder / "imgindex.db").update(photos, jobs=0)
    settle(Index(folder / "imgindex.db"))
    return place


def ruling(card: Mapping[str, Any], fates: Mapping[int, str], keeper: int | None = None) -> dict[str, Any]:
    """A decision on a card: what becomes of its files, by number."""
    chosen = {str(number): fate for number, fate in fates.items()}
    kept = card["keeper"] if keeper is None else keeper
    return {"number": card["number"], "version": card["version"], "keeper": kept, "fates": chosen}


def pruning(card: Mapping[str, Any]) -> dict[str, Any]:
    """The decision that all surplus of a card goes."""
    return ruling(card, {number: "prune" for number in card["ids"] if number != card["keeper"]})


@contextlib.contextmanager
def served_site(index: Index, **wishes: Any) -> Iterator[Site]:
    """The review page of an index, entered."""
    review = index.review(**({"kinds": VERIFIED} | wishes))
    with local_pool(1, timeout_s=20) as executor:
        page = served(review, Pictures(executor), COMMAND, "127.0.0.1", 0)
        ready = threading.Event()
        server = Server(page, ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": list(page.sockets)}, daemon=True)
        thread.start()
        assert ready.wait(20)
        try:
            site = Site(page.address, review)
            site.enter()
            yield site
        finally:
            server.should_exit = True
            thread.join(10)
            for one in page.sockets:
                one.close()
