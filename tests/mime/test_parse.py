"""What is understood of ordinary mail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from archiver.mime import parse
from archiver.mime.fields import parse_date
from archiver.model import Address
from tests.messages.samples import CHINESE, attachment, business, message

ALTERNATIVE = "Subject: x\nContent-Type: multipart/alternative; boundary=q\n"


def two(plain: str, html: str) -> str:
    return f"--q\nContent-Type: text/plain\n\n{plain}\n--q\nContent-Type: text/html\n\n{html}\n--q--\n"


def test_a_business_message() -> None:
    parsed = parse(business())
    assert parsed.subject == CHINESE[:24]
    assert parsed.from_ == (Address("Li Wei", "li@example.cn"),)
    assert parsed.to == (Address("王芳", "wang@example.com"), Address("Peter Smith", "peter@example.org"))
    assert parsed.date == datetime(2024, 3, 4, 9, 30, tzinfo=timezone(timedelta(hours=8)))
    assert parsed.message_id == "118.1709516@example.cn"
    assert parsed.references == ("1@example.cn", "2@example.cn")
    assert "合同" in parsed.text and "<" not in parsed.text
    assert parsed.html.startswith("<html>") and "合同" in parsed.html
    assert parsed.defects == ()


def test_an_attachment_is_named_measured_and_decoded_on_demand() -> None:
    data = bytes(range(256)) * 300
    (found,) = parse(attachment(data, "报价单.xlsx", kind="application/vnd.ms-excel")).attachments
    assert (found.name, found.type, found.size, found.inline) == (
        "报价单.xlsx",
        "application/vnd.ms-excel",
        len(data),
        False,
    )
    assert found.data() == data


def test_an_inline_image_has_its_content_id() -> None:
    body = (
        '--q\nContent-Type: text/html\n\n<p>see <img src="cid:logo@x"></p>\n'
        "--q\nContent-Type: image/png; name=logo.png\nContent-ID: <logo@x>\n\nPNG\n--q--\n"
    )
    parsed = parse(message("Subject: x\nContent-Type: multipart/related; boundary=q\n", body))
    (found,) = parsed.attachments
    assert (found.name, found.inline, found.content_id, found.data()) == ("logo.png", True, "logo@x", b"PNG")
    assert parsed.text == "see"


def test_references_come_before_in_reply_to_each_once() -> None:
    parsed = parse(message("Subject: x\nIn-Reply-To: <c@x>\nReferences: <a@x>\n <b@x> (c) <a@x>\n"))
    assert parsed.references == ("a@x", "b@x", "c@x")


def test_the_plain_alternative_is_the_text() -> None:
    assert parse(message(ALTERNATIVE, two("plain words", "<p>html words</p>"))).text == "plain words"


@pytest.mark.parametrize("stub", ["", "Please use a browser."])
def test_a_stub_beside_much_html_does_not_hide_it(stub: str) -> None:
    parsed = parse(message(ALTERNATIVE, two(stub, "<p>contract 118</p>" * 20)))
    assert "contract 118" in parsed.text


def test_html_beside_plain_outside_an_alternative_is_text_too() -> None:
    parsed = parse(message("Subject: x\nContent-Type: multipart/mixed; boundary=q\n", two("first", "<p>second</p>")))
    assert parsed.text == "first\n\nsecond"


def test_html_labelled_as_plain_is_read_as_html() -> None:
    assert parse(message("Subject: x\n", "<html><body><p>合同</p></body></html>")).text == "合同"


def test_a_named_text_is_an_attachment() -> None:
    body = "--q\n\nbody\n--q\nContent-Type: text/plain; name=notes.txt\n\nnotes\n--q--\n"
    parsed = parse(message("Subject: x\nContent-Type: multipart/mixed; boundary=q\n", body))
    assert (parsed.text, [a.name for a in parsed.attachments]) == ("body", ["notes.txt"])


def test_flowed_text_is_put_together() -> None:
    head = "Subject: x\nContent-Type: text/plain; format=flowed; delsp={}\n"
    body = "采购合 \n同二零 \n二四\n> quoted \n> text\n-- \nLi Wei\n"
    assert parse(message(head.format("yes"), body)).text == "采购合同二零二四\n> quotedtext\n-- \nLi Wei"
    assert parse(message(head.format("no"), body)).text == "采购合 同二零 二四\n> quoted text\n-- \nLi Wei"


def test_a_group_of_addresses_is_flattened() -> None:
    parsed = parse(message("Subject: x\nTo: Team: a@x, Bob <b@x>;, c@x\nCc: undisclosed-recipients:;\n"))
    assert parsed.to == (Address("", "a@x"), Address("Bob", "b@x"), Address("", "c@x"))
    assert parsed.cc == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"Smith, John" <j@x>', Address("Smith, John", "j@x")),
        ("Smith, John <j@x>", Address("Smith, John", "j@x")),
        ('"John \\"Joe\\" Smith" <j@x>', Address('John "Joe" Smith', "j@x")),
        ("j@x (John Smith)", Address("John Smith", "j@x")),
        ("=?utf-8?Q?Smith,_John?= <j@x>", Address("Smith, John", "j@x")),
        ("=?utf-8?B?5byg5LiJIDx6QHg+?=", Address("张三", "z@x")),
        ('"=?utf-8?B?5byg5LiJ?=" <z@x>', Address("张三", "z@x")),
        ("张三 <z@例子.中国>", Address("张三", "z@例子.中国")),
        ("John <j@x", Address("John", "j@x")),
        ('"John <j@x>', Address("John", "j@x")),
        ("<j@x>", Address("", "j@x")),
        ("'John Smith' <j@x>", Address("John Smith", "j@x")),
        ("John O' <j@x>", Address("John O'", "j@x")),
    ],
)
def test_addresses(value: str, expected: Address) -> None:
    assert parse(message(f"Subject: x\nTo: {value}\n")).to == (expected,)


@pytest.mark.parametrize(
    ("value", "hours", "moment"),
    [
        ("Mon, 4 Mar 2024 09:30:15 +0800", 8, "2024-03-04 09:30:15"),
        ("4 Mar 2024 09:30 -0330 (comment)", -3.5, "2024-03-04 09:30:00"),
        ("Mon, 04 Mar 24 09:30:15 GMT", 0, "2024-03-04 09:30:15"),
        ("Mon, 4-Mar-2024 09:30:15 EST", -5, "2024-03-04 09:30:15"),
        ("Mon, 4 March 2024 9.30.15 PM +0100", 1, "2024-03-04 21:30:15"),
        ("Mon Mar  4 09:30:15 2024", 0, "2024-03-04 09:30:15"),
        ("Mon Mar  4 09:30:15 PST 2024", -8, "2024-03-04 09:30:15"),
        ("2024-03-04T09:30:15+08:00", 8, "2024-03-04 09:30:15"),
        ("2024-03-04 09:30", 0, "2024-03-04 09:30:00"),
        ("Mon, 31 Dec 2016 23:59:60 +0000", 0, "2016-12-31 23:59:59"),
    ],
)
def test_dates(value: str, hours: float, moment: str) -> None:
    zone = timezone(timedelta(hours=hours)) if hours else UTC
    assert parse_date(value) == datetime.fromisoformat(moment).replace(tzinfo=zone)
