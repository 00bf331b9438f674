"""What mail in the wild gets wrong, one test a failure: charsets, names, dates, addresses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from archiver.mime import parse
from archiver.model import Address
from tests.messages.samples import CHINESE, attachment, message, word

GBK = CHINESE.encode("gb18030")


@pytest.mark.parametrize("subject", ["采购合同及发票", "发票", "报价单", "关于下周三会议的通知", "装箱单及提单确认"])
def test_raw_gbk_header(subject: str) -> None:
    assert parse(message(b"Subject: " + subject.encode("gbk") + b"\n")).subject == subject


@pytest.mark.parametrize(
    ("codec", "subject"),
    [
        ("big5", "裝船通知"),
        ("cp932", "株式会社"),
        ("euc_jp", "ご確認"),
        ("cp949", "계약서 확인"),
        ("koi8_r", "Договор"),
        ("cp1252", "Größe"),
    ],
)
def test_raw_header_in_another_charset(codec: str, subject: str) -> None:
    assert parse(message(b"Subject: " + subject.encode(codec) + b"\n")).subject == subject


def test_raw_gbk_header_of_two_characters_is_told_by_the_body() -> None:
    raw = message(b"Subject: " + "合同".encode("gbk") + b"\nContent-Type: text/plain\n", GBK)
    assert parse(raw).subject == "合同"
    assert parse(raw).text == CHINESE


def test_raw_gbk_sender_name() -> None:
    parsed = parse(message(b"From: " + "张三".encode("gbk") + b" <z@example.cn>\nSubject: x\n", CHINESE.encode("gbk")))
    assert parsed.from_ == (Address("张三", "z@example.cn"),)


def test_raw_utf8_header() -> None:
    assert parse(message(f"Subject: {CHINESE}\n")).subject == CHINESE


def test_raw_gbk_filename() -> None:
    (found,) = parse(attachment(b"x", "采购合同二零二四.pdf".encode("gbk"))).attachments
    assert found.name == "采购合同二零二四.pdf"


def test_raw_gbk_filename_whose_second_byte_is_a_backslash() -> None:
    (found,) = parse(attachment(b"x", "淾合同发票报价单.pdf".encode("gbk"))).attachments
    assert found.name.endswith("合同发票报价单.pdf")


@pytest.mark.parametrize("encoding", ["B", "Q"])
def test_encoded_word_split_inside_a_character(encoding: str) -> None:
    data = CHINESE.encode()
    first, second = word(data[:10], "utf-8", encoding), word(data[10:], "utf-8", encoding)
    assert parse(message(f"Subject: {first}\n {second}\n")).subject == CHINESE


def test_encoded_words_in_different_charsets_side_by_side() -> None:
    value = word("合同", "gb2312") + "\n " + word("請確認", "big5") + "\n " + word("naïve", "iso-8859-1")
    assert parse(message(f"Subject: {value}\n")).subject == "合同請確認naïve"


def test_adjacent_encoded_words_without_a_space() -> None:
    assert parse(message(f"Subject: {word('采购')}{word('合同')} 118\n")).subject == "采购合同 118"


def test_encoded_word_inside_ascii_text() -> None:
    assert parse(message(f"Subject: Re: {word('合同')} (PI 118) {word('发票')}\n")).subject == "Re: 合同 (PI 118) 发票"


@pytest.mark.parametrize(
    "label", ["gb2312", "GB2312", "gbk", "x-gbk", "gb_2312-80", "gb18030", "csGB2312", "gb2312_charset"]
)
def test_gb_labels_mean_gb18030(label: str) -> None:
    text = "朱镕基，喆，𠀀，€ 1,200"
    parsed = parse(message(f"Subject: x\nContent-Type: text/plain; charset={label}\n", text.encode("gb18030")))
    assert (parsed.text, parsed.defects) == (text, ())


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("big5", "big5hkscs", "裝船通知：㗎，啫，恒生"),
        ("chinesebig5", "big5", "請確認付款條件"),
        ("shift_jis", "cp932", "①株式会社㈱ 髙橋様"),
        ("windows-31j", "cp932", "①株式会社㈱ 髙橋様"),
        ("euc-kr", "cp949", "똠방각하 계약서"),
        ("ks_c_5601-1987", "cp949", "계약서 확인"),
        ("iso-8859-1", "cp1252", "“Quoted” – 1 000 €"),
        ("iso-2022-jp", "iso2022_jp", "契約書を確認してください"),
        ("koi8-r", "koi8_r", "Договор поставки"),
        ("windows-1251", "cp1251", "Договор поставки"),
        ("hz-gb-2312", "hz", "采购合同"),
    ],
)
def test_label_means_its_superset(label: str, codec: str, text: str) -> None:
    raw = message(f"Subject: x\nContent-Type: text/plain; charset={label}\n", text.encode(codec))
    assert parse(raw).text == text


def test_utf8_label_with_gbk_body() -> None:
    parsed = parse(message("Subject: x\nContent-Type: text/plain; charset=utf-8\n", GBK))
    assert parsed.text == CHINESE
    assert "charset label wrong" in parsed.defects


def test_gb2312_label_with_utf8_body() -> None:
    assert parse(message("Subject: x\nContent-Type: text/plain; charset=gb2312\n", CHINESE)).text == CHINESE


def test_latin1_label_with_utf8_body() -> None:
    assert parse(message("Subject: x\nContent-Type: text/plain; charset=iso-8859-1\n", "café")).text == "café"


@pytest.mark.parametrize("charset", ["utf-8", "gb2312"])
def test_one_damaged_byte_does_not_change_the_charset(charset: str) -> None:
    data = (CHINESE * 3).encode(charset)
    raw = message(f"Subject: x\nContent-Type: text/plain; charset={charset}\n", data + b"\xff\n" + data)
    assert parse(raw).text == f"{CHINESE * 3}\ufffd\n{CHINESE * 3}"
    assert parse(raw).defects == ("text with undecodable bytes",)


def test_the_labels_of_a_message_tell_the_charset_of_its_raw_header() -> None:
    raw = "견적서".encode("cp949")
    assert parse(message(b"Subject: " + raw + b"\nContent-Type: text/plain; charset=euc-kr\n")).subject == "견적서"
    assert parse(message(b"Subject: " + raw + f"\nFrom: {word('김', 'euc-kr')} <k@x>\n".encode())).subject == "견적서"


@pytest.mark.parametrize(
    "label", ["", "DEFAULT", "y", "badcharset", "unknown-8bit", "x-nothing", "idna", "punycode", "base64", "rot13"]
)
def test_unknown_charset_is_detected_and_recorded(label: str) -> None:
    parsed = parse(message(f'Subject: x\nContent-Type: text/plain; charset="{label}"\n', GBK))
    assert parsed.text == CHINESE
    assert "charset detected: gb18030" in parsed.defects


def test_unknown_charset_in_an_encoded_word() -> None:
    assert parse(message(f"Subject: {word(GBK, 'x-nothing')}\n")).subject == CHINESE


def test_html_says_its_charset_itself() -> None:
    html = f'<html><head><meta http-equiv="Content-Type" content="text/html; charset=gb2312"></head><p>{CHINESE}</p>'
    assert parse(message("Subject: x\nContent-Type: text/html\n", html.encode("gbk"))).text == CHINESE


def test_encoded_word_inside_a_filename() -> None:
    (found,) = parse(attachment(b"x", word("采购合同.pdf", "gb2312"))).attachments
    assert found.name == "采购合同.pdf"


def test_split_rfc2231_filename_cut_inside_a_character() -> None:
    quoted = "".join(f"%{byte:02X}" for byte in "采购合同.pdf".encode())
    head = f"Content-Disposition: attachment;\n filename*0*=utf-8''{quoted[:12]};\n filename*1*={quoted[12:]}\n"
    (found,) = parse(message(f"Subject: x\nContent-Type: application/pdf\n{head}", "x")).attachments
    assert found.name == "采购合同.pdf"


def test_rfc2231_filename_whole_and_in_plain_pieces() -> None:
    head = "Subject: x\nContent-Type: application/pdf\nContent-Disposition: attachment; "
    assert parse(message(head + "filename*=gbk''%B2%C9%B9%BA.pdf\n")).attachments[0].name == "采购.pdf"
    assert parse(message(head + 'filename*0="long "; filename*1="name.pdf"\n')).attachments[0].name == "long name.pdf"


def test_decoded_line_end_in_a_header_starts_no_line() -> None:
    parsed = parse(message("Subject: " + word("Hi\r\nBcc: evil@example.com\x00") + "\n"))
    assert parsed.subject == "Hi Bcc: evil@example.com"
    assert parsed.bcc == ()


@pytest.mark.parametrize("separator", ["; ", ", ", ";\n ", " ,; "])
def test_separators_between_addresses(separator: str) -> None:
    parsed = parse(
        message(f'Subject: x\nTo: Ann <a@example.com>{separator}b@example.com{separator}"C, Co" <c@example.com>\n')
    )
    assert parsed.to == (
        Address("Ann", "a@example.com"),
        Address("", "b@example.com"),
        Address("C, Co", "c@example.com"),
    )


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "Mon, 99 Foo 2024 25:61:61 +9999",
        "Wed, 31 Feb 2024 10:00:00 +0000",
        "Fri, 1 Jan 0001 00:00:00 +1400",
    ],
)
def test_bad_date_falls_back_to_received(value: str) -> None:
    stamp = "Received: by mx.example.com; Tue, 5 Mar 2024 01:02:03 +0000\n"
    parsed = parse(message(f"Subject: x\n{stamp}Date: {value}\n"))
    assert parsed.date is None
    assert parsed.received == datetime(2024, 3, 5, 1, 2, 3, tzinfo=UTC)
    assert parsed.defects == (("bad Date",) if value else ("no Date",))


def test_nul_is_stripped() -> None:
    parsed = parse(message(b"Subject: a\x00b\n", b"one\x00two\x1b[31m\n"))
    assert parsed.subject == "a b"
    assert parsed.text == "onetwo[31m"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("application/ms-tnef", "winmail.dat"),
        ("application/pkcs7-mime; smime-type=enveloped-data", "smime.p7m"),
        ("application/pkcs7-mime; smime-type=signed-data", "smime.p7m"),
        ("application/octet-stream", "encrypted.asc"),
    ],
)
def test_sealed_parts_are_kept_unopened(kind: str, name: str) -> None:
    data = b"\x78\x9f\x3e\x22" + bytes(range(256))
    (found,) = parse(attachment(data, name, kind=kind)).attachments
    assert (found.name, found.type, found.data()) == (name, kind.partition(";")[0], data)


def test_pgp_encrypted_message_is_kept_unopened() -> None:
    body = (
        "--p\nContent-Type: application/pgp-encrypted\n\nx\n--p\nContent-Type: application/octet-stream\n\nx\n--p--\n"
    )
    parsed = parse(
        message(
            'Subject: x\nContent-Type: multipart/encrypted; boundary=p; protocol="application/pgp-encrypted"\n', body
        )
    )
    assert [a.type for a in parsed.attachments] == ["application/pgp-encrypted", "application/octet-stream"]
    assert parsed.text == ""
