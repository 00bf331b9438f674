"""The ways into a document of many messages: bookmarks, page labels, a table of contents whose lines are links."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from html import escape
from itertools import accumulate

import pikepdf
from pikepdf import Array, Dictionary, Name, OutlineItem

from exporters.rendition.pdfa_mend import mend
from exporters.rendition.xmp import legal

_LINK = "https://contents.invalid/"
_ROWS = 500
_TITLE, _RUN = 150, 30
_PAGE = """<html><head><title>{title}</title><style>
@page {{ @top-left {{ content: none !important }} @bottom-left {{ content: none !important }}
@bottom-right {{ content: counter(page, lower-roman) !important; border: none !important }} }}
body {{ font-size: 9pt }}
h1 {{ font-size: 14pt; margin: 0 0 4mm }}
table {{ width: 100%; border-collapse: collapse; table-layout: fixed }}
td {{ padding: 0.7mm 0; vertical-align: top; border-bottom: 0.2mm solid #ccc }}
td:first-child {{ width: 30mm }}
td:last-child {{ width: 20mm; text-align: right }}
a {{ color: inherit; text-decoration: none }}
</style></head><body><h1>{title}</h1><table>{rows}</table></body></html>"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A message in the document. pages: how many it has."""

    title: str
    date: datetime | None
    pages: int

    @property
    def heading(self) -> str:
        """Its date and title in one line."""
        return f"{self.date:%Y-%m-%d} {legal(self.title)}" if self.date else legal(self.title)


def first_pages(entries: Sequence[Entry]) -> list[int]:
    """The page on which each begins, from 0."""
    return list(accumulate((entry.pages for entry in entries[:-1]), initial=0))


def add_contents(
    document: pikepdf.Pdf,
    entries: Sequence[Entry],
    lay_out: Callable[[str], bytes],
    title: str,
    open_until_saved: ExitStack,
) -> int:
    """Put a table of contents before the messages, its pages numbered i, ii, … and theirs from 1. The number of its
    pages.
    """
    targets = list(document.pages)
    count = 0
    for html in _documents(entries, title):
        source = open_until_saved.enter_context(pikepdf.open(io.BytesIO(lay_out(html))))
        mend(source)
        for page in source.pages:
            document.pages.insert(count, page)
            count += 1
    for page in list(document.pages)[:count]:
        for link in page.obj.get(Name.Annots, Array()).as_list():
            number = int(str(link.A.URI).removeprefix(_LINK))
            del link[Name.A]
            link.Dest = Array([targets[number].obj, Name.Fit])
    labels = [0, Dictionary(S=Name.r), count, Dictionary(S=Name.D)]
    document.Root.PageLabels = Dictionary(Nums=Array(labels))
    return count


def bookmark(document: pikepdf.Pdf, entries: Sequence[Entry], before: int) -> None:
    """A bookmark for each message; `before`: the pages of the table of contents."""
    with document.open_outline() as outline:
        outline.root.extend(
            OutlineItem(entry.heading, before + first, "Fit")
            for entry, first in zip(entries, first_pages(entries), strict=True)
        )
    document.Root.PageMode = Name.UseOutlines


def _documents(entries: Sequence[Entry], title: str) -> Iterator[str]:
    """The table in pieces that are laid out one by one: the time for a table grows faster than its length."""
    rows = [_row(entry, first) for entry, first in zip(entries, first_pages(entries), strict=True)]
    for at in range(0, len(rows), _ROWS):
        yield _PAGE.format(title=escape(legal(title)), rows="".join(rows[at : at + _ROWS]))


def _row(entry: Entry, first: int) -> str:
    date = f"{entry.date:%Y-%m-%d %H:%M}" if entry.date else ""
    text = legal(entry.title)[:_TITLE]
    broken = "<wbr>".join(escape(text[at : at + _RUN]) for at in range(0, len(text), _RUN))
    return (
        f'<tr><td>{date}</td><td dir="auto"><a href="{_LINK}{first}">{broken}</a></td>'
        f'<td><a href="{_LINK}{first}">{first + 1}</a></td></tr>'
    )
