"""Laid-out pages become PDF/A-3u with the message in them."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pikepdf import Name

from archiver.errors import IntegrityError, MailarkError
from exporters.rendition import engine, pdfa_files
from exporters.rendition.interface import Tier
from exporters.rendition.overlay import stamp
from exporters.rendition.pdfa import finish, finish_document
from exporters.rendition.pdfa_nesting import shallower
from exporters.rendition.structure import check
from exporters.rendition.structure_program import advance_widths
from exporters.rendition.structure_text import text_of
from tests.exporters.rendition.laid_out import (
    RAW,
    RENDERER,
    message,
    pages,
    qpdf_problems,
    rendition,
    rich_pages,
    rich_rendition,
)


def opened(pdf: bytes) -> pikepdf.Pdf:
    return pikepdf.open(io.BytesIO(pdf))


def test_rich_pages_come_out_clean(tmp_path: Path) -> None:
    assert check(rich_pages()) != []
    assert check(rich_rendition()) == []
    assert qpdf_problems(rich_rendition(), tmp_path) == ""
    text = text_of(rich_rendition()).replace("\u200b", "")
    assert all(word in text for word in ("合同 发票 日本語", "שלום", "مرحبا", "क्षत्रिय", "faint", "second page"))


def test_the_message_is_the_one_associated_file() -> None:
    with opened(rendition()) as document:
        (specification,) = document.Root.AF.as_list()
        name = f"{hashlib.sha256(RAW).hexdigest()[:16]}.eml"
        assert (str(specification.F), str(specification.UF), specification.AFRelationship) == (name, name, Name.Source)
        content = specification.EF.F
        assert content.read_bytes() == RAW
        assert content.Subtype == Name("/message/rfc822")
        assert int(content.Params.Size) == len(RAW)
        assert bytes(content.Params.CheckSum) == hashlib.md5(RAW).digest()
        assert str(content.Params.ModDate) == "D:20240304013000Z"
        assert list(document.attachments) == [name]


def test_a_huge_message_is_named_by_its_hash_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdfa_files, "EMBEDDED_LIMIT", len(RAW) - 1)
    pdf = finish(pages(), message(), Tier.TEXT, RENDERER)
    assert check(pdf) == []
    assert RAW[-30:] not in pdf
    with opened(pdf) as document:
        packet = document.Root.Metadata.read_bytes().decode()
        assert not document.attachments
    assert "<mailark:original>too large to be embedded; named by its SHA-256</mailark:original>" in packet
    assert hashlib.sha256(RAW).hexdigest() in packet


def test_the_limit_is_25_mb() -> None:
    assert pdfa_files.EMBEDDED_LIMIT == 25 * 1024 * 1024
    assert pdfa_files.embeds(message(bytes(pdfa_files.EMBEDDED_LIMIT), ""))
    assert not pdfa_files.embeds(message(bytes(pdfa_files.EMBEDDED_LIMIT + 1), ""))


def test_the_metadata_lie_in_the_file_as_they_were_written() -> None:
    pdf = rich_rendition()
    assert b"<pdfaid:part>3</pdfaid:part><pdfaid:conformance>U</pdfaid:conformance>" in pdf
    assert b"ns0:" not in pdf
    assert b"pikepdf" not in pdf
    with opened(pdf) as document:
        information = {name: str(value) for name, value in document.docinfo.items()}
    assert information == {
        "/Title": "PI 2024-118 & <contract>",
        "/Author": "张伟 <zhang@example.cn>",
        "/Creator": "Mailark",
        "/Producer": RENDERER,
        "/CreationDate": "D:20240304013000Z",
        "/ModDate": "D:20240304013000Z",
    }


def test_the_same_input_gives_the_same_bytes() -> None:
    again = finish(rich_pages(), message(), Tier.HTML, RENDERER)
    assert again == rich_rendition()


def test_the_identifier_stands_for_message_and_renderer_then_for_the_content() -> None:
    def halves(pdf: bytes) -> tuple[bytes, bytes]:
        with opened(pdf) as document:
            first, second = document.trailer.ID.as_list()
            return bytes(first), bytes(second)

    here = halves(rendition())
    other_pages = halves(rendition("<p>Other</p>"))
    other_renderer = halves(finish(pages(), message(), Tier.HTML, RENDERER + "1"))
    other_message = halves(finish(pages(), message(RAW + b"x"), Tier.HTML, RENDERER))
    assert other_pages[0] == here[0]
    assert len({here[0], other_renderer[0], other_message[0]}) == 3
    assert len({here[1], other_pages[1], other_renderer[1], other_message[1]}) == 4


def test_links_out_stay_and_a_message_decides_no_navigation() -> None:
    with opened(rich_pages()) as before:
        assert Name.Outlines in before.Root
    with opened(rich_rendition()) as document:
        links = [link for page in document.pages for link in page.obj.get(Name.Annots, pikepdf.Array()).as_list()]
        assert [str(link.A.URI) for link in links] == ["https://example.com/x", "mailto:a@example.com"]
        assert [int(link.F) for link in links] == [4, 4]
        assert Name.Outlines not in document.Root
        assert Name.Dests not in document.Root.Names


def test_a_link_longer_than_a_string_may_be_is_dropped() -> None:
    body = f"<p><a href='https://example.com/{'x' * 32_768}'>long</a> <a href='https://example.com/'>short</a></p>"
    with opened(rendition(body)) as document:
        assert [str(link.A.URI) for link in document.pages[0].Annots.as_list()] == ["https://example.com/"]


def test_the_widths_of_colour_bitmaps_are_those_of_the_font() -> None:
    with opened(rich_pages()) as source:
        for font in source.objects:
            if isinstance(font, pikepdf.Dictionary) and font.get(Name.Subtype) == Name.CIDFontType2:
                font.W = pikepdf.Array([font.W[0], pikepdf.Array([1])]) if "Emoji" in str(font.BaseFont) else font.W
        target = io.BytesIO()
        source.save(target)
    assert any("1245 wide, not 1" in problem for problem in check(target.getvalue()))
    with opened(finish(target.getvalue(), message(), Tier.HTML, RENDERER)) as document:
        (font,) = [
            font
            for font in document.objects
            if isinstance(font, pikepdf.Dictionary) and "Emoji" in str(font.get(Name.BaseFont)) and Name.W in font
        ]
        glyph, (width,) = int(font.W[0]), font.W[1].as_list()
        assert int(width) == round(advance_widths(font.FontDescriptor.FontFile2.read_bytes())[glyph]) > 1000


HOSTILE_SUBJECTS = [
    "",
    "]]>&<x>\"'\\)(",
    "\x00\x01\x1f\ufffe\uffff\ud800\ufeff",
    "\u202egpj.exe\u2066",
    "合同" * 50_000,
    "<pdfaid:part>1</pdfaid:part>",
    "{standard} {0} %s",
    "line\r\nbreak",
    "😀",
]


@pytest.mark.parametrize("subject", HOSTILE_SUBJECTS, ids=range(len(HOSTILE_SUBJECTS)))
def test_any_subject_is_held_as_text(subject: str, tmp_path: Path) -> None:
    pdf = finish(pages(), message(subject=subject), Tier.HEADER, RENDERER)
    assert check(pdf) == []
    assert qpdf_problems(pdf, tmp_path) == ""


@pytest.mark.parametrize("raw", [b"", b"\n", b"no header", b"From: \xc4\xe3\xba\xc3 <a@b>\n\n" * 3, bytes(range(256))])
def test_any_message_is_embedded(raw: bytes) -> None:
    pdf = finish(pages(), message(raw), Tier.HEADER, RENDERER)
    assert check(pdf) == []
    with opened(pdf) as document:
        assert document.Root.AF[0].EF.F.read_bytes() == raw


@pytest.mark.parametrize("moment", [None, datetime(1970, 1, 1, tzinfo=UTC), datetime(2999, 12, 31, tzinfo=UTC)])
def test_any_date(moment: datetime | None) -> None:
    pdf = finish(pages(), dataclasses.replace(message(), date=moment), Tier.HTML, RENDERER)
    assert check(pdf) == []
    with opened(pdf) as document:
        assert (Name.CreationDate in document.docinfo) == (moment is not None)


def test_a_report_is_finished_too(tmp_path: Path) -> None:
    pdf = finish_document(rich_pages(), "Export of 300 messages", RENDERER, datetime(2024, 5, 1, tzinfo=UTC))
    assert check(pdf) == []
    assert qpdf_problems(pdf, tmp_path) == ""
    assert pdf == finish_document(rich_pages(), "Export of 300 messages", RENDERER, datetime(2024, 5, 1, tzinfo=UTC))


def test_what_is_no_pdf_is_refused() -> None:
    with pytest.raises(IntegrityError):
        finish(b"%PDF-1.7 nothing", message(), Tier.HTML, RENDERER)


def test_pages_with_emoji_bear_no_time_of_now() -> None:
    before = engine.lay_out("<p>😀</p>", {})
    time.sleep(1.1)
    assert engine.lay_out("<p>😀</p>", {}) == before


def test_an_independent_validator_finds_nothing() -> None:
    """It knows the rules of PDF/A-3b, which 3u adds the maps to Unicode to, and no extension schemas."""
    pytest.importorskip("jsonschema", reason="needs pikepdf[pdfa]")
    from pikepdf import pdfa

    own = re.compile(rb'<rdf:Description rdf:about="" xmlns:(pdfaExtension|mailark)=.*?</rdf:Description>', re.DOTALL)
    target = io.BytesIO()
    with opened(rich_rendition()) as document:
        packet = document.Root.Metadata.read_bytes()
        document.Root.Metadata.write(own.sub(b"", packet).replace(b"conformance>U<", b"conformance>B<"))
        document.save(target, fix_metadata_version=False)
    report = pdfa.validate_written(io.BytesIO(target.getvalue()), "3b")
    assert [str(finding) for finding in report.findings] == []


def nested(depth: int, after: bytes = b"") -> bytes:
    """A page with boxes in boxes, each saving twice as the layout engine does; `after`: drawn after each."""
    target = io.BytesIO()
    with opened(pages()) as document:
        inner = b"0 0 1 rg\n10 10 20 20 re\nf\n"
        for level in range(depth):
            inner = b"q\n%d 0 0 rg\nq\n1 0 0 1 1 1 cm\n%s%sQ\n%sQ\n" % (level % 2, inner, after, after)
        document.pages[0].contents_add(b"\n" + inner)
        document.save(target, fix_metadata_version=False)
    return target.getvalue()


def looks(pdf: bytes) -> bytes:
    with pypdfium2.PdfDocument(pdf) as document:
        return document[0].render(scale=0.5).to_pil().tobytes()


@pytest.mark.parametrize("depth", [13, 14, 20, 27])
def test_boxes_in_boxes_are_flattened_and_look_the_same(depth: int) -> None:
    pdf = finish(nested(depth), message(), Tier.HTML, RENDERER)
    assert check(pdf) == []
    assert looks(pdf) == looks(nested(depth))
    assert check(stamp(pdf, ["A-1"])) == []


def test_what_cannot_be_flattened_is_refused() -> None:
    assert check(finish(nested(13, b"1 1 3 3 re\nf\n"), message(), Tier.HTML, RENDERER)) == []
    with pytest.raises(MailarkError, match="deeper than PDF/A allows"):
        finish(nested(14, b"1 1 3 3 re\nf\n"), message(), Tier.HTML, RENDERER)


def saved(parts: list[str]) -> str:
    return "q\n" + "".join(parts) + "Q\n"


@given(
    st.recursive(st.just("f\n"), lambda inner: st.lists(inner | st.just("0 g\n"), max_size=4).map(saved), max_leaves=40)
)
def test_a_shallower_stream_draws_with_the_same_states(content: str) -> None:
    shallow = shallower(content.encode()).decode()
    assert [states for operator, states in walk(shallow) if operator == "f"] == [
        states for operator, states in walk(content) if operator == "f"
    ]
    assert shallow.count("q\n") == shallow.count("Q\n") <= content.count("q\n")


def walk(content: str) -> list[tuple[str, int]]:
    """Each operator with how many colours were set in the state that it sees."""
    state, saves, seen = 0, list[int](), []
    for operator in content.split("\n"):
        if operator == "q":
            saves.append(state)
        elif operator == "Q":
            state = saves.pop()
        elif operator == "0 g":
            state += 1
        seen.append((operator, state))
    return seen
