"""Plain text as a body: boxes of a few lines, so that the layout's cost stays linear. Prose is set in proportional
letters, what draws a table with spaces or lines in letters of one width.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from exporters.rendition import fonts
from exporters.rendition.direction import LETTERS, direction
from exporters.rendition.page import Body
from exporters.rendition.runs import Signs, chunk

LINES = 20_000
CHARACTERS = 600_000
"""Of a text, what is shown: 400 pages, about ten seconds. The rest is counted as truncated."""

_QUOTE = re.compile(r" ?>")
_COLUMNS = re.compile(r"\S(?: {3,}|\t+)\S|[\u2500-\u257f]{3}|[-+=|]{8}")
_WIDE = re.compile(r"[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef]")
_ALIGNED = 3
_BLOCK = 20
_LONG = 2_000
_ROOM = 480.0  # points across, for a table in a quotation
_WIDEST = 150  # columns of a table that is still made to fit; letters have 5.3 points then
_LETTER = (8.8, 0.6)  # points, and em across, of a letter of Noto Sans Mono
_HAN_LETTER = (10.0, 0.5)  # of Noto Sans Mono CJK, where two letters are as wide as one Han


@dataclass(frozen=True, slots=True)
class _Look:
    """How a line is set. direction: "ltr", "rtl" or "", the page's own."""

    quoted: bool
    aligned: bool
    direction: str

    def tag(self, style: str) -> str:
        """The start tag of a box of such lines; style: of aligned ones."""
        direction = f" dir={self.direction}" if self.direction else ""
        names = " ".join(name for name in ("quoted", "aligned") if getattr(self, name))
        named = f' class="{names}"' if names else ""
        return f"<div{named}{direction}{style if self.aligned else ''}>"


def text_body(text: str) -> tuple[Body, int, int]:
    """The body of a text, how many characters became codes, and how many are not shown."""
    signs = Signs(fonts.covered)
    shown, cut = _within(text)
    lines = signs.clean(shown).split("\n")
    looks = _looks(lines)
    style = _style([line for line, look in zip(lines, looks, strict=True) if look.aligned])
    boxes = []
    for look, run in groupby(zip(looks, lines, strict=True), lambda pair: pair[0]):
        boxes += [_box(block, look.tag(style)) for block in _blocks([line for _, line in run])]
    return Body("".join(boxes), kind="text"), signs.substituted, cut


def _looks(lines: Sequence[str]) -> list[_Look]:
    columns = _columns(lines)
    directions = _directions(lines)
    return [
        _Look(bool(_QUOTE.match(line)), aligned, side)
        for line, aligned, side in zip(lines, columns, directions, strict=True)
    ]


def _columns(lines: Sequence[str]) -> list[bool]:
    """Whether each line belongs to a paragraph with columns, in a text that draws some."""
    matched = [bool(_COLUMNS.search(line[:_LONG])) for line in lines]
    if sum(matched) < _ALIGNED:
        return [False] * len(lines)
    found: list[bool] = []
    for empty, run in groupby(zip(lines, matched, strict=True), lambda pair: not pair[0].strip(" >\t")):
        paragraph = [match for _, match in run]
        aligned = (found[-1] if found else False) if empty else any(paragraph)
        found += [aligned] * len(paragraph)
    return found


def _directions(lines: Sequence[str]) -> list[str]:
    """Of each line by its first letter; a line without letters goes with the one before."""
    if not any(map(LETTERS.search, lines)):
        return [""] * len(lines)
    found = list(map(direction, lines))
    last = next(filter(None, found), "")
    for number, own in enumerate(found):
        last = own or last
        found[number] = last
    return found


def _style(lines: Sequence[str]) -> str:
    """The letters of tables: of one width, and so small that the widest line fits if it can."""
    han = any(map(_WIDE.search, lines))
    points, across = _HAN_LETTER if han else _LETTER
    widths = [len(line) + len(_WIDE.findall(line)) for line in lines]
    widest = max((width for width in widths if width <= _WIDEST), default=1) or 1
    size = min(points, _ROOM / (across * widest))
    return f' style="font-size:{size:.1f}pt{";font-family:Han Mono" if han else ""}"'


def _box(lines: list[str], tag: str) -> str:
    text = "\n".join(map(_breakable, lines))
    return f"{tag}{text}{'' if lines[-1] else chr(10)}</div>"  # the last line feed of a box makes no line


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


def _within(text: str) -> tuple[str, int]:
    """The beginning that is shown, and the number of characters left out."""
    end = min(len(text), CHARACTERS)
    place = -1
    for _ in range(LINES):
        place = text.find("\n", place + 1, end)
        if place < 0:
            return text[:end], len(text) - end
    return text[:place], len(text) - place
