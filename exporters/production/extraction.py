"""The text of attachments, as far as it can be had: text, attached messages, PDF."""

from __future__ import annotations

from collections.abc import Callable

from archiver.mime import Attachment, Parsed, parse
from archiver.mime.contents import text_of, versions
from exporters.production.family import MESSAGES, suffix

NO_TEXT = "no text extracted"
DIFFER = "text and HTML of the body differ: TEXT has both, PDF the HTML"
_TEXT_TYPES = frozenset({"application/json", "application/xml", "application/ics", "application/csv"})
_TEXT_SUFFIXES = frozenset({"txt", "csv", "log", "htm", "html", "xml", "json", "ics", "md", "tsv"})

PdfText = Callable[[bytes], tuple[str, str]]
"""The text of a PDF, and what was wrong ("" for nothing)."""


def extracted(attachment: Attachment, pdf_text: PdfText) -> tuple[str, list[str]]:
    """The text (LF; of a part at most 1 MiB of characters) and the exceptions it gives rise to, in fixed words."""
    ending = suffix(attachment.name)
    if attachment.type in MESSAGES:
        inner = parse(attachment.data())
        text, wrong = said(inner, NO_TEXT)
        return text, [*(f"parse: {defect}" for defect in inner.defects), *wrong]
    if attachment.type.startswith("text/") or attachment.type in _TEXT_TYPES or ending in _TEXT_SUFFIXES:
        text, defects = text_of(attachment)
        wrong = [f"parse: {defect}" for defect in defects]
    elif attachment.type == "application/pdf" or ending == "pdf":
        text, problem = pdf_text(attachment.data())
        wrong = [problem] if problem else []
    else:
        text, wrong = "", []
    return text, wrong if text.strip() else [*wrong, NO_TEXT]


def said(parsed: Parsed, nothing: str) -> tuple[str, list[str]]:
    """The text of a message with all that its HTML says, and the exceptions. nothing: the one for no text at all."""
    found = versions(parsed)
    wrong = [] if found.text.strip() else [nothing]
    return found.text, [*wrong, DIFFER] if found.unsaid or found.unwritten else wrong
