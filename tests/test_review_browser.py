"""The review page in a browser: Debian's chromium, driven as a person would."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from reviewing import Site, served_site, with_groups
from support import aged, tree

from indexer import Index
from indexer.drawing import drawn, encoded
from indexer.entry import run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
]
ATTACK = "<img src=x onerror=alert(1)>.jpg"
NAMES = {
    ATTACK: ATTACK,
    "\"';--.jpg": "\"';--.jpg",
    "name\nbreak.jpg": "name\\nbreak.jpg",
    "\u202egpj.exe.jpg": "\\u202egpj.exe.jpg",
    "\udcff.jpg": "\\xff.jpg",
}
"""Name on disk, as `os.fsdecode` gives it → what is to be read."""

FILE = "folder_id, name, size, mtime_ns, ctime_ns, inode, unsettled, state, content_id"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(params=["drawn"])
def photos(request: pytest.FixtureRequest, tmp_path: Path, index: Index) -> Path:
    """Five groups: a copy each of four pictures, two of them in `more`, and one picture in three sizes."""
    photos = with_groups(tmp_path, index)
    if request.param == "real":
        made_of(sorted((request.getfixturevalue("data") / "photos_clothing" / "test").rglob("*.jpg"))[::6], photos)
    for name in ("a/2.jpg", "b/3.jpg"):
        copy = photos / "more" / Path(name).name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes((photos / name).read_bytes())
        aged(copy, 500)
    index.update(photos, jobs=0)
    return photos


def made_of(real: Sequence[Path], photos: Path) -> None:
    """Puts real photos in the place of the drawn ones."""
    for number in range(6):
        name = f"{'ab'[number % 2]}/{number}.jpg"
        aged(Path(shutil.copyfile(real[number], photos / name)))  # the data's own dates are those of its delivery
        if number < 2:
            shutil.copyfile(real[number], photos / "z" / f"{number}.jpg")
    picture = Image.open(real[6]).convert("RGB")
    for number, share in enumerate((1, 0.75, 0.5)):
        picture.resize((round(picture.width * share), round(picture.height * share))).save(
            photos / f"mosaic{number}.png"
        )


@pytest.fixture
def site(photos: Path, index: Index) -> Iterator[Site]:
    """Their review page."""
    with served_site(index) as found:
        yield found


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser nobody has used; whatever a page throws fails its test."""
    found = browser.new_context(viewport={"width": 1280, "height": 800})
    errors: list[str] = []
    found.on("weberror", lambda error: errors.append(str(error.error)))
    found.on("dialog", lambda dialog: (errors.append(dialog.message), dialog.dismiss()))
    yield found
    found.close()
    assert errors == []


def opened(context: BrowserContext, site: Site) -> Page:
    """The page, at its first group."""
    page = context.new_page()
    page.goto(site.address)
    expect(page.locator("#title")).to_contain_text("Group 1 of")
    return page


def many_pairs(folder: Path, index: Index, count: int) -> Path:
    """An index of so many copied pictures; but for one pair, there is nothing on disk."""
    photos = folder / "photos"
    for place in ("a", "b"):
        (photos / place).mkdir(parents=True)
        (photos / place / "00000.jpg").write_bytes(encoded(drawn(1)))
    index.update(photos, jobs=0)
    with sqlite3.connect(index.path) as db:
        names = [row[1] for row in db.execute("PRAGMA table_info(content)") if row[1] not in {"id", "digest", "look"}]
        rest = ", ".join(names)
        copied = f"INSERT INTO content (id, digest, {rest}) SELECT ?, randomblob(32), {rest} FROM content WHERE id = 1"  # noqa: S608
        folders = [row[0] for row in db.execute("SELECT id FROM folder WHERE path <> ''")]
        for number in range(1, count):
            key = number + 1_000
            db.execute(copied, (key,))
            db.execute("INSERT INTO thumbnail SELECT ?, jpeg FROM thumbnail WHERE content_id = 1", (key,))
            for at in folders:
                row = (at, f"{number:05}.jpg", 1, 1, 1, at * 10**6 + key, 0, 1, key)
                db.execute(f"INSERT INTO file ({FILE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608
    db.close()
    return photos


def title(page: Page, text: str) -> None:
    """Waits until the group that is looked at is the one meant."""
    expect(page.locator("#title")).to_contain_text(text)


@pytest.mark.parametrize("photos", ["drawn", "real"], indirect=True)
def test_whole_review_by_keyboard(context: BrowserContext, site: Site, index: Index, photos: Path) -> None:
    """What was chosen by keys, filters and in bulk outlives a reload; prune does exactly that, and undo takes it back."""
    before = tree(photos)
    page = opened(context, site)
    page.keyboard.press("a")  # a/0.jpg: its copy goes
    title(page, "Group 2 of 5")
    page.keyboard.press("a")  # a/2.jpg: taken back below
    title(page, "Group 3 of 5")
    page.keyboard.press("u")
    title(page, "Group 2 of 5: bytes, undecided")
    page.keyboard.press("s")
    page.keyboard.press("b")  # b/1.jpg: both stay
    title(page, "Group 4 of 5")
    page.keyboard.press("ArrowRight")
    title(page, "Group 5 of 5: same")
    page.keyboard.press("o")
    page.keyboard.press("i")  # the smallest mosaic stays, the two larger ones go
    title(page, "Group 5 of 5: same, 2 to go")
    expect(page.locator("#count")).to_contain_text("3 of 5 groups decided")

    page.keyboard.press("/")
    page.keyboard.type("mosaic2")
    title(page, "Group 1 of 1: same")
    page.fill("#text", "")
    page.select_option("#folder", label=str(photos / "more"))
    title(page, "Group 1 of 2: bytes, undecided")
    page.click("#bulk")
    expect(page.locator("#sure-text")).to_contain_text(
        "In 2 undecided groups (2 bytes), the proposed file stays and 2 files will go"
    )
    page.click("#sure button[value=yes]")
    expect(page.locator("#count")).to_contain_text("5 of 5 groups decided")
    expect(page.locator("#totals")).to_contain_text("4 groups, 5 surplus files")

    page.reload()
    title(page, "Group 1 of 5: bytes, 1 to go")
    page.check("#undecided")
    title(page, "No group passes the filters")
    assert tree(photos) == before
    assert run(["prune", "--reviewed", "--yes", "--quiet", "--max-share", "1", "--db", index.path]) == 0
    gone = {"z/0.jpg", "more/2.jpg", "more/3.jpg", "mosaic0.png", "mosaic1.png"}
    assert set(before) - set(tree(photos)) == gone
    assert run(["undo", "--quiet", "--db", index.path]) == 0
    assert tree(photos) == before


def test_second_window_is_told_and_shows_what_holds(context: BrowserContext, site: Site, index: Index) -> None:
    """A window that shows a former state changes nothing, says so, and shows the group as it stands."""
    first, second = opened(context, site), opened(context, site)
    first.keyboard.press("a")
    title(first, "Group 2 of 5")
    second.keyboard.press("b")

    expect(second.locator("#said")).to_contain_text("changed elsewhere")
    title(second, "Group 1 of 5: bytes, 1 to go")
    assert len(index.plan_reviewed().moves) == 1


def test_looking_needs_no_mouse_and_zoom_keeps_step(context: BrowserContext, site: Site) -> None:
    """Flip, difference and zoom are one key each; both pictures are always moved alike."""
    page = opened(context, site)
    transforms = "() => [...document.querySelectorAll('#stage img')].map((one) => one.style.transform)"
    loaded = "() => [...document.querySelectorAll('#stage img')].every((one) => one.naturalWidth === 320)"
    page.wait_for_function(loaded)

    for key in "++":
        page.keyboard.press(key)
    left, right = page.evaluate(transforms)
    assert left == right
    assert "scale(2.25)" in left
    page.keyboard.press("0")
    assert "scale(1)" in page.evaluate(transforms)[0]
    page.keyboard.press("f")
    expect(page.locator('[data-do="flip"]')).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".pane.under")).to_have_count(1)
    page.keyboard.press("d")
    assert "difference" in str(page.locator("#stage").get_attribute("class"))


def test_shortcuts_can_be_turned_off(context: BrowserContext, site: Site, index: Index) -> None:
    """Single keys do nothing where a person has turned them off, nor while something is typed."""
    page = opened(context, site)
    page.keyboard.press("/")
    page.keyboard.type("ab")
    title(page, "No group passes the filters")
    page.keyboard.press("Escape")
    page.fill("#text", "")
    title(page, "Group 1 of 5")
    page.click("#help")
    page.uncheck("#shortcuts")
    page.keyboard.press("Escape")
    page.keyboard.press("a")

    assert index.plan_reviewed().moves == ()
    page.click('[data-do="accept"]')
    title(page, "Group 2 of 5")


def test_hostile_names_are_shown_as_themselves(context: BrowserContext, index: Index, photos: Path) -> None:
    """Names of files are text wherever they stand: markup is read and not obeyed, and what deceives is spelt out."""
    for name in NAMES:
        (photos / name).write_bytes((photos / "a/0.jpg").read_bytes())
    index.update(photos, jobs=0)
    with served_site(index) as site:
        page = opened(context, site)
        expect(page.locator("#files li")).to_have_count(2 + len(NAMES))
        read = page.locator("#files .name").all_inner_texts()
        for _name in NAMES:
            page.keyboard.press("o")
        markup = page.evaluate("document.querySelectorAll('img[src=x], [onerror]').length")

    assert set(NAMES.values()) <= set(read)
    assert markup == 0


def test_file_that_changed_says_so(context: BrowserContext, site: Site, photos: Path) -> None:
    """In the place of a picture that is no longer the indexed one stands a sentence."""
    (photos / "z/0.jpg").write_bytes(b"something else")
    page = opened(context, site)

    expect(page.locator("#stage .missing")).to_contain_text("changed since it was indexed")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["laptop", "phone"])
def test_page_is_accessible(browser: Browser, site: Site, scheme: str, size: tuple[int, int]) -> None:
    """Nothing is found by axe to complain of, on a laptop and on a phone, and nothing is wider than the screen."""
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    page = opened(context, site)
    page.keyboard.press("x")
    for look in ("f", "v", "?"):
        page.keyboard.press(look)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def test_nothing_comes_from_elsewhere(context: BrowserContext, site: Site) -> None:
    """Every request goes to this server, and the address in the bar has no token."""
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = opened(context, site)
    page.keyboard.press("n")

    assert {re.sub(r"^(http://[^/]+)/.*", r"\1", url) for url in asked} == {f"http://{site.host}"}
    assert page.url == f"http://{site.host}/"


def test_thousands_of_groups_are_rows_only_while_in_view(context: BrowserContext, index: Index, tmp_path: Path) -> None:
    """The list of 2,000 groups has a screenful of rows wherever it is, and leafing goes from page to page."""
    photos = many_pairs(tmp_path, index, 2_000)
    with served_site(index) as site:
        page = opened(context, site)
        title(page, "Group 1 of 2,000")
        for _ in range(60):
            page.keyboard.press("n")
        title(page, "Group 61 of 2,000: bytes")
        page.evaluate("document.querySelector('#list').scrollTop = 1e9")
        expect(page.locator('#rows [data-at="1999"]')).to_be_visible()
        rows = page.locator("#rows li").count()
        page.click('#rows [data-at="1999"]')
        title(page, "Group 2,000 of 2,000")

    assert rows < 30
    assert photos.is_dir()
