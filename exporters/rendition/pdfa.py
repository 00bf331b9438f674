"""Laid-out pages become PDF/A-3u: the message embedded, metadata, and what the layout engine leaves to mend.

The same input gives the same bytes: dates come from the message, identifiers from its hash and the renderer.
"""

from __future__ import annotations

import hashlib
import io
import re
from datetime import datetime
from typing import IO, BinaryIO, cast

import pikepdf

from archiver.errors import IntegrityError
from archiver.mime import parse
from archiver.model import Address
from exporters.interface import Outgoing
from exporters.rendition.interface import Tier
from exporters.rendition.pdfa_files import embed_message, embeds
from exporters.rendition.pdfa_mend import mend
from exporters.rendition.pdfa_nesting import flatten
from exporters.rendition.xmp import Facts, information, packet, xmp_date

_HEADER_LIMIT = 256 * 1024
_BLANK_LINE = re.compile(rb"\r?\n\r?\n|\r\r")


def finish(pdf: bytes, message: Outgoing, tier: Tier, renderer: str) -> bytes:
    """The laid-out pages of a message as PDF/A-3u, with the message itself as the one associated file.

    A message above `EMBEDDED_LIMIT` is named by its hash alone, and the metadata say so. `renderer` tells what laid
    out the pages, with versions. IntegrityError when `pdf` is none, MailarkError when its graphics states are nested
    too deep for PDF/A.
    """
    with _opened(pdf) as document:
        mend(document)
        flatten(document)
        if embeds(message):
            embed_message(document, message)
        describe(document, _facts(message, tier, renderer))
        return written(document, f"{message.id} {renderer}")


def finish_document(pdf: bytes, title: str, renderer: str, created: datetime | None = None) -> bytes:
    """Laid-out pages that are no message (a report) as PDF/A-3u. IntegrityError when `pdf` is none."""
    with _opened(pdf) as document:
        mend(document)
        flatten(document)
        describe(document, Facts(title=title, producer=renderer, created=created))
        return written(document, f"{hashlib.sha256(pdf).hexdigest()} {renderer}")


def describe(document: pikepdf.Pdf, facts: Facts) -> None:
    """Let the metadata say these facts and no others."""
    if pikepdf.Name.Info in document.trailer:
        del document.trailer[pikepdf.Name.Info]
    for name, value in information(facts).items():
        document.docinfo[pikepdf.Name(name)] = pikepdf.String(value)
    metadata = document.make_stream(packet(facts))
    metadata.Type, metadata.Subtype = pikepdf.Name.Metadata, pikepdf.Name.XML
    document.Root.Metadata = metadata


def written(document: pikepdf.Pdf, identity: str) -> bytes:
    """The document's bytes; the first half of its file identifier stands for `identity`, the second for the content."""
    target = io.BytesIO()
    save(document, target, identity)
    return target.getvalue()


def save(document: pikepdf.Pdf, target: IO[bytes], identity: str = "") -> None:
    """As `written`, into a file. Without `identity` the first half of the identifier stays."""
    if identity:
        name = pikepdf.String(hashlib.sha256(identity.encode()).digest()[:16])
        document.trailer.ID = pikepdf.Array([name, name])
    document.save(
        cast(BinaryIO, target),
        min_version="1.7",
        fix_metadata_version=False,
        object_stream_mode=pikepdf.ObjectStreamMode.generate,
        deterministic_id=True,
    )


def _opened(pdf: bytes) -> pikepdf.Pdf:
    try:
        return pikepdf.open(io.BytesIO(pdf))
    except pikepdf.PdfError as error:
        raise IntegrityError(f"the pages of a rendition cannot be read: {type(error).__name__}") from error


def _facts(message: Outgoing, tier: Tier, renderer: str) -> Facts:
    beginning = bytes(message.raw[:_HEADER_LIMIT])
    blank = _BLANK_LINE.search(beginning, 1)
    header = parse(beginning[: blank.start()] if blank else beginning)
    author = ", ".join(map(_shown, header.from_))
    own = {
        "messageId": header.message_id,
        "sha256": message.id,
        "sent": xmp_date(message.date) if message.date else "",
        "from": author,
        "subject": message.subject,
        "tier": tier.value,
        "renderer": renderer,
        "original": "embedded" if embeds(message) else "too large to be embedded; named by its SHA-256",
    }
    title = message.subject or f"Message {message.id[:16]}"
    return Facts(title, renderer, author, message.date, {name: value for name, value in own.items() if value})


def _shown(address: Address) -> str:
    return f"{address.name} <{address.addr}>" if address.name and address.addr else address.name or address.addr
