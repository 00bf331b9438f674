"""Many renditions as one PDF/A-3u: bookmarks, a table of contents with links, and every original still embedded once.

Each part is written as it comes. What is held are the titles and some numbers of each, about a kilobyte a message.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO

import pikepdf
from pikepdf import Name, String

from archiver.errors import IntegrityError
from exporters.rendition.merge_contents import Entry, LayOut, bookmarks, contents
from exporters.rendition.merge_file import Lender, MergedFile
from exporters.rendition.pdfa_files import files
from exporters.rendition.xmp import Facts, information, packet


@dataclass(frozen=True, slots=True)
class Part:
    """A finished rendition and how the document names it."""

    pdf: bytes
    title: str
    date: datetime | None = None


@dataclass(slots=True)
class _Taken:
    """What is known of the parts that are written: numbers of objects."""

    entries: list[Entry] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    intents: int = 0


def merge(parts: Iterable[Part], lay_out: LayOut | None = None, title: str = "Messages", producer: str = "") -> bytes:
    """As `merge_to`, in memory."""
    target = io.BytesIO()
    _merge(parts, target, lay_out, title, producer)
    return target.getvalue()


def merge_to(
    path: Path, parts: Iterable[Part], lay_out: LayOut | None = None, title: str = "Messages", producer: str = ""
) -> None:
    """Write one PDF of all parts to `path`, which must not exist. The same parts give the same bytes.

    lay_out: makes the table of contents; without it there are bookmarks alone. producer: what made the pages, with
    versions. IntegrityError when a part cannot be read or there is none; OSError as it comes.
    """
    with path.open("xb") as target:
        _merge(parts, target, lay_out, title, producer)


def _merge(parts: Iterable[Part], target: IO[bytes], lay_out: LayOut | None, title: str, producer: str) -> None:
    file = MergedFile(target)
    tree = file.reserve()
    taken = _Taken()
    identity = hashlib.sha256(f"{title} {producer}".encode())
    for part in parts:
        try:
            with pikepdf.open(io.BytesIO(part.pdf)) as source:
                if Name.ID not in source.trailer or Name.OutputIntents not in source.Root:
                    raise IntegrityError("a document to merge is no rendition")
                identity.update(bytes(source.trailer.ID[0]))
                _take(part, source, file, tree, taken)
        except pikepdf.PdfError as error:
            raise IntegrityError("a rendition to merge cannot be read") from error
    if not taken.entries:
        raise IntegrityError("there is nothing to merge")
    before = contents(file, tree, taken.entries, taken.pages, lay_out, title) if lay_out else []
    pages = [*before, *taken.pages]
    file.add(b"<< /Type /Pages /Count %d /Kids [ %s ] >>" % (len(pages), _references(pages)), tree)
    facts = Facts(title, producer, own={"messages": str(len(taken.entries))})
    root = _catalog(file, tree, taken, len(before), facts)
    told = b" ".join(b"%s %s" % (key.encode(), String(value).unparse()) for key, value in information(facts).items())
    file.close(root, file.add(b"<< %s >>" % told), identity.hexdigest())


def _take(part: Part, source: pikepdf.Pdf, file: MergedFile, tree: int, taken: _Taken) -> None:
    """Write the pages and the files of a part, and its output intent when there is none yet."""
    lender = Lender(source, file)
    pages = lender.pages(tree)
    taken.entries.append(Entry(part.title, part.date, len(pages)))
    taken.pages += pages
    for name, specification in files(source).items():
        if name not in taken.files:
            taken.files[name] = lender.take(specification)
    if not taken.intents:
        taken.intents = lender.take(source.make_indirect(source.Root[Name.OutputIntents]))


def _catalog(file: MergedFile, tree: int, taken: _Taken, before: int, facts: Facts) -> int:
    """The document's root (ISO 32000-1 section 7.7.2); before: pages of the table of contents."""
    metadata = packet(facts)
    stream = file.stream(b"<< /Type /Metadata /Subtype /XML /Length %d >>" % len(metadata), metadata)
    outline = bookmarks(file, taken.entries, taken.pages)
    entries = [
        b"/Type /Catalog /Pages %d 0 R /PageMode /UseOutlines" % tree,
        b"/Metadata %d 0 R /Outlines %d 0 R /OutputIntents %d 0 R" % (stream, outline, taken.intents),
    ]
    if before:
        entries.append(b"/PageLabels << /Nums [ 0 << /S /r >> %d << /S /D >> ] >>" % before)
    if taken.files:
        # The names are ASCII, so their order as text is the order that a name tree needs (section 7.9.6).
        in_order = sorted(taken.files.items())
        names = b" ".join(b"%s %d 0 R" % (String(name).unparse(), number) for name, number in in_order)
        embedded = file.add(b"<< /Names [ %s ] >>" % names)
        associated = file.add(b"[ %s ]" % _references([number for _, number in in_order]))
        entries.append(b"/Names << /EmbeddedFiles %d 0 R >> /AF %d 0 R" % (embedded, associated))
    return file.add(b"<< %s >>" % b" ".join(entries))


def _references(numbers: Sequence[int]) -> bytes:
    return b" ".join(b"%d 0 R" % number for number in numbers)
