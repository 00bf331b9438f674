"""Report, custody log and VERIFY.txt."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime

from exporters.production.custody import custody
from exporters.production.order import Order, Search
from exporters.production.report import report, slip
from exporters.production.seal import Seal
from exporters.production.tally import Tally, VolumeTally
from exporters.production.verify_text import verify_text

WHEN = datetime(2024, 5, 1, tzinfo=UTC)
ORDER = Order("CASE-1", matter="<b>采购</b> & co", operator="Op")
SEARCH = Search("subject:<script>alert(1)</script> " + "x" * 400, [], {"id": "a1"}, WHEN)


def tally() -> Tally:
    made = Tally(7, exported=3, withheld=1, failed=1, duplicates=2)
    made.volumes.append(VolumeTally(1, 5, 9, 12, 3456, "MAIL00000001", "MAIL00000010", {"DATA/VOL001.dat": "ab" * 32}))
    made.collected["Li", "sales"] = ["2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z"]
    made.tiers["2"] = 1
    made.exceptions["no text extracted"] = 4
    return made


def seal(timestamp: bool) -> Seal:
    return Seal(bytes, bytes, b"PEM", "CN=Records", "ab" * 32, bytes if timestamp else None, "http://tsa.example/")


def told(html: str) -> str:
    """The words of a page."""
    return " ".join(re.sub(r"<wbr>|</?[a-z][^>]*>", lambda tag: "" if tag[0] == "<wbr>" else " ", html).split())


def test_a_report_says_what_it_must() -> None:
    words = told(report(ORDER, SEARCH, tally(), None, "renderer 1"))
    for phrase in (
        "7 hits = 3 exported + 1 withheld + 1 failed + 2 duplicates",
        "Operator Op",
        "Requested by not stated",
        "MAIL00000001 to MAIL00000010",
        "CASE-1_VOL001 MAIL00000001 MAIL00000010 5 9 12 3456",
        f"VOL001: DATA/VOL001.dat {'ab' * 32}",
        "Tier 2 1",
        "no text extracted 4",
        "not signed",
        "not timestamped",
        "2024-01-01T00:00:00Z to 2024-02-01T00:00:00Z collected",
        "DRAFT for review by counsel",
        "claims no conformance",
        "renderer 1",
    ):
        assert phrase in words, phrase


def test_one_hit_is_one() -> None:
    assert Tally(1, exported=1).equation.startswith("1 hit = 1 exported")


def test_signature_and_time_stamp_are_named() -> None:
    words = told(report(ORDER, SEARCH, tally(), seal(True), ""))
    assert f"signed by CN=Records, certificate SHA-256 {':'.join(['AB'] * 32)}" in words, "as openssl prints it"
    assert "RFC 3161 time-stamp by http://tsa.example/" in words and "not timestamped" not in words


def test_nothing_typed_becomes_html() -> None:
    for html in (report(ORDER, SEARCH, tally(), None, "<i>"), slip("<script>", "</p><script>x")):
        assert "<script" not in html and "<b>" not in html and "<i>" not in html


def test_long_words_can_be_broken() -> None:
    html = report(ORDER, SEARCH, tally(), None, "")
    assert max(len(word) for word in re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL).split()) <= 60


def test_a_report_does_not_know_the_time() -> None:
    assert report(ORDER, SEARCH, tally(), None, "r") == report(ORDER, SEARCH, tally(), None, "r")
    assert str(datetime.now(UTC).year) not in report(ORDER, SEARCH, tally(), None, "r").replace("2024", "")


def test_each_step_of_custody_carries_the_hash_of_the_one_before() -> None:
    lines = custody(ORDER, SEARCH, tally(), None, "r").decode().splitlines()
    steps = [json.loads(line) for line in lines]
    assert [step["step"] for step in steps] == list(range(1, len(steps) + 1))
    for before, step in zip(lines, steps[1:], strict=False):
        assert step["previous_sha256"] == hashlib.sha256(before.encode()).hexdigest()
    assert steps[0]["time"] == "2024-01-01T00:00:00Z"
    assert {step["as_of"] for step in steps[1:]} == {"2024-05-01T00:00:00Z"}
    assert steps[-1]["timestamp"] == "not timestamped"


def test_verify_text_has_a_command_for_each_seal_and_says_when_there_is_none() -> None:
    unsigned = verify_text("V", None, ()).decode()
    assert "NOT SIGNED" in unsigned and "NOT TIMESTAMPED" in unsigned and "openssl" not in unsigned
    signed = verify_text("V", seal(False), ()).decode()
    assert "openssl cms -verify" in signed and "NOT TIMESTAMPED" in signed and "openssl ts" not in signed
    both = verify_text("V", seal(True), ("sh data/EVIDENCE/check.sh",)).decode()
    assert "openssl ts -verify" in both and "check.sh" in both and "NOT " not in both
    for text in (unsigned, signed, both):
        assert (
            "sha256sum --strict --quiet -c manifest-sha256.txt" in text and "Get-FileHash" in text and "bagit" in text
        )
        assert max(len(line) for line in text.splitlines() if not line.startswith("openssl")) <= 120
