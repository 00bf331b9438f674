"""Text of attachments."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pikepdf
import pytest

from archiver.mime import parse
from exporters.production import pdftext
from exporters.production.extraction import extracted
from exporters.production.pdftext import PdfReader
from tests.exporters.production.kit import attached, mail, part, pdf


@pytest.fixture(scope="module")
def reader() -> Iterator[PdfReader]:
    with PdfReader() as made:
        yield made


def written(text: str, pages: int = 1, password: str = "") -> bytes:
    """A PDF that says the text on each page, in Helvetica."""
    document = pikepdf.new()
    font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    for _ in range(pages):
        page = document.add_blank_page()
        page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
        page.Contents = document.make_stream(f"BT /F1 12 Tf 50 700 Td ({text}) Tj ET".encode())
    target = io.BytesIO()
    document.save(target, encryption=pikepdf.Encryption(user=password, owner="o") if password else None)
    return target.getvalue()


def got(attachment: bytes, reader: PdfReader) -> tuple[str, list[str]]:
    return extracted(parse(mail(parts=[attachment])).attachments[0], reader)


def test_text_of_a_pdf(reader: PdfReader) -> None:
    assert got(part("a.pdf", written("Sales contract 88", 2)), reader) == ("Sales contract 88\nSales contract 88", [])


def test_a_pdf_by_its_type_alone(reader: PdfReader) -> None:
    assert got(part("contract", written("Sales"), "application/pdf"), reader)[0] == "Sales"


def test_a_scan_has_no_text(reader: PdfReader) -> None:
    assert got(part("a.pdf", pdf(3)), reader)[1] == ["no text extracted"]


def test_a_password(reader: PdfReader) -> None:
    assert got(part("a.pdf", written("x", password="p")), reader) == (
        "",
        ["PDF is protected by a password", "no text extracted"],
    )


def test_no_pdf_at_all(reader: PdfReader) -> None:
    assert reader(b"%PDF-1.7 nonsense") == ("", "PDF could not be read")
    assert reader(b"") == ("", "PDF could not be read")


def test_limits(reader: PdfReader, monkeypatch: pytest.MonkeyPatch) -> None:
    text, wrong = reader(written("x", pdftext.PAGE_LIMIT + 5))
    assert (len(text.split()), wrong) == (pdftext.PAGE_LIMIT, "text cut")
    monkeypatch.setattr(pdftext, "SIZE_LIMIT", 100)
    assert reader(written("x")) == ("", "PDF too large to look into")


def test_a_reader_that_takes_too_long_or_dies_is_replaced() -> None:
    with PdfReader(seconds=0.01) as hasty:
        assert hasty(written("x" * 1000, 400))[1] == "PDF took too long to read"
        hasty._seconds = 20
        assert hasty(written("again"))[0] == "again"
        assert hasty._process is not None
        hasty._process.kill()
        hasty._process.wait()
        assert hasty(written("lost"))[1] == "PDF could not be read"
        assert hasty(written("back"))[0] == "back"


def test_an_attached_message(reader: PdfReader) -> None:
    assert got(attached(mail("inner", "inner text")), reader) == ("inner text", [])


def test_csv_by_its_name(reader: PdfReader) -> None:
    assert got(part("prices.csv", "价格,1".encode("gb18030")), reader)[0] == "价格,1"


def test_anything_else_is_said_to_have_none(reader: PdfReader) -> None:
    assert got(part("a.xlsx", b"PK"), reader) == ("", ["no text extracted"])
