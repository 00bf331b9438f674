"""What mail in the wild gets wrong in its encodings, its separators and its nesting, one test a failure."""

from __future__ import annotations

import base64
import binascii

import pytest

from archiver.mime import parse
from archiver.model import Address
from tests.messages.samples import CHINESE, attachment, forwarded, message, nested, recipients, word


def test_base64_padding_in_mid_stream() -> None:
    data = base64.b64encode(b"first") + b"\n" + base64.b64encode(b"second") + b"\n"
    raw = message("Subject: x\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n", data)
    (found,) = parse(raw).attachments
    assert found.data() == b"firstsecond"
    assert found.size == 11


@pytest.mark.parametrize(
    "junk",
    [b"_______\nA list's footer: http://example.com/\n", b" ignored\n", b"!!\n", b"_______\nFooterWithoutBlanks\n"],
)
def test_base64_with_junk_below(junk: bytes) -> None:
    data = base64.encodebytes(bytes(range(250))).rstrip(b"\n") + (b"" if junk.startswith(b" ") else b"\n") + junk
    raw = message("Subject: x\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n", data)
    (found,) = parse(raw).attachments
    assert found.data() == bytes(range(250))
    assert found.size == 250
    assert "base64 damaged" in parse(raw).defects


def test_base64_with_stray_signs_inside() -> None:
    data = base64.encodebytes(bytes(range(200)))
    raw = message(
        "Subject: x\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n", data[:30] + b"!" + data[30:]
    )
    assert parse(raw).attachments[0].data() == bytes(range(200))


@pytest.mark.parametrize("label", ["base-64", "BASE64", '"base64"', "base64; x=y"])
def test_base64_by_other_names(label: str) -> None:
    raw = message(f"Subject: x\nContent-Transfer-Encoding: {label}\n", base64.encodebytes(CHINESE.encode()))
    assert parse(raw).text == CHINESE


def test_uuencode() -> None:
    body = b"begin 644 a.bin\n" + binascii.b2a_uu(b"forty bytes of data, more or less, in it") + b"`\nend\n"
    raw = message("Subject: x\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: x-uuencode\n", body)
    assert parse(raw).attachments[0].data() == b"forty bytes of data, more or less, in it"


def test_unknown_transfer_encoding_is_noted() -> None:
    parsed = parse(message("Subject: x\nContent-Transfer-Encoding: rot-13\n", "Hello"))
    assert parsed.text == "Hello"
    assert "unknown transfer encoding" in parsed.defects


def test_cr_only_lines() -> None:
    parsed = parse(message(f"Subject: {word('合同')}\n", "first\nsecond\n", eol=b"\r"))
    assert (parsed.subject, parsed.text) == ("合同", "first\nsecond")
    assert "lone CR as line end" in parsed.defects


def test_missing_separator() -> None:
    parsed = parse(b"Subject: s\r\nFrom: a@example.com\r\nThis is the body, not a header\r\nand more.\r\n")
    assert (parsed.subject, parsed.text) == ("s", "This is the body, not a header\nand more.")
    assert "separator between header and body missing" in parsed.defects


def test_garbage_in_the_header() -> None:
    parsed = parse(b"Subject: s\r\n\x01\x02 garbage garbage\r\nFrom: a@example.com\r\n\r\nbody\r\n")
    assert (parsed.subject, parsed.from_, parsed.text) == ("s", (Address("", "a@example.com"),), "body")
    assert "garbage in the header" in parsed.defects


def test_mbox_line_at_the_top_is_no_garbage() -> None:
    parsed = parse(b"From li@example.cn Mon Mar  4 09:30:00 2024\n" + message("Subject: s\n"))
    assert parsed.subject == "s"
    assert parsed.defects == ()


def test_missing_boundary_parameter() -> None:
    parsed = parse(
        message("Subject: x\nContent-Type: multipart/mixed\n", "--q\nContent-Type: text/plain\n\nfound\n--q--\n")
    )
    assert parsed.text == "found"
    assert "boundary missing or wrong" in parsed.defects


def test_boundary_that_does_not_occur() -> None:
    parsed = parse(message("Subject: x\nContent-Type: multipart/mixed; boundary=other\n", "plain words only\n"))
    assert parsed.text == "plain words only"
    assert "multipart without parts" in parsed.defects


def test_missing_closing_boundary() -> None:
    parsed = parse(message("Subject: x\nContent-Type: multipart/mixed; boundary=q\n", "--q\n\none\n--q\n\ntwo\n"))
    assert parsed.text == "one\n\ntwo"
    assert "closing boundary missing" in parsed.defects


def test_base64_embedded_message_is_looked_into() -> None:
    inner = base64.encodebytes(attachment(b"deep", "deep.pdf"))
    parsed = parse(message("Subject: x\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n", inner))
    assert [(a.type, a.name) for a in parsed.attachments] == [("message/rfc822", ""), ("application/pdf", "deep.pdf")]
    assert parsed.attachments[1].data() == b"deep"
    assert parsed.text == "See the file."


@pytest.mark.parametrize("depth", [300, 1_000])
@pytest.mark.parametrize("build", [nested, forwarded])
def test_deep_nesting_ends_in_one_blob(depth: int, build: type) -> None:
    parsed = parse(build(depth))
    assert "nested deeper than 50" in parsed.defects
    assert b"innermost" in parsed.attachments[-1].data()


def test_nesting_of_fifty_is_read() -> None:
    assert parse(nested(50)).text == "innermost"


def test_five_thousand_recipients() -> None:
    parsed = parse(recipients(5_000))
    assert len(parsed.to) == 5_000
    assert parsed.to[4_999] == Address("Person 4999", "p4999@example.com")
