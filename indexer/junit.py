"""Leaks as a JUnit report, which CI systems show beside the results of tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from xml.etree import ElementTree as ET

from indexer.output import named
from indexer.plans import Leak, Split
from indexer.text import count_text, printable


def leaks_junit(parts: Sequence[Split], leaks: Sequence[Leak]) -> str:
    """The report: a test case for each two splits, which fails when they share a picture."""
    root = ET.Element("testsuites")
    suite = ET.SubElement(root, "testsuite", name="imgindex leaks")
    failures = 0
    for left, right in combinations((part.name for part in parts), 2):
        name = f"{printable(left)} and {printable(right)} share no picture"
        case = ET.SubElement(suite, "testcase", classname="imgindex.leaks", name=name)
        lines = list(_pairs(leaks, {left, right}))
        if lines:
            failures += 1
            told = ET.SubElement(case, "failure", message=f"{count_text(len(lines), 'leak')}", type="leak")
            told.text = "\n".join(lines)
    suite.attrib.update(tests=str(len(suite)), failures=str(failures), errors="0")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _pairs(leaks: Sequence[Leak], between: set[str]) -> Iterator[str]:
    """A line for each two files of two splits."""
    for leak in leaks:
        for surplus, name in zip(leak.group.surplus, leak.splits[1:], strict=True):
            if {leak.splits[0], name} == between:
                yield f"{named(leak.group.keeper.full_path)} = {named(surplus.member.full_path)} ({surplus.kind})"
