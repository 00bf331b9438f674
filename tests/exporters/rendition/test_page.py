"""The page around a message: what it says, and that a message cannot make it say anything else."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.mime import parse
from archiver.model import Verdict
from exporters.rendition.attempt import attempt
from exporters.rendition.interface import Notes, Tier
from exporters.rendition.page import Body, document, note_lines
from tests.exporters.rendition.mails import KINDS, html_mail, new, outgoing, text_mail
from tests.exporters.rendition.test_attempt import text_of


def page(raw: bytes, verdicts: tuple[Verdict, ...] = (), tier: Tier = Tier.HTML) -> str:
    """The words of a rendition, white space folded."""
    return text_of(attempt(outgoing(raw, verdicts), tier).pdf)


def test_the_header_block_says_all_there_is() -> None:
    message = new("Offer 17")
    message["Cc"], message["Bcc"] = "Anna <a@x.example>, b@x.example", "Hidden <h@x.example>"
    message["Reply-To"] = "Desk <desk@x.example>"
    message.set_content("Body\n")
    raw = bytes(message)
    verdicts = (
        Verdict("dkim", "pass", "example.com", "s1"),
        Verdict("arc", "not checked", reason="DNS did not answer"),
    )
    text = page(raw, verdicts)
    digest = hashlib.sha256(raw).hexdigest()
    for words in (
        "Offer 17 From Li Wei <li.wei@huaxin.example> To sales@nordwind.example",
        "Cc Anna <a@x.example>; b@x.example Bcc Hidden <h@x.example> Reply-To Desk <desk@x.example>",
        "Date 2024-03-05 14:22:07 +08:00 (2024-03-05 06:22:07 UTC)",
        f"Message-ID 20240305142207.4711@huaxin.example SHA-256 {digest}",
        "Signatures dkim=pass (example.com, selector s1) arc=not checked: DNS did not answer",
        "Body",
        f"Message-ID 20240305142207.4711@huaxin.example SHA-256 {digest} "
        "This document is a rendition. The record is the original message",
    ):
        assert words in text, words


@pytest.mark.parametrize(
    ("date", "shown"),
    [
        ("Tue, 05 Mar 2024 14:22:07 -0330", "2024-03-05 14:22:07 -03:30 (2024-03-05 17:52:07 UTC)"),
        ("Tue, 05 Mar 2024 14:22:07 +0000", "Date 2024-03-05 14:22:07 UTC"),
        ("Mon, 01 Jan 0001 00:00:00 +1400", "Date "),
        ("Fri, 31 Dec 9999 23:59:59 -1400", "Date "),
        ("nonsense", "Date none"),
    ],
)
def test_dates_are_told_by_the_senders_clock_and_in_utc(date: str, shown: str) -> None:
    message = new("x")
    message.replace_header("Date", "Mon, 01 Jan 2024 00:00:00 +0000")
    message.set_content("x\n")
    assert shown in page(bytes(message).replace(b"Mon, 01 Jan 2024 00:00:00 +0000", date.encode()))


def test_without_a_date_the_receiving_server_is_asked() -> None:
    raw = b"Received: from a by b; Tue, 5 Mar 2024 06:22:07 +0000\r\nSubject: x\r\n\r\nx"
    assert "Date none Received 2024-03-05 06:22:07 UTC" in page(raw)


def test_attachments_are_listed_with_their_hashes() -> None:
    text = page(KINDS["contract"]())
    digest = hashlib.sha256(b"%PDF-1.4 contract").hexdigest()
    assert "采购合同2024-0317.pdf application/pdf 17" in text
    assert digest in text.replace(" ", "")


def test_plain_text_that_is_read_from_the_right_stands_at_the_right() -> None:
    made = attempt(outgoing(text_mail("السادة الكرام\n", "عرض")), Tier.HTML)
    text = pypdfium2.PdfDocument(made.pdf)[0].get_textpage()
    found = text.search("الكرام").get_next()
    assert found is not None
    left, _, _, _ = text.get_charbox(found[0])
    assert left > 400


def test_many_attachments_are_counted() -> None:
    message = new("Many")
    message.set_content("x\n")
    for number in range(305):
        message.add_attachment(b"%d" % number, maintype="application", subtype="x", filename=f"f{number}.bin")
    text = page(bytes(message))
    assert "Attachments (305)" in text
    assert "f299.bin" in text
    assert "f300.bin" not in text
    assert "… and 5 more, 305 in all" in text


FORGERIES = (
    "</main></div></body></html><body><header data-identity=FORGED data-digest=FORGED><h1>FORGED</h1></header>",
    "<style>body>header{display:none!important;string-set:identity 'FORGED'} h1,table,footer{display:none!important}"
    "@page{@bottom-left{content:'FORGED'}@top-left{content:'FORGED'}} html{counter-reset:page 90;display:none}</style>",
    "<div style=\"string-set:identity 'FORGED';counter-reset:page 90;position:fixed;bottom:0\">x</div>",
    "<style></style></head><style>main{display:none}</style><meta http-equiv=refresh content='0;file:///etc/passwd'>",
    "<plaintext>",
    "<!--",
    "<textarea>",
    "<title>",
    "<noscript>",
    "<template>",
    "<svg><style>",
    "<math><mtext></table><style>",
    "<script>document.title='FORGED'</script>",
    "<base href='file:///'>",
    "<frameset>",
    "<table><tr><td><form><select><option>",
)


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_message_cannot_alter_the_page(forgery: str) -> None:
    raw = html_mail(f"<p>before</p>{forgery}", "The subject")
    text = page(raw)
    digest = hashlib.sha256(raw).hexdigest()
    assert text.startswith("The subject From Li Wei <li.wei@huaxin.example> To sales@nordwind.example")
    assert "The record is the original message" in text
    assert text.count(f"Message-ID 20240305142207.4711@huaxin.example SHA-256 {digest}") == 2
    assert "Page 1 / 1" in text


@pytest.mark.parametrize("field", ["Subject", "From", "To", "Message-ID"])
def test_a_header_cannot_alter_the_page(field: str) -> None:
    evil = "\"><script>x</script><style>*{display:none}</style></h1></header></title> \\A ' } @page{}"
    message = new("The subject")
    message.set_content("Body\n")
    raw = bytes(message).replace(message[field].encode(), f"{evil} <evil@x.example>".encode(), 1)
    text = page(raw)
    assert "Body" in text
    assert "The record is the original message" in text
    assert hashlib.sha256(raw).hexdigest() in text


def test_a_name_cannot_be_turned_around() -> None:
    message = new("x", sender="evil")
    message.set_content("x\n")
    raw = bytes(message).replace(b"From: evil", 'From: "\u202egpj.exe\u2066" <a@x.example>'.encode())
    assert "[U+202E]gpj.exe[U+2066] <a@x.example>" in page(raw)


def test_notes_speak_the_language_of_the_page() -> None:
    notes = Notes(remote_images=3, truncated=1234, simplified=("css", "rows"))
    assert (
        note_lines(notes, Tier.HTML, "ja")
        == note_lines(notes, Tier.HTML, "en")
        == [
            "Images that lie on servers are not shown and were not fetched: 3.",
            "Characters at the end of the body that are not shown: 1,234. The original message has them.",
            "Simplified: css, rows.",
        ]
    )
    assert note_lines(notes, Tier.TEXT, "zh-CN")[:2] == [
        "Shown as text: the layout of this message does not fit on pages. 仅显示文本：此邮件的版式无法排入页面。",
        "Images that lie on servers are not shown and were not fetched: 3. 远程服务器上的图片未下载、未显示：3 张。",
    ]
    assert note_lines(notes, Tier.TEXT, "zh-TW")[1].endswith(": 3. 遠端伺服器上的圖片未下載、未顯示：3 張。")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60), st.datetimes(), st.integers(-14 * 60, 14 * 60))
def test_any_header_gives_a_document_with_one_page_around_it(
    subject: str, name: str, moment: datetime, offset: int
) -> None:
    message = new("x")
    message.set_content("x\n", cte="8bit")
    raw = bytes(message).replace(b"Subject: x", b"Subject: " + " ".join(subject.split()).encode("utf-8", "replace"))
    raw = raw.replace(b"Li Wei", " ".join(name.split()).encode("utf-8", "replace"))
    stamp = moment.replace(tzinfo=timezone(timedelta(minutes=offset)))
    raw = raw.replace(b"05 Mar 2024 14:22:07 +0800", f"{stamp:%d %b %Y %H:%M:%S %z}".encode())
    parsed = parse(raw)
    html = document(outgoing(raw), parsed, "en", Body("<p>body</p>"), ["note"])
    for tag in ("<header ", "</header>", "<main ", "</main>", "<h1>", "</h1>", "<title>"):
        assert html.count(tag) == 1
    if parsed.date:
        assert f'content="{parsed.date.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"' in html
