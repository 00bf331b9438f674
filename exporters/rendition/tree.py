"""The element structure of a mail, kept within limits that the parser and the layout engine can bear.

An HTML parser needs quadratic time for deep nesting and multiplies formatting elements that are never closed, so the
limits are kept before it, on the tags as they come, by the parser's own rules for what closes what (HTML Living
Standard 13.2.6). What is written is for that parser: it still decides how sloppy markup is meant.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from exporters.rendition.elements import BLOCK, FORMATTING, INLINE, PARTS

DEPTH = 80
ELEMENTS = 40_000
BREAKS = 3000
ONE_LINE = 30
"""Characters of a cell that is not broken into lines because the mail says so."""
ROW = (60, 1500)
"""Characters of a table's row that is not broken across pages: fewer go into the three lines that are never broken."""
QUOTES = 5
"""Quotations inside one another that are still indented."""
LISTS = 8
FLOATS = 12
"""Boxes inside one another whose width depends on their content; each doubles the time or worse."""
_DANGLING = 8  # formatting elements a block may leave open to go on in the next
_REOPENED = 20_000  # times they are opened again in one body
_SECTIONS = frozenset(["tbody", "thead", "tfoot"])
_CELLS = frozenset(["td", "th", "caption"])
_BOUNDARY = _CELLS | {"table"}
_HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])
_LISTED = frozenset(["ul", "ol", "dl"])
_LINE = (BLOCK | PARTS) - {"td", "th"}


@dataclass(slots=True)
class Open:
    """An element that is open. aligned: what says how its text is aligned, "attribute", "style" or "". nowrap: a
    cell whose text wants one line; place: its tag in the output; text: characters written before it; tables: tables
    begun up to it. dangling: what
    formatting was left open when it began (cells close that off)."""

    name: str
    floats: bool = False
    symbols: bool = False
    aligned: str = ""
    nowrap: bool = False
    place: int = 0
    text: int = 0
    tables: int = 0
    dangling: list[str] = field(default_factory=list)


class Tree:
    """Writes the tags that may stay to `out`; the caller writes texts and empty elements there too.

    `simplified` gathers what was flattened, in the words of `Notes.simplified`.
    """

    def __init__(self, out: list[str]) -> None:
        self.out = out
        self.open: list[Open] = []
        self.simplified: set[str] = set()
        self.elements = 0
        self.breaks = 0
        self.text = 0
        """Characters of text so far; whoever writes them counts them."""
        self._flattened: dict[str, int] = {}
        self._dangling: list[str] = []
        self._reopened = 0
        self._tables = 0

    @property
    def symbols(self) -> bool:
        """Whether the text that comes is set in a symbol font."""
        return bool(self.open) and self.open[-1].symbols

    def floats(self) -> int:
        """Floating boxes that are open."""
        return sum(entry.floats for entry in self.open)

    def aligned(self) -> str:
        """What says how text is aligned here."""
        return next((entry.aligned for entry in reversed(self.open) if entry.aligned), "")

    def nested(self, names: frozenset[str]) -> int:
        """Elements of these names that are open."""
        return sum(entry.name in names for entry in self.open)

    def takes(self, name: str) -> bool:
        """Make room for a start tag: close what it closes. False when it must be left out."""
        if self.elements >= ELEMENTS:
            self.flatten(name)
            return False
        if name in PARTS:
            if not self._in_table(name):
                return False
        else:
            self._close_implied(name)
        if len(self.open) >= DEPTH and name != "col":
            self.simplified.add("nesting")
            self._flattened[name] = self._flattened.get(name, 0) + 1
            self._separate(name)
            return False
        return True

    def push(self, written: str, entry: Open) -> None:
        """Write a start tag that `takes` let pass."""
        self._reopened += len(self._dangling)
        if self._reopened > _REOPENED:
            self.out.extend(f"</{left}>" for left in self._dangling)
            self._dangling.clear()
        self.out.append(written)
        self.elements += 1
        entry.symbols = entry.symbols or self.symbols
        entry.dangling = list(self._dangling)
        entry.place, entry.text = len(self.out) - 1, self.text
        self._tables += entry.name == "table"
        entry.tables = self._tables
        self.open.append(entry)

    def flatten(self, name: str) -> None:
        """There are too many elements: from here on only text, and lines as far as they may be broken."""
        if "elements" not in self.simplified:
            self.simplified.add("elements")
            self._pop_to(0)
        self._separate(name)

    def break_line(self) -> str:
        """A line break; a space once there are too many."""
        self.breaks += 1
        if self.breaks > BREAKS:
            self.simplified.add("breaks")
            return " "
        return "<br>"

    def end(self, name: str) -> None:
        """An end tag."""
        if self.elements >= ELEMENTS and "elements" in self.simplified:
            self._separate(name)
        elif self._flattened.get(name):
            self._flattened[name] -= 1
            self._separate(name)
        elif (place := self._find(name)) is not None:
            self._pop_to(place + 1)
            self._settle(self.open.pop())
            self.out.append(f"</{name}>")
            self._risen()
        elif name in self._dangling:
            self._dangling.remove(name)
            self.out.append(f"</{name}>")

    def close(self) -> None:
        """The end of the body."""
        self._pop_to(0)

    def _separate(self, name: str) -> None:
        """Where a block or a cell was flattened the texts around it stay apart."""
        if name not in INLINE and self.out and self.out[-1] not in ("<br>", " "):
            self.out.append(self.break_line() if name in _LINE else " ")

    def _risen(self) -> None:
        """Below the limit again: end tags of what was flattened are behind us."""
        if len(self.open) < DEPTH:
            self._flattened.clear()

    def _find(self, name: str) -> int | None:
        """The open element that `</name>` closes: the innermost of that name, not beyond the cell or the table."""
        walls = {"table"} if name in PARTS or name == "table" else _BOUNDARY
        for place in range(len(self.open) - 1, -1, -1):
            entry = self.open[place].name
            if entry == name:
                return place
            if entry in walls:
                return None
        return None

    def _pop_to(self, size: int) -> None:
        """Close elements without an end tag of their own until `size` are open.

        Formatting is left open for the parser to take up again, up to a few; beyond, it is closed here.
        """
        while len(self.open) > size:
            entry = self.open.pop()
            self._settle(entry)
            if entry.name in _CELLS:
                self._dangling = entry.dangling
            if entry.name not in FORMATTING or len(self._dangling) >= self._bearable():
                self.out.append(f"</{entry.name}>")
            else:
                self._dangling.append(entry.name)
        self._risen()

    def _settle(self, entry: Open) -> None:
        """What only the end of an element tells. A short cell may keep to its line, as prices do; a long one would run
        off the page. A row of a few lines stays on one page; one that holds tables is the frame of a whole mail.
        """
        size = self.text - entry.text
        if entry.nowrap and size <= ONE_LINE:
            self._add_style(entry.place, "white-space:nowrap")
        elif entry.name == "tr" and entry.tables == self._tables and ROW[0] < size <= ROW[1]:
            self._add_style(entry.place, "break-inside:avoid")

    def _add_style(self, place: int, declaration: str) -> None:
        tag = self.out[place]
        style = f' style="{declaration}'
        self.out[place] = tag.replace(' style="', style + ";", 1) if style[:8] in tag else f'{tag[:-1]}{style}">'

    def _bearable(self) -> int:
        return _DANGLING if self._reopened < _REOPENED else 0

    def _close_implied(self, name: str) -> None:
        """What a start tag outside the structure of tables closes."""
        if name in BLOCK:
            self._close_up("p", frozenset())
        if name == "li":
            self._close_up("li", _LISTED)
        elif name in ("dd", "dt"):
            self._close_up("dd", _LISTED)
            self._close_up("dt", _LISTED)
        elif name in _HEADINGS and self.open and self.open[-1].name in _HEADINGS:
            self._pop_to(len(self.open) - 1)
        elif name == "a" and (place := self._find("a")) is not None:
            self._pop_to(place + 1)
            self.open.pop()
            self.out.append("</a>")
        elif name == "table" and self.open and self.open[-1].name in _SECTIONS | {"table", "tr"}:
            self.end("table")

    def _close_up(self, name: str, walls: frozenset[str]) -> None:
        for place in range(len(self.open) - 1, -1, -1):
            entry = self.open[place].name
            if entry == name:
                self._pop_to(place)
                return
            if entry in walls or entry in _BOUNDARY:
                return

    def _in_table(self, name: str) -> bool:
        """Close cells and rows so that a part of a table can begin; False outside tables."""
        inner = [entry.name for entry in self.open]
        table = len(inner) - 1 - inner[::-1].index("table") if "table" in inner else -1
        if table < 0 or self._flattened.get("table"):
            if self._flattened.get("table"):
                self._separate(name)
            return False
        below = inner[table + 1 :]
        keep = table + 1
        if name in ("tr", "td", "th") and below and below[0] in _SECTIONS:
            keep += 1
        holder = {"td": "tr", "th": "tr", "col": "colgroup"}.get(name, "")
        if holder in inner[keep : keep + 1]:
            keep += 1
        self._pop_to(keep)
        if name in ("td", "th") and self.open[-1].name != "tr":
            self.push("<tr>", Open("tr"))
        return True
