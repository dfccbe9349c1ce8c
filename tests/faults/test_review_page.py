"""Hazards 108 to 119: who may ask the review page, what it answers, and that it moves nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from deciding import names
from pictures import high_water
from PIL import Image
from reviewing import COMMAND, Site, pruning, ruling, served_site, with_groups
from score import Faults
from support import tree

from indexer import Index, reencode
from indexer.entry import run
from indexer.guard import Guard
from indexer.pictures import Pictures
from indexer.serve import _Page


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """Three groups, indexed."""
    return with_groups(tmp_path, index)


@pytest.fixture
def site(photos: Path, index: Index) -> Iterator[Site]:
    """Their review page."""
    with served_site(index) as found:
        yield found


def killing(_wanted: object, _extra: object = None) -> list[bytes]:
    """What a decoder that was taken over may do."""
    os._exit(1)


def undecided(site: Site) -> bool:
    """True when nothing was chosen."""
    return all(not card["fates"] for card in site.groups())


# --- 108: other names


def test_hazard_108_other_names_are_refused(site: Site, photos: Path, fault: Faults) -> None:
    """A page that has its own name lead here gets nothing, with all secrets even, and changes nothing."""
    port, sent = site.host.split(":")[1], {"rulings": [pruning(site.groups()[0])]}
    bare = ["evil.com", "", "127.0.0.1", "127.0.0.1:1"]
    named = ["evil.com", "127.0.0.1.evil.com", "127.0.0.1.", "localhost.", "user@127.0.0.1", "0.0.0.0", "2130706433"]  # noqa: S104
    for host in [*bare, *(f"{name}:{port}" for name in named), f"127.0.0.1:{port}/x"]:
        for own in ({"Origin": f"http://{host}"}, {"Origin": None}):
            with fault(108, f"Host {host!r}, {'matching' if own['Origin'] else 'no'} origin", root=photos):
                answers = [site.get(path, Host=host) for path in ("/", "/api/groups", "/nowhere")]
                answers.append(site.post(sent, Host=host, **own))
            assert {answer.status for answer in answers} == {403}
    assert undecided(site)


def test_hazard_108_host_is_named_once(site: Site, photos: Path, fault: Faults) -> None:
    """Without a name, or with two, it is refused; each of the three names of this machine is answered."""
    cookie, port = ("Cookie", site.cookie), site.host.split(":")[1]
    with fault(108, "no Host, two Hosts", root=photos):
        missing = site.raw("GET", "/", [cookie])
        twice = site.raw("GET", "/", [("Host", site.host), ("Host", "evil.com"), cookie])

    assert (missing.status in {400, 403}, twice.status in {400, 403}) == (True, True)
    assert [site.get("/", Host=f"{name}:{port}").status for name in ("127.0.0.1", "localhost", "[::1]")] == [200] * 3


def test_hazard_108_second_name_is_refused_by_the_guard_itself(photos: Path, fault: Faults) -> None:
    """A request with two names is refused also under a server that lets it through."""
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b""}
    scope["headers"] = [(b"host", b"127.0.0.1:80"), (b"host", b"evil.com"), (b"cookie", b"imgindex-80=token")]
    answers: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    async def app(*_arguments: object) -> None:
        answers.append({"status": 200})

    guarded = Guard(app, ["127.0.0.1"], 80, "token", "csrf")
    with fault(108, "two names, to the guard alone", root=photos):
        for headers in (scope["headers"], scope["headers"][::-1], scope["headers"][::2]):
            asyncio.run(guarded({**scope, "headers": headers}, None, send))  # type: ignore[arg-type]

    assert [answer["status"] for answer in answers if "status" in answer] == [403, 403, 200]


# --- 109: other pages


FOREIGN: list[tuple[dict[str, str | None], int]] = [
    ({"Content-Type": "text/plain"}, 415),
    ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ({"Content-Type": None}, 415),
    ({"X-Imgindex-CSRF": None}, 403),
    ({"X-Imgindex-CSRF": "x" * 43}, 403),
    ({"Origin": "http://evil.com"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://127.0.0.1:1"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),  # another port of this machine
    ({"Sec-Fetch-Site": "none"}, 403),
    ({"Cookie": None}, 403),
    ({"Content-Length": None}, 413),
    ({"Content-Length": str(17 << 20)}, 413),
]


def test_hazard_109_requests_of_other_pages_are_refused(site: Site, photos: Path, fault: Faults) -> None:
    """A decision that does not come from the page itself changes nothing; the page's own does."""
    sent = {"rulings": [pruning(site.groups()[0])]}
    for changes, status in FOREIGN:
        with fault(109, f"POST with {changes}", root=photos):
            assert site.post(sent, **changes).status == status
    assert undecided(site)
    assert site.post(sent).status == 200


def test_hazard_109_get_changes_nothing(site: Site, index: Index, photos: Path, fault: Faults) -> None:
    """Whatever is asked for by GET, HEAD, PUT or DELETE leaves the database as it is, byte by byte."""
    before = Path(index.path).read_bytes()
    with fault(109, "GET of every route", root=photos):
        for path in ("/", "/api/groups", "/api/versions", "/api/plan", "/api/folders", "/api/group/0", "/api/decide"):
            site.get(f"{path}?rulings=1&_method=POST")
        others = [
            site.raw(way, "/api/decide", [("Host", site.host), ("Cookie", site.cookie), ("X-Imgindex-CSRF", site.csrf)])
            for way in ("PUT", "DELETE", "PATCH", "OPTIONS")
        ]

    assert Path(index.path).read_bytes() == before
    assert all(answer.status >= 400 for answer in others)


# --- 110 and 111: other users, other machines


def test_hazard_110_nothing_is_answered_without_the_cookie(site: Site, photos: Path, fault: Faults) -> None:
    """Page, script, pictures and groups are for whom the token was told."""
    number = site.groups()[0]["keeper"]
    paths = ("/", "/web/review.js", f"/picture/{number}", f"/thumbnail/{number}", "/api/groups", "/api/plan")
    with fault(110, "no cookie, another cookie, another token", root=photos):
        answers = [site.get(path, Cookie=cookie) for path in paths for cookie in ("", f"{site.cookie}x", "a=b")]
        answers += [site.get(f"/?token={token}", Cookie="") for token in ("", "x" * 43, "%00", "%C3%A9")]
        elsewhere = site.get(f"/picture/{number}?{site.address.split('?')[1]}", Cookie="")

    assert {answer.status for answer in (*answers, elsewhere)} == {403}
    assert all(b"set-cookie" not in str(answer.headers).encode() for answer in answers)


def test_hazard_110_cookie_is_for_this_page_alone(site: Site, photos: Path, fault: Faults) -> None:
    """No script reads the cookie, no other site's request carries it, and no answer is kept or names the address."""
    with fault(110, "cookie and headers", root=photos):
        answer = site.raw("GET", site.address.split(site.host)[1], [("Host", site.host)])

    words = {word.strip().lower() for word in answer.headers["set-cookie"].split(";")}
    assert {"httponly", "samesite=strict", "path=/"} <= words
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert site.address.split("token=")[1].encode() not in answer.body


def test_hazard_110_other_pages_get_no_pictures(site: Site, photos: Path, fault: Faults) -> None:
    """A picture in another page's `img` is refused even if a browser sent the cookie along."""
    number = site.groups()[0]["keeper"]
    with fault(110, "img of another page", root=photos):
        answers = [site.get(f"/thumbnail/{number}", Sec_Fetch_Site=place) for place in ("cross-site", "same-site")]

    assert [answer.status for answer in answers] == [403, 403]


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("0.0.0.0", "every address"),  # noqa: S104 - it is refused
        ("::", "every address"),
        ("192.0.2.1", "other machines could see"),
        ("2001:db8::1", "other machines could see"),
        ("evil.com", "no address"),
        ("", "no address"),
    ],
)
def test_hazard_111_other_addresses_need_a_word(
    index: Index, photos: Path, fault: Faults, capsys: pytest.CaptureFixture[str], host: str, why: str
) -> None:
    """Listening where other machines can ask takes `--expose`; every address at once is never listened on."""
    with fault(111, f"--host {host!r}", root=photos):
        code = run(["review", "--no-browser", "--host", host, "--db", index.path])

    assert code == 2
    assert why in capsys.readouterr().err


def test_hazard_111_listens_on_this_machine_alone(site: Site, photos: Path, fault: Faults) -> None:
    """By itself, it listens at 127.0.0.1 on a port that the system chose, and at no other address of the machine."""
    port = int(site.host.split(":")[1])
    with fault(111, "what listens", root=photos):
        listening = {
            bytes.fromhex(line.split()[1].split(":")[0])[::-1]
            for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
            if int(line.split()[1].split(":")[1], 16) == port and line.split()[3] == "0A"
        }

    assert port != 0
    assert listening == {socket.inet_aton("127.0.0.1")}


# --- 112: names

HOSTILE = [
    b"<img src=x onerror=alert(1)>.jpg",
    b"\"';--.jpg",
    b"name\nbreak.jpg",
    "\u202egpj.exe\u2066.jpg".encode(),
    b"\xff\xfe.jpg",
    b"{{7*7}}${7*7}.jpg",
    b"</script><script>alert(1)</script>.jpg".replace(b"/", "\u2215".encode()),
    b"a&amp;b%3Cb%3E.jpg",
]


def test_hazard_112_names_are_data(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Names that mean something to browsers, databases or terminals are in JSON alone, escaped there as anywhere."""
    photos = with_groups(tmp_path, index)
    for name in HOSTILE:
        place = os.path.join(os.fsencode(photos), name)
        with open(place, "wb") as stream:
            stream.write((photos / "a/0.jpg").read_bytes())
    index.update(photos, jobs=0)
    with served_site(index) as site, fault(112, "eight hostile names", root=photos):
        page, listed = site.get("/"), site.get("/api/groups")
        shown = {file["name"] for card in listed.value["groups"] for file in card["files"]}

    assert b"onerror" not in page.body
    assert listed.headers["content-type"] == "application/json"
    assert listed.headers["x-content-type-options"] == "nosniff"
    assert {"<img src=x onerror=alert(1)>.jpg", "\"';--.jpg", "name\\nbreak.jpg", "\\xff\\xfe.jpg"} <= shown
    assert {"\\u202egpj.exe\\u2066.jpg", "{{7*7}}${7*7}.jpg", "a&amp;b%3Cb%3E.jpg"} <= shown


def test_hazard_112_page_has_no_script_of_its_own(site: Site, photos: Path, fault: Faults) -> None:
    """Scripts and styles come from this server's files alone: none stands in the page, and the browser is told so."""
    with fault(112, "policy", root=photos):
        page = site.get("/")

    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
    assert page.body.count(b"<script") == page.body.count(b"<script src=")
    assert (b"<style" in page.body, b" style=" in page.body, b" on" in page.body.split(b"<body")[0]) == (False,) * 3


# --- 113 to 115: pictures


NO_NUMBERS = [
    *(
        "../../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "/etc/passwd",
        "1%00",
        "1.jpg",
        "-1",
        "0x1",
        "9" * 40,
        "",
        "1/../2",
    ),
    *("..%2f1", "%C2%B2", "1%20"),
]


def test_hazard_113_pictures_have_numbers_and_no_paths(site: Site, photos: Path, fault: Faults) -> None:
    """Whatever is put in the place of a number leads to no file."""
    for place in ("picture", "thumbnail", "web", "api/group"):
        for path in NO_NUMBERS:
            with fault(113, f"/{place}/{path}", root=photos):
                assert site.get(f"/{place}/{path}").status == 404
    number = site.groups()[0]["keeper"]
    with fault(113, "a path beside the number", root=photos):
        answers = [site.get(f"/picture/{number}{more}") for more in ("", "?path=/etc/passwd&file=../../etc/passwd")]
    assert answers[0].body == answers[1].body


def test_hazard_113_unreviewed_files_are_not_shown(site: Site, photos: Path, fault: Faults) -> None:
    """Only files of the groups under review are shown, though the index knows others."""
    ids = {number for card in site.groups() for number in card["ids"]}
    with fault(113, "numbers of other files", root=photos):
        answers = {number: site.get(f"/thumbnail/{number}").status for number in range(1, 14)}

    assert {number for number, status in answers.items() if status == 200} == ids
    assert len(ids) == 7


def swapped_link(photos: Path, victim: Path) -> None:
    """A symlink to a file outside, in the place of a picture."""
    (photos.parent / "outside.jpg").write_bytes(victim.read_bytes())
    victim.unlink()
    victim.symlink_to(photos.parent / "outside.jpg")


def swapped_folder(photos: Path, victim: Path) -> None:
    """A folder that became a symlink to one with the same files."""
    os.rename(victim.parent, photos.parent / "photos_private")
    victim.parent.symlink_to(photos.parent / "photos_private")


def swapped_bytes(_photos: Path, victim: Path) -> None:
    """Other bytes of the same length and times."""
    status = victim.stat()
    victim.write_bytes(victim.read_bytes()[:-1] + b"\x00")
    os.utime(victim, ns=(status.st_atime_ns, status.st_mtime_ns))


def swapped_pipe(_photos: Path, victim: Path) -> None:
    """A pipe, which would block whoever opens it."""
    victim.unlink()
    os.mkfifo(victim)


def removed(_photos: Path, victim: Path) -> None:
    """Nothing."""
    victim.unlink()


@pytest.mark.parametrize("swap", [swapped_link, swapped_folder, swapped_bytes, swapped_pipe, removed])
@pytest.mark.parametrize("seen", [False, True], ids=["not yet seen", "seen before"])
def test_hazard_114_only_what_was_indexed_is_shown(
    site: Site, photos: Path, fault: Faults, swap: Any, seen: bool
) -> None:
    """A file that was swapped since, or is reached through a link now, is not shown, cached or not."""
    (number,) = (file["id"] for card in site.groups() for file in card["files"] if file["folder"].endswith("/z")
                 and file["name"] == "0.jpg")  # fmt: skip
    if seen:
        assert site.get(f"/picture/{number}").status == 200
    with fault(114, f"{swap.__name__}, {'cached' if seen else 'new'}", root=photos) as case:
        swap(photos, photos / "z/0.jpg")
        case.snapshot()
        answer = site.get(f"/picture/{number}")

    assert answer.status == 409


def test_hazard_114_workers_follow_no_link_either(photos: Path, fault: Faults) -> None:
    """What is swapped after the server looked is not shown: a worker opens the file in the same way."""
    wanted = reencode.Wanted(str(photos), "z/0.jpg", sha256((photos / "z/0.jpg").read_bytes()).digest())
    (shown,) = reencode.reencode_batch([wanted])
    assert shown.startswith(b"\xff\xd8\xff")
    with fault(114, "a linked folder, to the worker alone", root=photos) as case:
        swapped_folder(photos, photos / "z/0.jpg")
        case.snapshot()
        answers = reencode.reencode_batch([wanted])

    assert answers == [reencode.CHANGED]


def test_hazard_115_only_new_jpegs_are_served(tmp_path: Path, index: Index, fault: Faults) -> None:
    """A picture with a page behind it is served without the page, under a fixed type, and cannot run anything."""
    photos = with_groups(tmp_path, index)
    for name in ("a/0.jpg", "z/0.jpg"):
        with open(photos / name, "ab") as stream:
            stream.write(b"<html><script>alert(document.cookie)</script><svg onload=alert(1)>")
    index.update(photos, jobs=0)
    with served_site(index) as site, fault(115, "HTML behind a JPEG", root=photos):
        card = next(card for card in site.groups() if card["files"][0]["name"] == "0.jpg")
        answers = [site.get(f"/{kind}/{card['keeper']}") for kind in ("picture", "thumbnail")]

    for answer in answers:
        assert (answer.status, b"script" in answer.body, b"svg" in answer.body) == (200, False, False)
        assert answer.body.startswith(b"\xff\xd8\xff")
        assert (answer.headers["content-type"], answer.headers["x-content-type-options"]) == ("image/jpeg", "nosniff")
        assert "sandbox" in answer.headers["content-security-policy"]


# --- 116 to 118


def test_hazard_116_no_page_may_frame_it(site: Site, photos: Path, fault: Faults) -> None:
    """Every answer, refusals included, forbids frames."""
    with fault(116, "headers", root=photos):
        answers = [site.get("/"), site.get("/nowhere"), site.get("/", Cookie=""), site.post({})]

    for answer in answers:
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"


def test_hazard_117_stale_page_is_told_so(site: Site, index: Index, photos: Path, fault: Faults) -> None:
    """A decision on a group that changed meanwhile gets 409 and changes nothing; so does the second of two windows."""
    before = site.groups()
    first = before[0]
    with fault(117, "a decision of another window", root=photos):
        assert site.post({"rulings": [pruning(first)]}).status == 200
        late = site.post({"rulings": [ruling(first, {})]})
    assert (late.status, len(index.plan_reviewed().moves)) == (409, 1)
    with fault(117, "a run that changed the group", root=photos) as case:
        (photos / "mosaic1.png").unlink()
        case.snapshot()
        index.update(photos, jobs=0)
        stale = next(card for card in before if card["files"][0]["name"] == "mosaic0.png")
        gone = site.post({"rulings": [pruning(stale)]})
    assert (gone.status, len(index.plan_reviewed().moves)) == (409, 1)


NONSENSE = [
    b'{"rulings": [%s, %s]}' % ((b'{"number": 0, "version": "", "keeper": 1, "fates": {}}',) * 2),
    *(
        b"",
        b"[]",
        b"{}",
        b'{"rulings": 1}',
        b'{"rulings": [1]}',
        b"\xff",
        b"[" * 100_000,
        b'{"rulings": [{"number": 0}]}',
    ),
    b'{"rulings": [{"number": 0, "version": "", "keeper": 1, "fates": {"1": "delete"}}]}',
    b'{"rulings": [{"number": -1, "version": "", "keeper": 1, "fates": {"a": "prune"}}]}',
    b'{"rulings": [{"number": 0, "version": "", "keeper": "1; DROP TABLE choice", "fates": {}}]}',
]


def test_hazard_117_what_is_no_decision_is_refused(site: Site, photos: Path, fault: Faults) -> None:
    """Nonsense gets an answer that says so."""
    for sent in NONSENSE:
        with fault(117, f"POST of {sent[:80]!r}", root=photos):
            assert site.post(sent).status == 400
    assert undecided(site)


def test_hazard_118_page_moves_nothing(site: Site, index: Index, photos: Path, fault: Faults) -> None:
    """Decisions of every kind leave the folder as it is; one route takes POST, and no other route changes anything."""
    before = tree(photos)
    with fault(118, "all decisions", root=photos):
        cards = site.groups()
        site.post({"rulings": [pruning(card) for card in cards]})
        for card in site.groups():
            site.post({"rulings": [ruling(card, {n: "keep" for n in card["ids"] if n != card["keeper"]})]})

    routes = _Page(index.review(), Pictures(None), COMMAND, "").app().routes  # type: ignore[arg-type]
    changing = {route.path for route in routes if set(route.methods) - {"GET", "HEAD"}}  # type: ignore[attr-defined]
    assert changing == {"/api/decide"}
    assert tree(photos) == before
    assert ".imgindex-quarantine" not in names(photos.parent)


# --- 119: decoding


def test_hazard_119_server_decodes_nothing(tmp_path: Path, index: Index, fault: Faults) -> None:
    """Large pictures are decoded by workers: the server stays small, queues a few, and refuses more than that."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("1.png", "2.png"):
        Image.linear_gradient("L").resize((8000, 8000)).save(photos / name, compress_level=1)
    index.update(photos, jobs=1)
    command = [sys.executable, "-m", "indexer", "review", "--no-browser", "--db", index.path]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server,
        fault(119, "64 megapixels, twenty times at once", root=photos),
    ):
        try:
            assert server.stdout
            site = Site(server.stdout.readline().split()[-1])
            site.enter()
            number = site.groups()[0]["keeper"]
            before = high_water(server.pid)
            with ThreadPoolExecutor(20) as threads:
                answers = [one.status for one in threads.map(lambda _: site.get(f"/picture/{number}"), range(20))]
            after = high_water(server.pid)
        finally:
            server.send_signal(signal.SIGINT)
            code = server.wait(10)

    assert set(answers) == {200, 503}
    assert after - before < 60 << 20
    assert code == 0


def test_hazard_119_picture_that_kills_its_worker_costs_itself(
    site: Site, photos: Path, fault: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decoder that ends its process leaves an answer that says so, and the next picture is shown."""
    number = site.groups()[0]["keeper"]
    with fault(119, "a worker that dies", root=photos):
        with monkeypatch.context() as patch:
            patch.setattr(reencode, "reencode_batch", killing)
            lost = site.get(f"/picture/{number}")
        found = site.get(f"/picture/{number}")

    assert (lost.status, found.status) == (415, 200)


@pytest.mark.parametrize(
    "answer", [b"<html>", b"\xff\xd8\xff<script>", b"", "text", None, 7, [b"\xff\xd8\xff\xff\xd9"]]
)
def test_hazard_119_answers_that_are_no_jpeg_are_not_believed(photos: Path, fault: Faults, answer: object) -> None:
    """What a worker sends under another form reaches no browser."""
    wanted = reencode.Wanted(str(photos), "a/0.jpg", b"")
    with fault(119, f"answer {answer!r}", root=photos):
        assert reencode.vetted_picture(wanted, answer) is None
