"""Attempts: every kind of mail at tier 1, all its words, nothing clipped; and what the lower tiers show."""

from __future__ import annotations

import io
from email.message import EmailMessage

import pikepdf
import pypdfium2
import pytest

from archiver.errors import MailarkError
from archiver.mime import parse
from exporters.rendition import attempt as attempts
from exporters.rendition import engine, text_body
from exporters.rendition.attempt import attempt
from exporters.rendition.clipped import reach
from exporters.rendition.interface import Tier
from tests.exporters.rendition.mails import KINDS, html_mail, new, outgoing, text_mail

SHOWN = {
    "plain": (
        "Re: Order 4711, delivery in week 14",
        "The goods leave Ningbo on Friday",
        ">> We ship at the end of the week.",
    ),
    "columns": ("PO 2024-0311", "M8 hex bolt, zinc plated", "8000"),
    "contract": (
        "采购合同（2024-0317号）——请盖章回传",
        "From 发件人 王伟 <wangwei@huaxin.example>",
        "每逾期一日按合同总额的千分之三支付违约金",
        "采购合同2024-0317.pdf",
    ),
    "big5": ("寄件者", "關於上週討論的訂單", "台北國際貿易股份有限公司"),
    "gb18030": ("龙王庙镇 㐂、䶮、𠮷 三字为人名用字",),
    "japanese": ("見積書の送付", "いつもお世話になっております"),
    "korean": ("견적서를 보내 드립니다",),
    "emoji": ("1. Call at 10:30", "2. Price 45#"),
    "images": (
        "Images that lie on servers are not shown and were not fetched: 1.",
        "[remote image: our logo]",
        "pallet-2.jpg",
    ),
    "outlook": ("的付款已于今日安排", "请问货款何时可以支付"),
    "newsletter": ("Nordwind Monthly", "Article 6", "Read all"),
    "invoice": ("Commercial Invoice CI-2024-118", "Steel profile 30, galvanised", "19,158.00"),
    "thread": ("Answer 11: we can offer 89 USD", "First question about the price."),
    "many_people": ("Person 0 <p0@nordwind.example>", "… and 2,940 more, 3,000 in all"),
}


def text_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    return " ".join(" ".join(page.get_textpage().get_text_bounded() for page in document).split())


def outside(pdf: bytes) -> int:
    """Visible characters off the paper, as pypdfium2 finds them in the PDF."""
    count = 0
    for page in pypdfium2.PdfDocument(pdf):
        width, height = page.get_size()
        text = page.get_textpage()
        for index in range(text.count_chars()):
            left, bottom, right, top = text.get_charbox(index)
            shown = text.get_text_range(index, 1).strip()
            count += bool(shown) and (left < -1 or right > width + 1 or bottom < -1 or top > height + 1)
    return count


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_mail_is_shown_as_it_is(kind: str) -> None:
    made = attempt(outgoing(KINDS[kind]()), Tier.HTML)
    text = text_of(made.pdf)
    assert not made.clipped
    assert outside(made.pdf) == 0
    assert made.pages == len(pypdfium2.PdfDocument(made.pdf))
    assert [words for words in SHOWN.get(kind, ()) if "".join(words.split()) not in "".join(text.split())] == []


@pytest.mark.parametrize("tier", Tier)
def test_every_tier_shows_the_header_and_the_attachments(tier: Tier) -> None:
    message = outgoing(KINDS["contract"]())
    made = attempt(message, tier)
    text = text_of(made.pdf)
    for words in (
        "采购合同（2024-0317号）",
        "wangwei@huaxin.example",
        "法务部",
        message.id,
        "采购合同2024-0317.pdf",
        "附件",
    ):
        assert words in text
    assert ("逾期交货" in text) == (tier is not Tier.HEADER)
    notice = {Tier.WIDE: "已缩小显示", Tier.TEXT: "仅显示文本", Tier.HEADER: "正文无法排入页面"}
    assert [words for words in notice.values() if words in text] == ([notice[tier]] if tier in notice else [])


def test_the_same_message_gives_the_same_bytes() -> None:
    for kind in ("contract", "emoji", "images", "plain"):
        message = outgoing(KINDS[kind]())
        assert attempt(message, Tier.HTML).pdf == attempt(message, Tier.HTML).pdf


def test_a_wide_table_is_clipped_then_scaled() -> None:
    cells = "".join(f"<td>column_number_{n}</td>" for n in range(12))
    message = outgoing(html_mail(f"<table border=1><tr>{cells}</tr></table>"))
    narrow = attempt(message, Tier.HTML)
    assert (narrow.clipped, narrow.pdf) == (True, b"")
    wide = attempt(message, Tier.WIDE)
    assert not wide.clipped
    assert outside(wide.pdf) == 0
    assert "column_number_11" in text_of(wide.pdf)
    with pikepdf.open(io.BytesIO(wide.pdf)) as pdf:
        assert [round(float(length)) for length in pdf.pages[0].mediabox] == [0, 0, 595, 842]


@pytest.mark.parametrize(
    "style", ["width:3000px", "margin-left:2000px", "padding-left:900px", "text-indent:-400px", "width:1px"]
)
def test_boxes_and_pdf_agree_about_what_is_cut_off(style: str) -> None:
    """Without the sanitiser: what the boxes say must be what a reader of the PDF finds."""
    html = (
        f"<!DOCTYPE html><html lang=en><body><main><div style='white-space:nowrap;{style}'>{'word ' * 12}</div></main>"
    )
    layout = engine.compose(html, {})
    assert (reach(layout.pages).outside > 0) >= (outside(layout.write()) > 0)
    if style == "width:1px":
        assert reach(layout.pages).outside == 0


def test_a_body_in_several_parts_is_shown_in_order() -> None:
    message = new("Parts")
    message.make_mixed()
    for content, kind in (("first, plain\n", "plain"), ("<p>second, <b>html</b>", "html"), ("third, plain\n", "plain")):
        part = EmailMessage()
        part.set_content(content, subtype=kind)
        message.attach(part)
    text = text_of(attempt(outgoing(bytes(message)), Tier.HTML).pdf)
    assert text.index("first, plain") < text.index("second, html") < text.index("third, plain")


def test_of_alternatives_the_html_is_shown() -> None:
    message = new("Alternatives")
    message.set_content("the plain words\n")
    message.add_alternative("<p>the words in HTML</p>", subtype="html")
    raw = bytes(message)
    assert parse(raw).shown[0][0] == "html"
    text = text_of(attempt(outgoing(raw), Tier.HTML).pdf)
    assert "the words in HTML" in text
    assert "the plain words" not in text


@pytest.mark.parametrize("inner", ["<p>the offer</p>", "the offer"])
def test_an_embedded_message_tells_whose_words_follow(inner: str) -> None:
    embedded = new("Offer 4711", sender="Zhang Min <zhang@huaxin.example>")
    embedded.set_content(inner, subtype="html" if inner.startswith("<") else "plain")
    message = new("Fwd", sender="Anna <anna@nordwind.example>")
    message.set_content("see below\n")
    message.add_attachment(embedded)
    text = text_of(attempt(outgoing(bytes(message)), Tier.HTML).pdf)
    head = text.index("Zhang Min <zhang@huaxin.example>")
    assert text.index("see below") < head < text.index("Subject: Offer 4711") < text.index("the offer")
    assert text.index("the offer") < text.index("message/rfc822")
    assert text.count("Offer 4711") == 2  # the second in the list of attachments, where it has no file name


def test_a_message_without_text_says_so() -> None:
    message = new("Nothing")
    message.set_content("")
    assert "(no text)" in text_of(attempt(outgoing(bytes(message)), Tier.HTML).pdf)
    assert "(no text)" not in text_of(attempt(outgoing(bytes(message)), Tier.HEADER).pdf)


def test_a_table_scaled_down_ends_at_the_margin() -> None:
    cells = "".join(f"<td width=78>Column {n}</td>" for n in range(10)) + "<td width=78>x</td>"
    raw = html_mail(f"<table border=1 cellspacing=0 width=860 style='width:645pt'><tr>{cells}</tr></table>")
    made = attempt(outgoing(raw), Tier.WIDE)
    page = pypdfium2.PdfDocument(made.pdf)[0].render(scale=2, grayscale=True).to_pil()
    margin = page.crop((int((210 - 17) / 25.4 * 144), 0, page.width, page.height))
    assert margin.getextrema() == (255, 255)


def test_a_no_break_space_before_a_tag_breaks_no_line_early() -> None:
    words = "The shipment is scheduled for delivery on or before the scheduled delivery displayed above here."
    raw = html_mail(f"<p>{words}&nbsp;<b>FedEx</b>&nbsp;does not know</p>")
    text = pypdfium2.PdfDocument(attempt(outgoing(raw), Tier.HTML).pdf)[0].get_textpage().get_text_bounded()
    lines = [line.strip() for line in text.replace("\xa0", " ").splitlines()]
    assert words.removesuffix(" here.") in lines
    assert "here. FedEx does not know" in lines


def test_an_empty_html_alternative_does_not_hide_the_text() -> None:
    message = new("Alternatives")
    message.set_content("the plain words\n")
    message.add_alternative(" ", subtype="html")
    assert "the plain words" in text_of(attempt(outgoing(bytes(message)), Tier.HTML).pdf)


def test_too_many_pages_are_refused_at_tier_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "PAGES", 3)
    for raw in (html_mail("<p>line" * 400), text_mail("line\n" * 400)):
        with pytest.raises(MailarkError, match="more than 3 pages"):
            attempt(outgoing(raw), Tier.HTML)
        assert attempt(outgoing(raw), Tier.TEXT).pages > 3


def test_what_is_cut_of_a_long_text_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_body, "LINES", 100)
    made = attempt(outgoing(text_mail("x\n" * 5_100 + "end")), Tier.TEXT)
    assert made.notes.truncated == 2 * 5_000 + 4
    assert "Characters at the end of the body that are not shown: 10,004." in text_of(made.pdf)


def test_a_message_of_nothing_has_a_page() -> None:
    for raw in (b"", b"\r\n", b"\0" * 50, b"Subject: \xff\xfe\r\n\r\n"):
        for tier in Tier:
            assert attempt(outgoing(raw), tier).pages == 1


@pytest.mark.parametrize("tier", [Tier.HTML, Tier.TEXT, Tier.HEADER])
def test_what_is_nested_too_deep_to_be_listed_is_told(tier: Tier) -> None:
    made = attempt(outgoing(nested(60)), tier)
    assert "Not everything that is attached is listed (nested deeper than 50)." in text_of(made.pdf)
    assert made.notes.simplified == ("nested deeper than 50",)
    whole = attempt(outgoing(nested(40)), tier)
    assert "Not everything" not in text_of(whole.pdf) and whole.notes.simplified == ()


def nested(levels: int) -> bytes:
    """A message in a message in a message."""
    head = b"From: a@b.example\r\nSubject: level %d\r\nContent-Type: message/rfc822\r\n\r\n"
    inner = b"From: a@b.example\r\nSubject: the last\r\n\r\nat the bottom\r\n"
    return b"".join(head % level for level in range(levels)) + inner
