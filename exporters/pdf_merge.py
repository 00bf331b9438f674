"""Messages as one PDF/A-3u with bookmarks and a table of contents, every original embedded."""

from __future__ import annotations

import errno
import filecmp
import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path, PurePosixPath

from archiver.model import Problem
from exporters import files
from exporters.index import Index
from exporters.interface import Outgoing, problem
from exporters.pdf import COLUMNS, INDEX, MERGED, PdfReport, Tally, told
from exporters.pdf_attachments import write_attachments
from exporters.rendition.interface import Rendition
from exporters.rendition.merge import Part, merge_to
from exporters.rendition.renderer import Renderer
from exporters.rendition.renderer_identity import name

ATTACHMENTS = "messages attachments"
TITLE = "Messages"


class MergedPdfExporter:
    """`messages.pdf` with the messages in the order given, and `index-pdf.csv`, which tells where each begins.

    renderer: entered by the caller · beside: the attachments are also written as files, into `messages attachments/`,
    a folder a message. Where a `messages.pdf` with other content is, it is left alone: all messages fail by name then,
    for they are in no file.
    """

    def __init__(self, renderer: Renderer, *, beside: bool = False) -> None:
        self._renderer, self._beside = renderer, beside

    def export(self, messages: Iterable[Outgoing], target: Path) -> PdfReport:
        """As `Exporter.export`, and what `Renderer.render` raises. The file appears under its name when it is whole."""
        rendered = self._renderer.render(messages)
        first = next(rendered, None)
        if first is None:
            return PdfReport(0, 0, (), ())
        export = _Export(target, self._renderer.identity, self._beside)
        parts = export.parts(chain([first], rendered))
        part = target / f".{os.getpid()}.part"
        failure, new = "", False
        try:
            target.mkdir(parents=True, exist_ok=True)
            _merge(part, parts)
            new = _settled(part, target / MERGED)
        except OSError as error:
            files.raise_if_full(error)
            failure = files.reason(error)
            deque(parts, 0)  # those not yet read fail by name too
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        return export.report(failure, new=new)


class _Export:
    """What is known of the messages until their one file is there, or is not."""

    def __init__(self, target: Path, renderer: str, beside: bool) -> None:
        self._target, self._renderer, self._beside = target, renderer, beside
        self._index = Index({}, COLUMNS)
        self._taken: list[tuple[Problem, tuple[str, ...]]] = []
        self._page = 1

    def parts(self, rendered: Iterable[tuple[Outgoing, Rendition]]) -> Iterator[Part]:
        """The renditions as they are merged."""
        for message, rendition in rendered:
            columns = (*told(rendition, self._page), self._renderer, "")
            self._index.add(message, [(place, PurePosixPath(MERGED)) for place in message.places or (None,)], columns)
            self._page += rendition.pages
            self._taken.append((problem(message, self._attachments(message)), columns))
            yield Part(rendition.pdf, message.subject or f"Message {message.id[:16]}", message.date)

    def report(self, failure: str, *, new: bool) -> PdfReport:
        """What became of all: `failure` is that of the one file, "" when it is there."""
        tally = Tally()
        for trouble, columns in self._taken:
            if failure or trouble.reason:
                tally.failed.append(replace(trouble, reason=failure or trouble.reason))
            else:
                tally.count(columns, new=new)
        if not failure:
            tally.paths[Path(MERGED)] = None
            try:
                self._index.save(self._target / INDEX)
            except OSError as error:
                tally.failed.append(Problem(INDEX, files.reason(error)))
        return tally.report()

    def _attachments(self, message: Outgoing) -> str:
        """Write them; what went wrong, "" for nothing."""
        if not self._beside:
            return ""
        try:
            write_attachments(message, self._target / ATTACHMENTS / message.id[:16])
        except OSError as error:
            return f"attachments: {files.reason(error)}"
        return ""


def _merge(part: Path, parts: Iterable[Part]) -> None:
    # WeasyPrint is imported here alone, for the table of contents: its text is ours, but for the subjects.
    from exporters.rendition.engine import lay_out

    merge_to(part, parts, lambda html: lay_out(html, {}), TITLE, name())


def _settled(part: Path, path: Path) -> bool:
    """Give the file its name; False when the same file is there already. FileExistsError when another one is."""
    if not path.exists():
        part.replace(path)
        return True
    if filecmp.cmp(part, path, shallow=False):
        return False
    raise FileExistsError(errno.EEXIST, "another messages.pdf is there")
