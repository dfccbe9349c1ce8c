"""Draws `montage.png`, `gallery.png` and `review.png` in `docs/pictures/`: what imgindex makes of pictures drawn here.

    python docs/draw_gallery.py [CHROMIUM]

The pages are photographed by a browser without a window; default: chromium.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from draw_matching import examples, scene
from PIL import Image
from playwright.sync_api import sync_playwright

from indexer import Index
from indexer.entry import run

SHOWN = ("--kinds", "bytes,same,recoloured,flipped,rotated,edited", "--prefer", "photos/lakes")
BROWSER = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--window-size=1120,1180"),
)


def pictures() -> Iterator[tuple[str, Image.Image]]:
    """Names and pictures: a lake with what can become of it, and other lakes that were kept twice."""
    variants = {caption: picture for kind, caption, picture in examples() if kind != "none"}
    yield "lakes/boat.png", variants["the picture"]
    yield "scrape-2/boat (1).jpg", variants["JPEG of quality 30"]
    yield "scrape-2/<b>boat.jpg", variants["grey"]
    yield "scrape-2/boat-mirrored.jpg", variants["mirrored"]
    yield "scrape-3/boat-text.jpg", variants["text on it"]
    for seed, name in ((8, "morning"), (9, "noon"), (11, "evening")):
        lake = scene(seed)
        yield f"lakes/{name}.png", lake
        yield f"scrape-3/{name}-small.jpg", lake.resize((240, 180), Image.Resampling.LANCZOS)
        if seed == 9:
            yield "scrape-2/noon (copy).png", lake


def main(browser: str = "chromium") -> None:
    """Draws all three."""
    place = Path(__file__).parent.resolve() / "pictures"
    with tempfile.TemporaryDirectory(prefix="imgindex-") as folder:
        os.chdir(folder)
        for name, picture in pictures():
            path = Path(folder, "photos", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path, quality=90)
        Index().update("photos")
        run(["dups", *SHOWN, "--montage", "montage.png", "--html", "gallery.html"])
        Image.open("montage.png").quantize(255).save(place / "montage.png", optimize=True)
        page, profile = f"file://{folder}/gallery.html", f"--user-data-dir={folder}/profile"
        subprocess.run([browser, *BROWSER, profile, "--screenshot=gallery.png", page], check=True, capture_output=True)
        Image.open("gallery.png").convert("RGB").quantize(255).save(place / "gallery.png", optimize=True)
        photograph_review(browser)
        Image.open("review.png").convert("RGB").quantize(255).save(place / "review.png", optimize=True)


def photograph_review(browser: str) -> None:
    """Serves the review page of the index here, and takes a picture of it once its pictures are there."""
    call = [sys.executable, "-m", "indexer", "review", "--no-browser", "--prefer", "photos/lakes"]
    with (
        subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server,
        sync_playwright() as playwright,
    ):
        assert server.stdout is not None
        address = next(found[0] for line in server.stdout if (found := re.search(r"http://\S+", line)))
        started = playwright.chromium.launch(executable_path=shutil.which(browser), args=list(BROWSER[1:]))
        page = started.new_page(viewport={"width": 1120, "height": 900})
        page.goto(address)
        page.wait_for_load_state("networkidle")
        page.screenshot(path="review.png")
        started.close()
        server.terminate()


if __name__ == "__main__":
    main(*sys.argv[1:])
