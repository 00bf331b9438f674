"""Plain text as a body: a box a line, so that the layout's cost stays linear, in proportional letters unless the text
draws a table of its own with spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from itertools import groupby

from exporters.rendition import fonts
from exporters.rendition.page import Body
from exporters.rendition.runs import Signs, chunk

LINES = 20_000
CHARACTERS = 600_000
"""Of a text, what is shown: 400 pages, about ten seconds. The rest is counted as truncated."""

_QUOTE = re.compile(r" ?>")
_COLUMNS = re.compile(r"\S(?: {3,}|\t+)\S|[\u2500-\u257f]{3}|[-+=|]{8}")
_ALIGNED = 3
_BLOCK = 20
_LONG = 2_000


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
    text = "\n".join(map(_breakable, lines))
    return f"<div{kind}>{text}</div>"


def _breakable(line: str) -> str:
    """A line as HTML. Zero-width spaces cost a quarter of <wbr> here; in a table cell they would cost minutes."""
    return "\u200b".join(escape(piece, quote=False) for piece in chunk(line))


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """Boxes of a few lines and a few thousand characters: a box costs the square of its length."""
    block: list[str] = []
    size = 0
    for line in lines:
        for piece in _pieces(line):
            if block and (len(block) >= _BLOCK or size + len(piece) > _LONG):
                yield block
                block, size = [], 0
            block.append(piece)
            size += len(piece)
    if block:
        yield block


def _pieces(line: str) -> Iterator[str]:
    """A line in lines of at most `_LONG` characters, cut where it may break, at a space if there is one near."""
    while len(line) > _LONG:
        end = line.rfind(" ", _LONG - 200, _LONG) + 1 or len("".join(chunk(line[:_LONG])[:-1])) or _LONG
        yield line[:end]
        line = line[end:]
    yield line


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
