"""The text of a PDF, as a reader finds it."""

from __future__ import annotations

import pypdfium2

from archiver.errors import IntegrityError


def text_of(pdf: bytes) -> str:
    """The text of all pages, a form feed between them. IntegrityError when the file cannot be read."""
    try:
        document = pypdfium2.PdfDocument(pdf)
    except pypdfium2.PdfiumError as error:
        raise IntegrityError("the PDF cannot be read") from error
    with document:
        return "\f".join(_page_text(document[number]) for number in range(len(document)))


def _page_text(page: pypdfium2.PdfPage) -> str:
    text = page.get_textpage()
    try:
        return str(text.get_text_bounded())
    finally:
        text.close()
        page.close()
