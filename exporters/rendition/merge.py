"""Many renditions as one PDF/A-3u: bookmarks, a table of contents with links, and every original still embedded once.

The parts are gathered in batches that wait on disk, and their contents stay there. What is held are the objects of the
pages, about 0.2 MB a message: 1,000 messages need 200 MB.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, BinaryIO, cast

import pikepdf
from pikepdf import Name

from archiver.errors import IntegrityError
from exporters.rendition.merge_contents import Entry, add_contents, bookmark
from exporters.rendition.pdfa import describe, save
from exporters.rendition.pdfa_files import files, set_files
from exporters.rendition.xmp import Facts

LayOut = Callable[[str], bytes]
"""A whole HTML document as PDF/A-3u."""

_BATCH = 100


@dataclass(frozen=True, slots=True)
class Part:
    """A finished rendition and how the document names it."""

    pdf: bytes
    title: str
    date: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Batch:
    """Some parts in one file. identity: stands for their file identifiers."""

    file: IO[bytes]
    entries: list[Entry]
    identity: str


def merge(parts: Iterable[Part], lay_out: LayOut | None = None, title: str = "Messages", producer: str = "") -> bytes:
    """As `merge_to`, in memory."""
    target = io.BytesIO()
    with ExitStack() as stack:
        _write(_gathered(parts, io.BytesIO, stack), target, lay_out, title, producer)
    return target.getvalue()


def merge_to(
    path: Path, parts: Iterable[Part], lay_out: LayOut | None = None, title: str = "Messages", producer: str = ""
) -> None:
    """Write one PDF of all parts to `path`, which must not exist. The same parts give the same bytes.

    lay_out: makes the table of contents; without it there are bookmarks alone. producer: what made the pages, with
    versions. IntegrityError when a part cannot be read or there is none; OSError as it comes.
    """

    def waiting_room() -> IO[bytes]:
        return tempfile.TemporaryFile(dir=path.parent)

    with ExitStack() as stack, path.open("x+b") as target:
        _write(_gathered(parts, waiting_room, stack), target, lay_out, title, producer)


def _gathered(parts: Iterable[Part], sink: Callable[[], IO[bytes]], stack: ExitStack) -> list[_Batch]:
    waiting = iter(parts)
    batches: list[_Batch] = []
    while some := list(islice(waiting, _BATCH)):
        batches.append(_batch(some, stack.enter_context(sink())))
    if not batches:
        raise IntegrityError("there is nothing to merge")
    return batches


def _batch(parts: list[Part], file: IO[bytes]) -> _Batch:
    """Their pages and files in one file, without what belongs to a whole document."""
    entries: list[Entry] = []
    identity = hashlib.sha256()
    with pikepdf.new() as document, ExitStack() as open_until_saved:
        for part in parts:
            source = open_until_saved.enter_context(_opened(io.BytesIO(part.pdf)))
            entries.append(Entry(part.title, part.date, len(source.pages)))
            identity.update(bytes(source.trailer.ID[0]))
            _take(document, source)
        save(document, file, identity.hexdigest())
    return _Batch(file, entries, identity.hexdigest())


def _opened(file: IO[bytes]) -> pikepdf.Pdf:
    try:
        return pikepdf.open(cast(BinaryIO, file))
    except pikepdf.PdfError as error:
        raise IntegrityError("a rendition to merge cannot be read") from error


def _take(document: pikepdf.Pdf, source: pikepdf.Pdf) -> None:
    """The pages and the files of another document, and its output intent when there is none yet."""
    document.pages.extend(source.pages)
    if Name.OutputIntents not in document.Root:
        document.Root.OutputIntents = document.copy_foreign(source.make_indirect(source.Root.OutputIntents))
    here = files(document)
    new = {name: file for name, file in files(source).items() if name not in here}
    set_files(document, here | {name: document.copy_foreign(file) for name, file in new.items()})


def _write(batches: list[_Batch], target: IO[bytes], lay_out: LayOut | None, title: str, producer: str) -> None:
    entries = [entry for batch in batches for entry in batch.entries]
    identity = " ".join([title, producer, *(batch.identity for batch in batches)])
    with pikepdf.new() as document, ExitStack() as open_until_saved:
        for batch in batches:
            _take(document, open_until_saved.enter_context(_opened(batch.file)))
        before = add_contents(document, entries, lay_out, title, open_until_saved) if lay_out else 0
        bookmark(document, entries, before)
        describe(document, Facts(title, producer, own={"messages": str(len(entries))}))
        save(document, target, identity)
