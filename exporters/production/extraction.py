"""The text of attachments, as far as it can be had: text, attached messages, PDF."""

from __future__ import annotations

from collections.abc import Callable

from archiver.mime import Attachment, parse
from archiver.mime.contents import text_of
from exporters.production.family import MESSAGES, suffix

NO_TEXT = "no text extracted"
_TEXT_TYPES = frozenset({"application/json", "application/xml", "application/ics", "application/csv"})
_TEXT_SUFFIXES = frozenset({"txt", "csv", "log", "htm", "html", "xml", "json", "ics", "md", "tsv"})

PdfText = Callable[[bytes], tuple[str, str]]
"""The text of a PDF, and what was wrong ("" for nothing)."""


def extracted(attachment: Attachment, pdf_text: PdfText) -> tuple[str, list[str]]:
    """The text (LF, at most 1 MiB of characters) and the exceptions it gives rise to, in fixed words."""
    ending = suffix(attachment.name)
    if attachment.type in MESSAGES:
        inner = parse(attachment.data())
        text, wrong = inner.text, [f"parse: {defect}" for defect in inner.defects]
    elif attachment.type.startswith("text/") or attachment.type in _TEXT_TYPES or ending in _TEXT_SUFFIXES:
        text, defects = text_of(attachment)
        wrong = [f"parse: {defect}" for defect in defects]
    elif attachment.type == "application/pdf" or ending == "pdf":
        text, problem = pdf_text(attachment.data())
        wrong = [problem] if problem else []
    else:
        text, wrong = "", []
    return text, wrong if text.strip() else [*wrong, NO_TEXT]
