"""Plain text as a body: a box a line, so that the layout's cost stays linear, in proportional letters unless the text
draws a table of its own with spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from exporters.rendition import fonts
from exporters.rendition.page import Body
from exporters.rendition.runs import Signs, breakable

LINES = 20_000
CHARACTERS = 600_000
"""Of a text, what is shown: 400 pages, about ten seconds. The rest is counted as truncated."""

_QUOTE = re.compile(r" ?>")
_COLUMNS = re.compile(r"\S(?: {3,}|\t+)\S|[\u2500-\u257f]{3}|[-+=|]{8}")
_ALIGNED = 3
_BLOCK = 20


def text_body(text: str) -> tuple[Body, int, int]:
    """The body of a text, how many characters became codes, and how many are not shown."""
    signs = Signs(fonts.covered)
    shown, cut = _within(text)
    lines = signs.clean(shown).split("\n")
    blocks = [
        _box(block, quoted)
        for quoted, run in groupby(lines, lambda line: bool(_QUOTE.match(line)))
        for block in _blocks(list(run))
    ]
    kind = "text aligned" if _draws_columns(lines) else "text"
    return Body("".join(blocks), kind=kind), signs.substituted, cut


def _box(lines: list[str], quoted: bool) -> str:
    kind = " class=quoted" if quoted else ""
    text = "\n".join(map(breakable, lines))
    return f"<div{kind}>{text}</div>"


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """Boxes of several short lines: a box costs as much as its text, a box without end costs its square."""
    for start in range(0, len(lines), _BLOCK):
        yield lines[start : start + _BLOCK]


def _draws_columns(lines: list[str]) -> bool:
    return sum(1 for line in lines[:2_000] if _COLUMNS.search(line)) >= _ALIGNED


def _within(text: str) -> tuple[str, int]:
    """The beginning that is shown, and the number of characters left out."""
    end = min(len(text), CHARACTERS)
    place = -1
    for _ in range(LINES):
        place = text.find("\n", place + 1, end)
        if place < 0:
            return text[:end], len(text) - end
    return text[:place], len(text) - place
