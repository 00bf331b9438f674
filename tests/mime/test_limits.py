"""Parsing never raises, and its time and memory are bounded by the size of the message."""

from __future__ import annotations

import random
import time
import tracemalloc

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from archiver.mime import Parsed, parse
from tests.messages import samples

SEEDS = (
    samples.business(3_000),
    samples.attachment(bytes(range(256)) * 8, "合同.pdf".encode("gbk")),
    samples.nested(6),
    samples.forwarded(4),
    samples.recipients(30),
    samples.message(
        f"Subject: {samples.word('合同', 'gb2312')}\nContent-Type: text/html; charset=gbk\n",
        "<p>合同</p>".encode("gbk"),
    ),
)


def check(raw: bytes) -> Parsed:
    """Parse, take everything on demand too, and look at what any caller relies on."""
    parsed = parse(raw)
    assert not any(defect.startswith("not parsed") for defect in parsed.defects), parsed.defects
    texts = [parsed.subject, parsed.text, parsed.message_id, parsed.html, *parsed.references]
    texts += [part for a in (*parsed.from_, *parsed.to, *parsed.cc) for part in (a.name, a.addr)]
    texts += [found.name for found in parsed.attachments]
    for text in texts:
        text.encode()
    assert "\x00" not in parsed.subject + parsed.text
    assert "\n" not in parsed.subject
    assert parsed.date is None or parsed.date.tzinfo is not None
    for found in parsed.attachments:
        assert len(found.data()) == found.size
    return parsed


@given(st.binary(max_size=2_000))
@example(b"")
@example(b"\n")
@example(b"\r")
@example(b"\xef\xbb\xbfSubject: x\n\ny")
def test_random_bytes(raw: bytes) -> None:
    check(raw)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(SEEDS), st.randoms(use_true_random=False), st.integers(1, 12))
def test_mutated_messages(raw: bytes, rng: random.Random, changes: int) -> None:
    data = bytearray(raw)
    for _ in range(changes):
        start = rng.randrange(len(data) + 1)
        stop = min(len(data), start + rng.choice((1, 1, 2, 40)))
        kind = rng.randrange(5)
        if kind == 0:
            del data[start:stop]
        elif kind == 1:
            data[start:start] = data[rng.randrange(len(data) + 1) :][: rng.choice((1, 60))]
        elif kind == 2:
            data[start:stop] = rng.randbytes(stop - start)
        elif kind == 3:
            data[start:start] = rng.choice(
                (b"\n", b"\r", b"\n\n", b"--", b"=?", b"?=", b'"', b"\x00", b"=", b";", b"<", b"\\")
            )
        else:
            del data[start + 200 :]
    check(bytes(data))


@given(st.text(max_size=80), st.sampled_from(["utf-8", "gb18030"]), st.sampled_from(["B", "Q"]), st.data())
def test_any_subject_comes_back_from_encoded_words(text: str, charset: str, encoding: str, data: st.DataObject) -> None:
    text = "".join(c for c in text if c.isprintable() and not 0x80 <= ord(c) < 0xA0).strip()
    raw = text.encode(charset)
    cut = data.draw(st.integers(0, len(raw)))
    words = f"{samples.word(raw[:cut], charset, encoding)}\n {samples.word(raw[cut:], charset, encoding)}"
    assert parse(samples.message(f"Subject: {words}\n")).subject == text


HOSTILE = {
    "header lines": b"X: y\n" * 400_000,
    "wanted header lines": b"To: a@b\n" * 200_000,
    "folded forever": b"Subject: x\n" + b" y\n" * 500_000,
    "one header line": b"Subject: " + b"x" * 4_000_000,
    "folded with tabs": b"X-Y:" + b"\n\t:" * 500_000 + b"\ngarbage\n\t:z",
    "garbage lines": b"garbage\n" * 300_000,
    "garbage between headers": b"garbage\nA: b\n" * 100_000,
    "raw bytes in subject": b"Subject: " + b"\xd6\xd0\xb9\xfa " * 100_000,
    "parts": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n" * 300_000,
    "empty sections": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n" * 400_000,
    "near boundaries": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--bb\n" * 400_000,
    "nested over much": b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (i, i) for i in range(1_000))
    + b"\n--x" * 500_000,
    "encoded words": b"Subject: " + b"=?gb2312?B?1tA=?= " * 50_000,
    "unknown charsets": b"Subject: " + b"".join(b"=?x%d?B?1tA=?= " % i for i in range(20_000)),
    "parameters": b"Content-Type: text/plain" + b"; a=b" * 200_000 + b"\n\nx",
    "quoted parameters": b"Content-Type: text/plain" + b';a="\\"' * 100_000 + b"\n\nx",
    "filename pieces": b"Content-Disposition: attachment"
    + b"".join(b"; filename*%d*=x" % i for i in range(50_000))
    + b"\n\nx",
    "references": b"References: " + b"<a@b> " * 200_000,
    "brackets": b"References: " + b"<" * 1_000_000,
    "date": b"Date: " + b"1 Jan " * 200_000,
    "base64 of padding": b"Content-Type: a/b\nContent-Transfer-Encoding: base64\n\n" + b"YQ==\n" * 400_000,
    "blanks below base64": b"Content-Type: a/b\nContent-Transfer-Encoding: base64\n\nQUJD\nQUJD\n" + b" \n" * 1_000_000,
    "quoted-printable": b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=" * 2_000_000,
    "uuencode": b"Content-Type: a/b\nContent-Transfer-Encoding: uuencode\n\nbegin 644 a\n" + b"M\n" * 400_000,
    "utf-7": b"Content-Type: text/plain; charset=utf-7\n\n" + b"+" * 1_000_000,
    "controls": b"Content-Type: text/plain; charset=utf-8\n\n\xe4\xb8\xad" + b"\x01" * 2_000_000,
    "iso-2022-jp": b"Content-Type: text/plain; charset=iso-2022-jp\n\n" + b"\x1b$B" * 300_000,
    "wrong utf-8": b"Content-Type: text/plain; charset=utf-8\n\n" + b"\xd6\xd0\xff" * 500_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_message_takes_linear_time(name: str) -> None:
    started = time.process_time()
    check(HOSTILE[name])
    spent = time.process_time() - started
    print(f"{name}: {len(HOSTILE[name]) / 1e6:.1f} MB in {spent * 1e3:.0f} ms")
    assert spent < 10  # the slowest takes one


@pytest.mark.parametrize("name", samples.HOSTILE_ADDRESSES)
def test_hostile_addresses_take_linear_time(name: str) -> None:
    started = time.process_time()
    check(b"To: " + samples.HOSTILE_ADDRESSES[name].encode() + b"\n\nx")
    assert time.process_time() - started < 6


def test_addresses_remembered_are_those_of_any_message() -> None:
    """Bytes that need the rest of the message to be read are not remembered; what is, leaves no defect out."""
    name = "李".encode("gbk")
    chinese = (
        b"To: " + name + b" <a@b>\nContent-Type: text/plain; charset=gbk\n\n" + "合同编号，请查收。".encode("gbk") * 9
    )
    korean = (
        b"To: " + name + b" <a@b>\nContent-Type: text/plain; charset=euc-kr\n\n" + "계약서를 확인".encode("euc-kr") * 9
    )
    first = [parse(raw) for raw in (chinese, korean)]
    again = [parse(raw) for raw in (korean, chinese)][::-1]
    assert first == again
    assert first[0].to[0].name == "李"
    assert first[1].to[0].name != "李"
    assert all(found.defects for found in first)


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_memory_stays_within_a_few_times_the_message(encoding: str) -> None:
    import base64
    import quopri

    raw = b"Subject: inner\n\n" + b"innermost " * 50_000
    for _ in range(60):
        body = base64.encodebytes(raw) if encoding == "base64" else quopri.encodestring(raw)
        raw = b"Content-Type: message/rfc822\nContent-Transfer-Encoding: %s\n\n" % encoding.encode() + body
        if len(raw) > 8_000_000:
            break
    tracemalloc.start()
    parse(raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"{encoding}: {len(raw) / 1e6:.1f} MB, peak {peak / 1e6:.0f} MB")
    assert peak < 60_000_000 + 4 * len(raw)


def test_text_is_capped_and_said_so() -> None:
    parsed = parse(samples.message("Subject: x\n", "abcdefg\n" * 400_000))
    assert len(parsed.text) == 1024 * 1024
    assert "text cut" in parsed.defects


def test_truncated_is_said() -> None:
    raw = samples.attachment(bytes(100_000))
    parsed = parse(raw[:50_000], truncated=True)
    assert parsed.text == "See the file."
    assert "only the beginning was parsed" in parsed.defects


def test_a_business_message_is_parsed_in_a_fraction_of_a_millisecond() -> None:
    for size in (2_500, 6_000, 10_000):
        raw = samples.business(size)
        spent = []
        for _ in range(200):
            started = time.perf_counter()
            parse(raw)
            spent.append(time.perf_counter() - started)
        median = sorted(spent)[100]
        print(f"{len(raw)} bytes: {median * 1e6:.0f} µs")
        assert median < 1e-3
