"""HTML made of plain text, read back by Python's own parser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import Reader

from indexer.markup import Html, element, escaped

HOSTILE = [
    "<img src=x onerror=alert(1)>.jpg",
    "\"';--.jpg",
    "</style><script>alert(1)</script>",
    "&lt;b&gt;",
    "' onmouseover='alert(1)",
    "]]> --> <!--",
]


@pytest.mark.parametrize("words", HOSTILE)
def test_text_stays_text_whatever_it_holds(words: str) -> None:
    """In an element and in an attribute, the parser finds the same words, and nothing else."""
    read = Reader(element("p", words, title=words))

    assert read.elements == [("p", {"title": words})]
    assert read.text == words


@given(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\r")))
def test_any_text_is_read_as_it_was_written(words: str) -> None:
    """Whatever the characters."""
    read = Reader(element("p", words, title=words))

    assert (read.elements, read.text) == ([("p", {"title": words})], words)


def test_markup_is_not_escaped_again_but_text_made_of_it_is() -> None:
    """Only what was made as markup is trusted: joined to plain text, it is plain text."""
    bold = element("b", "a")

    assert element("p", bold) == "<p><b>a</b></p>"
    assert escaped(bold) is bold
    assert escaped(bold + "c") == "&lt;b&gt;a&lt;/b&gt;c"
    assert isinstance(escaped("a"), Html)
