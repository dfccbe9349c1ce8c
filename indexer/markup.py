"""HTML in which nothing is markup but what was made here: plain text is escaped, whatever it holds."""

from __future__ import annotations

import html

_VOID = frozenset(("br", "img", "input", "link", "meta"))
"""Elements that have no end."""


class Html(str):
    """Text that is markup, and is not escaped again."""

    __slots__ = ()


def escaped(text: str) -> Html:
    r"""Text as it stands in a page or in an attribute; markup stays as it is.

    >>> escaped("<b>'\"&")
    '&lt;b&gt;&#x27;&quot;&amp;'
    """
    return text if isinstance(text, Html) else Html(html.escape(text))


def element(tag: str, /, *inside: str, **attributes: str | int | bool) -> Html:
    """An element.

    Args:
        tag: Its name.
        *inside: What it holds: markup, or plain text, which is escaped.
        **attributes: `class_` stands for `class`, `data_x` for `data-x`; True is an attribute without a value, False none.

    >>> element("p", "a < b, ", element("b", "c"), class_="note")
    '<p class="note">a &lt; b, <b>c</b></p>'
    >>> element("input", type="radio", checked=True, disabled=False)
    '<input type="radio" checked>'
    """
    start = f"<{tag}{''.join(map(_attribute, attributes.items()))}>"
    return Html(start if tag in _VOID else f"{start}{''.join(map(escaped, inside))}</{tag}>")


def _attribute(given: tuple[str, str | int | bool]) -> str:
    name, value = given[0].rstrip("_").replace("_", "-"), given[1]
    if isinstance(value, bool):
        return f" {name}" if value else ""
    return f' {name}="{escaped(str(value))}"'
