"""From a prepared message and its rendition to numbered files of a volume and finished records."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archiver.model import Body
from exporters.production.extraction import PdfText, extracted, said
from exporters.production.family import Child
from exporters.production.intake import FAILED, Prepared
from exporters.production.journal import Denial, Entry
from exporters.production.loadfiles import spoilt
from exporters.production.numbering import Numbers
from exporters.production.record import JOIN, Record, note, rendered
from exporters.production.volumes import Volumes
from exporters.rendition.interface import Rendition

Stamp = Callable[[bytes, Sequence[str]], bytes]
"""A PDF and a label for each of its pages -> the PDF with the labels on its pages."""
Slip = Callable[[str, str], bytes]
"""Headline and reason -> one page that stands for a document which is not handed out."""


class Assembly:
    """Gives every document its number, its files and its place in a volume, in the order in which messages come."""

    def __init__(
        self, numbers: Numbers, volumes: Volumes, *, stamp: Stamp, slip: Slip, pdf_text: PdfText, renderer: str
    ) -> None:
        self._numbers, self._volumes = numbers, volumes
        self._stamp, self._slip, self._pdf_text, self._renderer = stamp, slip, pdf_text, renderer
        self._next = numbers.start

    def resume(self, entry: Entry) -> None:
        """Go on behind a message that is done."""
        self._next = entry.following
        if entry.volume:
            self._volumes.resume(entry.volume, entry.size)

    def add(self, prepared: Prepared, rendition: Rendition | None) -> Entry:
        """Number and write one family. Raises OSError, QuotaError."""
        if prepared.outcome == FAILED:
            return Entry(prepared.id, FAILED, prepared.copies, self._next, prepared.reason)
        pages = [1] * len(prepared.records)
        if rendition is not None:
            pages[0] = rendition.pages
        self._number(prepared.records, pages)
        self._relate(prepared)
        contents = self._contents(prepared, rendition)
        size = sum(len(content) for content in contents.values())
        volume = self._volumes.choose(size)
        notes = self._volumes.lay(volume, contents)
        hashes = {note.path: note.sha256 for note in notes}
        for record in prepared.records:
            record["PDFSHA256"] = hashes.get("data/" + record["PDFPATH"].replace("\\", "/"), "")
            note(record, spoilt(record))
        return Entry(
            prepared.id,
            prepared.outcome,
            prepared.copies,
            self._next,
            volume=volume,
            size=size,
            inline=prepared.inline,
            message_id=prepared.message_id,
            summary=prepared.summary,
            records=prepared.records,
            files=notes,
            denials=_denials(prepared),
        )

    def _number(self, records: Sequence[Record], pages: Sequence[int]) -> None:
        for record, count in zip(records, pages, strict=True):
            first, last = self._numbers.label(self._next), self._numbers.label(self._next + count - 1)
            record |= {"CONTROLNUMBER": first, "BEGBATES": first, "ENDBATES": last}
            self._next += count

    def _relate(self, prepared: Prepared) -> None:
        """BEGATTACH to ENDATTACH is the whole family; PARENTID and ATTACHIDS are the relation to the next level."""
        records = prepared.records
        for record in records:
            record |= {"BEGATTACH": records[0]["BEGBATES"], "ENDATTACH": records[-1]["ENDBATES"]}
        for number, parent in enumerate(prepared.parents, 1):
            records[number]["PARENTID"] = records[parent]["CONTROLNUMBER"]
        for record in records:
            own = record["CONTROLNUMBER"]
            attached = [other["CONTROLNUMBER"] for other in records if other["PARENTID"] == own]
            record |= {"ATTACHIDS": JOIN.join(attached), "ATTACHCOUNT": str(len(attached))}

    def _contents(self, prepared: Prepared, rendition: Rendition | None) -> dict[str, Body]:
        """The files of a family by their path below data/; the records learn where they lie."""
        contents: dict[str, Body] = {}
        for denied in prepared.denied:
            record = prepared.records[denied.number]
            folder = "ATTACHMENTS" if denied.number else "PDF"
            headline = f"Document {denied.what}"
            self._page(contents, record, folder, self._slip(headline, denied.ground.basis or denied.ground.reason), 1)
        family, message = prepared.family, prepared.raw
        if family is None or message is None:
            return contents
        record = prepared.records[0]
        if rendition is not None:
            self._page(contents, record, "PDF", rendition.pdf, rendition.pages)
            rendered(record, rendition, self._renderer)
        if family.clean:
            _file(contents, record, "NATIVEPATH", "NATIVES", "eml", message.raw)
        _text(contents, record, *said(family.parsed, "no text in the message"))
        for child, record in zip(family.children, prepared.records[1:], strict=True):
            if child.ground is None:
                self._child(contents, record, child)
        return contents

    def _child(self, contents: dict[str, Body], record: Record, child: Child) -> None:
        _file(contents, record, "NATIVEPATH", "ATTACHMENTS", child.suffix, child.attachment.data())
        _text(contents, record, *extracted(child.attachment, self._pdf_text))

    def _page(self, contents: dict[str, Body], record: Record, folder: str, pdf: bytes, pages: int) -> None:
        """A PDF with its numbers on it."""
        first = int(record["BEGBATES"].removeprefix(self._numbers.prefix))
        labels = [self._numbers.label(first + page) for page in range(pages)]
        _file(contents, record, "PDFPATH", folder, "pdf", self._stamp(pdf, labels))
        record["PAGECOUNT"] = str(pages)


def _file(contents: dict[str, Body], record: Record, field: str, folder: str, suffix: str, content: Body) -> None:
    name = f"{record['CONTROLNUMBER']}.{suffix}"
    contents[f"{folder}/{name}"] = content
    record[field] = f"{folder}\\{name}"
    if field == "NATIVEPATH":
        record["FILENAME"] = record["FILENAME"] or name


def _text(contents: dict[str, Body], record: Record, text: str, wrong: Sequence[str]) -> None:
    """Every document that is handed out has a text file, even an empty one, so that every TEXTPATH leads somewhere."""
    _file(contents, record, "TEXTPATH", "TEXT", "txt", text.encode(errors="replace"))
    for exception in wrong:
        note(record, exception)


def _denials(prepared: Prepared) -> tuple[Denial, ...]:
    return tuple(
        (
            prepared.records[denied.number]["CONTROLNUMBER"],
            denied.what,
            denied.document,
            denied.sha256,
            denied.ground.reason,
            denied.ground.basis,
        )
        for denied in prepared.denied
    )
