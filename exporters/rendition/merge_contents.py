"""The ways into a document of many messages: bookmarks, page labels, a table of contents whose lines are links."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from itertools import accumulate

import pikepdf
from pikepdf import Array, Dictionary, Name, String

from exporters.rendition.merge_file import Lender, MergedFile
from exporters.rendition.pdfa import save
from exporters.rendition.pdfa_mend import mend
from exporters.rendition.xmp import legal

LayOut = Callable[[str], bytes]
"""A whole HTML document as PDF/A-3u."""

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


def contents(
    file: MergedFile, tree: int, entries: Sequence[Entry], pages: Sequence[int], lay_out: LayOut, title: str
) -> list[int]:
    """Write a table of contents; the numbers of its pages. pages: those of the messages."""
    written: list[int] = []
    for html in _documents(entries, title):
        with pikepdf.open(io.BytesIO(lay_out(html))) as document:
            mend(document)
            settled = io.BytesIO()
            save(document, settled)
        with pikepdf.open(settled) as document:
            written += Lender(document, file, _linked(document, pages)).pages(tree)
    return written


def _linked(document: pikepdf.Pdf, pages: Sequence[int]) -> dict[tuple[int, int], int]:
    """Let its links lead to objects that stand for the pages of the messages."""
    stand_ins: dict[int, pikepdf.Object] = {}
    for page in document.pages:
        for link in page.obj.get(Name.Annots, Array()).as_list():
            number = int(str(link.A.URI).removeprefix(_LINK))
            if number not in stand_ins:
                stand_ins[number] = document.make_indirect(Dictionary())
            del link[Name.A]
            link.Dest = Array([stand_ins[number], Name.Fit])
    return {stand_in.objgen: pages[number] for number, stand_in in stand_ins.items()}


def bookmarks(file: MergedFile, entries: Sequence[Entry], pages: Sequence[int]) -> int:
    """Write a bookmark for each message (ISO 32000-1 section 12.3.3); the number of their root."""
    root, first = file.reserve(), [file.reserve() for _ in entries]
    for at, (entry, page) in enumerate(zip(entries, first_pages(entries), strict=True)):
        title = String(entry.heading).unparse()
        beside = b"/Prev %d 0 R " % first[at - 1] if at else b""
        beside += b"/Next %d 0 R " % first[at + 1] if at + 1 < len(first) else b""
        text = b"<< /Title %s /Parent %d 0 R %s/Dest [ %d 0 R /Fit ] >>" % (title, root, beside, pages[page])
        file.add(text, first[at])
    ends = (len(first), first[0], first[-1])
    return file.add(b"<< /Type /Outlines /Count %d /First %d 0 R /Last %d 0 R >>" % ends, root)


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
