"""Messages as PDF/A-3u, a file a message or all in one, each with the original embedded.

The names are those of the .eml export. `index-pdf.csv` tells of every message which tier of its look the pages keep,
and what they do not show.
"""

from __future__ import annotations

import errno
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath

from archiver.model import Problem
from exporters import files
from exporters.eml import ID_LENGTHS, file_name
from exporters.index import Index, cell
from exporters.interface import Outgoing, Report, problem
from exporters.names import Directory
from exporters.pdf_attachments import write_attachments
from exporters.rendition.interface import Notes, Rendition
from exporters.rendition.renderer import Renderer

INDEX = "index-pdf.csv"
COLUMNS = ("page", "pages", "tier", "clipped", "remote images", "notes", "renderer", "sha256")
"""What the index tells beyond that of the .eml export. page: where the message begins in its file, from 1 · renderer:
the beginning of the fingerprint of what made the pages · sha256: of the file when it was written, "" when it is shared.
"""
MERGED = "messages.pdf"


@dataclass(frozen=True, slots=True)
class PdfReport(Report):
    """As `Report`. tiers: messages by tier, those already there included · remote_images: messages with images on a
    server, which are not shown · clipped: messages of which some text lies outside a page.
    """

    tiers: Mapping[str, int] = field(default_factory=dict)
    remote_images: int = 0
    clipped: int = 0


@dataclass(slots=True)
class Tally:
    """What the report will say."""

    written: int = 0
    skipped: int = 0
    failed: list[Problem] = field(default_factory=list)
    paths: dict[Path, None] = field(default_factory=dict)
    tiers: Counter[str] = field(default_factory=Counter)
    remote_images: int = 0
    clipped: int = 0

    def count(self, columns: Sequence[str], *, new: bool) -> None:
        """Count a message by its `COLUMNS`; new: written now, and not there already."""
        shown = dict(zip(COLUMNS, columns, strict=True))
        self.tiers[shown["tier"]] += 1
        self.remote_images += shown["remote images"] != "0"
        self.clipped += shown["clipped"] == "yes"
        self.written += new
        self.skipped += not new

    def report(self) -> PdfReport:
        """All of it; tiers in their order."""
        tiers = dict(sorted(self.tiers.items()))
        failed, paths = tuple(self.failed), tuple(self.paths)
        return PdfReport(self.written, self.skipped, failed, paths, tiers, self.remote_images, self.clipped)


class PdfExporter:
    """`<account>/<folder>/…/<yyyy-mm-dd> <subject> <id>.pdf`, a message once, at its first place, and `index-pdf.csv`.

    renderer: entered by the caller · beside: the attachments are also written as files, into a folder beside each PDF.

    A file that an earlier export wrote for the message, and nobody has changed since, is left as it is and not
    rendered again, whichever version of the renderer made it.
    """

    def __init__(self, renderer: Renderer, *, beside: bool = False) -> None:
        self._renderer, self._beside = renderer, beside

    def export(self, messages: Iterable[Outgoing], target: Path) -> PdfReport:
        """As `Exporter.export`, and what `Renderer.render` raises; the index is merged with that of an earlier export
        into the same folder.
        """
        export = _Export(target, self._renderer.identity, self._beside)
        try:
            for message, rendition in self._renderer.render(export.missing(messages)):
                export.keep(message, rendition)
        finally:
            export.save_index()
        return export.tally.report()


class _Export:
    """One export into one folder."""

    def __init__(self, target: Path, renderer: str, beside: bool) -> None:
        self._target, self._renderer, self._beside = target, renderer, beside
        self._index = Index.load(target / INDEX, COLUMNS)
        self._directory = Directory(INDEX, MERGED)
        self.tally = Tally()

    def missing(self, messages: Iterable[Outgoing]) -> Iterator[Outgoing]:
        """The messages whose pages are not there yet; the others are counted."""
        for message in messages:
            known = self._index.known(message.id)
            path = next((path for path in self._paths(message) if known and self._is(path, known)), None)
            if path is None:
                yield message
            else:
                self._done(message, path, new=False, columns=tuple(known[name] for name in COLUMNS))

    def keep(self, message: Outgoing, rendition: Rendition) -> None:
        """Write a rendition."""
        try:
            path, new = self._write(message, rendition.pdf)
        except OSError as error:
            self.tally.failed.append(problem(message, files.reason(error)))
        else:
            digest = hashlib.sha256(rendition.pdf).hexdigest()
            self._done(message, path, new=new, columns=(*told(rendition), self._renderer, digest))

    def save_index(self) -> None:
        """Write the index."""
        try:
            self._index.save(self._target / INDEX)
        except OSError as error:
            self.tally.failed.append(Problem(INDEX, files.reason(error)))

    def _done(self, message: Outgoing, path: PurePosixPath, *, new: bool, columns: tuple[str, ...]) -> None:
        try:
            added = beside(message, self._target / path) if self._beside else 0
        except OSError as error:
            self.tally.failed.append(problem(message, f"attachments: {files.reason(error)}"))
            return
        self._index.add(message, [(place, path) for place in message.places or (None,)], columns)
        self.tally.count(columns, new=new or added > 0)
        self.tally.paths[Path(path)] = None

    def _write(self, message: Outgoing, pdf: bytes) -> tuple[PurePosixPath, bool]:
        for path in self._paths(message):
            if files.holds(self._target / path, pdf):
                return path, False
            if not (self._target / path).exists():
                files.write(self._target / path, pdf, moment(message))
                return path, True
        raise FileExistsError(errno.EEXIST, "another file has the message's name")

    def _paths(self, message: Outgoing) -> Iterator[PurePosixPath]:
        """The names a message may have, the usual one first."""
        place = message.places[0] if message.places else None
        parent = self._directory.path(place.account, place.folder) if place else PurePosixPath("_")
        for length in ID_LENGTHS:
            yield parent / file_name(message, moment(message), parent, length, ".pdf")

    def _is(self, path: PurePosixPath, known: Mapping[str, str]) -> bool:
        """Whether the file is the one the index knows, unchanged."""
        if cell(str(path)) != known.get("file") or not known.get("sha256"):
            return False
        try:
            with (self._target / path).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == known["sha256"]
        except OSError:
            return False


def moment(message: Outgoing) -> datetime | None:
    """INTERNALDATE of the first place, else the Date header: the time of the file."""
    return (message.places[0].date if message.places else None) or message.date


def beside(message: Outgoing, pdf: Path) -> int:
    """Write the attachments into the folder that belongs to the PDF; the number written now."""
    return write_attachments(message, pdf.with_name(f"{pdf.stem} attachments"))


def told(rendition: Rendition, page: int = 1) -> tuple[str, ...]:
    """`COLUMNS` of a rendition but the last two."""
    notes = rendition.notes
    clipped = "yes" if rendition.clipped else "no"
    return str(page), str(rendition.pages), rendition.tier.value, clipped, str(notes.remote_images), in_words(notes)


def in_words(notes: Notes) -> str:
    """What the pages do not show, in one line."""
    counted = {
        "tracking pixels": notes.tracking_pixels,
        "images missing": notes.missing_images,
        "characters shown as a code": notes.substituted,
        "characters cut off": notes.truncated,
    }
    return "; ".join([*(f"{count} {what}" for what, count in counted.items() if count), *notes.simplified])
