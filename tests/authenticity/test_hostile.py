"""Signatures made to break who reads them: nothing raises, and everything takes linear time."""

from __future__ import annotations

import time
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.authenticity.checker import Checker
from tests.authenticity.signing import MAIL, NAME, NOW, Known, pair, sealed, signed, signed_by_hand, verdicts

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
WORDS = {"pass", "fail", "policy", "neutral", "temperror", "permerror", "not checked"}
TAG = st.sampled_from(
    ["v=1", "a=rsa-sha256", "b=", "bh=AAAA", "d=a.example", "s=s1", "h=from", "i=1", "cv=none", "l=3", "="]
)
VALUES = st.one_of(
    st.binary(max_size=200),
    st.lists(st.one_of(TAG, st.text(max_size=8)), max_size=12).map(
        lambda tags: ";".join(tags).encode("utf-8", "replace")
    ),
)
NAMES = st.sampled_from([b"DKIM-Signature", b"dkim-signature ", b"ARC-Seal", b"ARC-Message-Signature",
                         b"ARC-Authentication-Results", b"From"])  # fmt: skip


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6), st.sampled_from([b"\r\n", b"\n", b"\r"]))
@settings(max_examples=300, deadline=None)
def test_no_header_makes_it_raise(fields: list[tuple[bytes, bytes]], end: bytes) -> None:
    mail = b"".join(name + b":" + value + end for name, value in fields) + MAIL
    for verdict in verdicts(mail):
        assert verdict.result in WORDS
        assert not verdict.reason.startswith("unexpected"), verdict
        assert verdict.result == "pass" or verdict.reason
        assert "\n" not in verdict.reason


@given(st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_no_key_makes_it_raise(record: bytes) -> None:
    mail = _signed()
    for text in (record, b"v=DKIM1; " + record, b"v=DKIM1; p=" + record):
        (found,) = verdicts(mail, {NAME: text})
        assert found.result in WORDS
        assert not found.reason.startswith("unexpected")


@cache
def _signed() -> bytes:
    return signed()


@pytest.mark.parametrize("start", range(0, 400, 11))
def test_a_signature_cut_anywhere_does_not_pass(start: int) -> None:
    mail = _signed()
    field = mail[: mail.index(b"From:")]
    cut = field[: start % len(field)].rstrip(b"\r\n ") + b"\r\n"
    assert "pass" not in {verdict.result for verdict in verdicts(cut + MAIL)}


HOSTILE = {
    "blanks in the body": lambda n: signed(MAIL + b"x\r\n").replace(b"\r\n\r\nDear", b"\r\n\r\n" + b" " * n + b"Dear"),
    "empty lines in the body": lambda n: signed() + b"\r\n" * (n // 2) + b"x\r\n",
    "lone CRs in the body": lambda n: signed() + b"\r" * n,
    "blanks in b=": lambda n: signed_by_hand().replace(b"; b=", b"; b=" + b"\r\n " * (n // 3)),
    "broken base64": lambda n: b"DKIM-Signature: b=" + b"A " * (n // 2) + b"!;\r\n" + MAIL,
    "many tags": lambda n: b"DKIM-Signature: " + b"".join(b"t%d=1;" % at for at in range(n // 10)) + b"\r\n" + MAIL,
    "a header without end": lambda n: b"DKIM-Signature: v=1\r\n" + b"X: " + b"y" * 2 * n + b"\r\n" + MAIL,
    "many names in h=": lambda n: signed_by_hand(h=":".join(["from"] * (n // 5))),
    "many fields": lambda n: (
        signed_by_hand(h="from:x") + b"" if not n else signed_by_hand(b"X: y\r\n" * (n // 6) + MAIL)
    ),
    "a field of many lines": lambda n: signed_by_hand(b"X: y" + b"\r\n\t:" * (n // 4) + b"\r\n" + MAIL),
    "many signatures": lambda n: b"DKIM-Signature: v=1;\r\n" * (n // 22) + MAIL,
    "a long chain": lambda n: sealed(b"X: " + b"y" * (n // 40) + b"\r\n" + MAIL, ["a.example"] * 10),
    "a large number": lambda n: signed_by_hand(l="9" * n),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_megabyte_of_malice_takes_no_time(what: str) -> None:
    mail = HOSTILE[what](1_000_000)
    started = time.process_time()
    found = verdicts(mail)
    seconds = time.process_time() - started
    print(f"{what}: {seconds * 1000:.0f} ms, {[one.result for one in found]}")
    assert seconds < 8, what
    assert found, what
    assert not any(one.reason.startswith("unexpected") for one in found)


def test_the_corpus_raises_nothing() -> None:
    if not CORPUS.is_dir():
        pytest.skip(f"no corpus at {CORPUS}")
    checker = Checker(Known({NAME: pair().record}), lambda: NOW)
    counts: Counter[str] = Counter()
    for path in sorted(CORPUS.glob("**/*")):
        if path.is_file() and (found := checker.examine(path.read_bytes())) is not None:
            for verdict in checker.verdicts([found])[0]:
                assert not verdict.reason.startswith("unexpected"), (path, verdict)
                counts[f"{verdict.method} {verdict.result}: {verdict.reason}"] += 1
    print(*(f"{number:4}  {what}" for what, number in counts.most_common()), sep="\n")
    assert counts.total() > 100
