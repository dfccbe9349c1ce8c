"""Pages as a parser reads them, and names of files that mean them ill."""

from __future__ import annotations

import base64
from html.parser import HTMLParser
from io import BytesIO

from PIL import Image

NAMES = {
    b"<img src=x onerror=alert(1)>.jpg": "<img src=x onerror=alert(1)>.jpg",
    b"\"';--.jpg": "\"';--.jpg",
    b"name\nbreak.jpg": "name\\nbreak.jpg",
    "bidi\u202egpj.exe.jpg".encode(): "bidi\\u202egpj.exe.jpg",
    b"not-utf8-\xff.jpg": "not-utf8-\\xff.jpg",
    "\u00e9t\u00e9.jpg".encode(): "\u00e9t\u00e9.jpg",
}
"""Names of files, and how they are to appear."""


class Reader(HTMLParser):
    """Notes what a parser finds: elements with attributes, and text."""

    def __init__(self, markup: str) -> None:
        """Read all of it."""
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data


def images(page: str) -> list[Image.Image]:
    """The pictures in a page."""
    sources = [attributes["src"] or "" for tag, attributes in Reader(page).elements if tag == "img"]
    return [Image.open(BytesIO(base64.b64decode(source.split(",")[1])), formats=["WEBP"]) for source in sources]
