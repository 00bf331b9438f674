"""What an expert looked for on the pages and did not find: text that was lost without a word."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace

import pypdfium2
import pytest

from archiver.mime import parse
from archiver.model import Verdict
from exporters.interface import Outgoing
from exporters.production.extraction import said
from exporters.production.intake import prepare
from exporters.production.lists import Ground, Lists
from exporters.production.order import Order, Search
from exporters.rendition.attempt import Attempt, attempt
from exporters.rendition.interface import Tier
from exporters.rendition.text_body import CHARACTERS
from tests.exporters.production.kit import mail, outgoing, part

LAST = "the goods are pledged to the bank"
IMAGE = base64.b64encode(b"\x89PNG" + bytes(3_600_000)).decode()


def attempted(raw: bytes, tier: Tier = Tier.HTML) -> Attempt:
    return attempt(Outgoing(hashlib.sha256(raw).hexdigest(), raw, (), "", None), tier)


def text_of(made: Attempt) -> str:
    return "".join(page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(made.pdf))


def html(body: str, encoding: str) -> bytes:
    content = base64.encodebytes(body.encode()) if encoding == "base64" else body.encode()
    head = f"From: a@example.com\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}"
    return head.encode() + b"\r\n\r\n" + content


@pytest.mark.parametrize("encoding", ["base64", "8bit"])
@pytest.mark.parametrize("between", [f"<img src='data:image/png;base64,{IMAGE}'>", f"<!-- {'x' * 3_300_000} -->"])
def test_text_behind_much_that_is_no_text(encoding: str, between: str) -> None:
    """The HTML was cut after 4 MiB as it stands in the message; the page said nothing and was of tier 1."""
    raw = html(f"<p>first</p>{between}<p>{LAST}</p>", encoding)
    made = attempted(raw)
    assert LAST in text_of(made) or made.notes.truncated
    assert LAST in parse(raw).text


def test_the_number_of_characters_that_are_not_shown_is_true() -> None:
    """A text of more than 1 MiB was cut there first, and what was beyond it not counted."""
    text = f"{'word ' * 15}\r\n" * 30_000 + LAST
    raw = b"From: a@example.com\r\nContent-Type: text/plain\r\n\r\n" + text.encode()
    made = attempted(raw, Tier.TEXT)
    length = len(text.replace("\r\n", "\n"))
    assert length - CHARACTERS <= made.notes.truncated < length


def test_a_copy_without_attachments_does_not_pass_for_the_message() -> None:
    """The page of a redacted message named the copy's hash as that of the record, and the message's signature."""
    raw = mail("Price", "see below", [part("secret.txt", b"secret")])
    whole = prepare(
        replace(outgoing(raw), verdicts=(Verdict("dkim", "pass", "example.com"),)),
        Order("C", lists=Lists(redacted={"secret.txt": Ground("trade secret")})),
        Search("q", ()),
    )
    assert whole.render is not None
    for tier in (Tier.HTML, Tier.TEXT, Tier.HEADER):
        text = " ".join(text_of(attempt(whole.render, tier)).split())
        assert "Attachments were taken out of this copy" in text
        assert hashlib.sha256(raw).hexdigest() in text.replace(" ", "")
        assert "dkim=pass" not in text and "The record is the original message, named" not in text
    assert "taken out" not in text_of(attempt(outgoing(raw), Tier.HTML))


def alternatives(plain: str, html: str) -> bytes:
    kinds = (("plain", plain), ("html", html))
    parts = "".join(f"--b\r\nContent-Type: text/{kind}; charset=utf-8\r\n\r\n{text}\r\n" for kind, text in kinds)
    head = "From: a@example.com\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
    return f"{head}{parts}--b--\r\n".encode()


def test_versions_of_a_body_that_say_different_things() -> None:
    """The pages show the HTML, TEXT had the plain version: what stood in one alone, nobody was told of."""
    plain, rich = f"Dear Sirs, in this version {LAST}.", "<p>Dear Sirs, we regret to decline your friendly offer.</p>"
    raw = alternatives(plain, rich)
    for tier, there, not_there in ((Tier.HTML, "decline", "pledged"), (Tier.TEXT, "pledged", "decline")):
        text = text_of(attempted(raw, tier))
        assert there in text and not_there not in text and "say different things" in text
    text, wrong = said(parse(raw), "none")
    assert "pledged" in text and "decline" in text
    assert wrong == ["text and HTML of the body differ: TEXT has both, PDF the HTML"]


@pytest.mark.parametrize(
    ("plain", "html"),
    [
        (
            "Please see https://example.com/a?b=1 and\nask anna@example.com",
            "<p>Please <a href=x>see</a> and ask Anna</p>",
        ),
        ("请查收附件中的采购合\n同,谢谢", "<p>请查收附件中的采购合同，谢谢</p>"),
        ("> quoted\n\nanswer *strong*", "<p>answer <b>strong</b></p><blockquote>quoted</blockquote>"),
    ],
)
def test_versions_that_say_the_same(plain: str, html: str) -> None:
    assert said(parse(alternatives(plain, html)), "none")[1] == []
    assert "different things" not in text_of(attempted(alternatives(plain, html)))
