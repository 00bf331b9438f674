"""What is found of a DKIM signature: every way to be right, every way to be wrong."""

from __future__ import annotations

import mmap
import tempfile

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from archiver.authenticity import checker
from archiver.model import Verdict
from tests.authenticity import rfc8463
from tests.authenticity.signing import DOMAIN, MAIL, NAME, pair, results, signed, signed_by_hand, verdicts

FORMS = ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed", "simple", "relaxed"]

WEAK = (
    b"v=DKIM1; p=MHwwDQYJKoZIhvcNAQEBBQADawAwaAJhAOf1cKiYcTVlLUrC6k17OttbOsvI84A7PWGrayzi6gLAYdnCC0bomDpCe3"
    b"vPRgB+enj1lIxxtK0IEsfEMacRacvlkOj2Yt4b8ndq5nCQC08yq+mIdhZlTxOBnWXZXS3eJwIDAQAB"
)


def test_the_message_of_rfc_8463_passes_with_both_of_its_keys() -> None:
    keys = {rfc8463.ED25519_NAME: rfc8463.ED25519, rfc8463.RSA_NAME: rfc8463.RSA}
    first, second = verdicts(rfc8463.MESSAGE, keys)
    where = "football.example.com"
    assert first == Verdict("dkim", "pass", where, "brisbane", "", rfc8463.ED25519.decode())
    assert second == Verdict("dkim", "pass", where, "test", "", rfc8463.RSA.decode())
    assert results(rfc8463.MESSAGE.replace(b"Joe.", b"Jo."), keys) == ["fail", "fail"]


def test_unsigned_mail_has_no_verdict() -> None:
    assert verdicts(MAIL) == ()
    assert verdicts(b"") == ()
    assert verdicts(b"Subject: DKIM-Signature: v=1\r\n\r\nDKIM-Signature: v=1; a=rsa-sha256") == ()


@pytest.mark.parametrize("forms", FORMS[:4])
def test_what_dkimpy_signs_passes_in_every_form(forms: str) -> None:
    mail = signed(forms=forms)
    assert verdicts(mail) == (Verdict("dkim", "pass", DOMAIN.decode(), "s1", "", pair().record.decode()),)
    assert results(mail.replace(b"\r\n", b"\n")) == ["pass"], "a mailbox file may have turned CRLF to LF"
    assert results(mail.replace(b"contract", b"contracts")) == ["fail"]
    assert results(mail.replace(b"2024-118", b"2024-119")) == ["fail"]
    assert results(mail + b"\r\n\r\n") == ["pass"], "empty lines at the end do not count"
    assert results(mail + b"buy now\r\n") == ["fail"]


@pytest.mark.parametrize("forms", FORMS[:4])
def test_white_space_matters_in_simple_form_only(forms: str) -> None:
    header, body = forms.split("/")
    mail = signed(forms=forms)
    assert results(mail.replace(b"Subject: Sales", b"Subject:  Sales")) == ["pass" if header == "relaxed" else "fail"]
    assert results(mail.replace(b"find\tthe", b"find \t the")) == ["pass" if body == "relaxed" else "fail"]
    assert results(mail.replace(b"below.\r\n", b"below. \r\n")) == ["pass" if body == "relaxed" else "fail"]


@pytest.mark.parametrize(
    "body", [b"", b"\r\n", b"\r\n\r\n", b" \r\n", b"a", b"a\r\n", b"a\r\n\r\n\r\n", b"\r\n\r\na\r\n"]
)
@pytest.mark.parametrize("forms", FORMS[:4])
def test_empty_bodies_and_missing_line_ends(body: bytes, forms: str) -> None:
    assert results(signed(MAIL.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body, forms)) == ["pass"]


def test_a_part_of_the_body_is_not_the_whole_of_it() -> None:
    mail = signed(length=True)
    assert verdicts(mail)[0].reason == ""
    (longer,) = verdicts(mail + b"and pay to this account\r\n")
    assert (longer.result, longer.reason) == ("pass", "covers only the first 46 of 75 bytes of the body")
    (shorter,) = verdicts(mail.replace(b"below.", b""))
    assert shorter.result == "fail"
    assert results(signed_by_hand(l="5000")) == ["fail"], "l= beyond the body"


def test_an_expired_signature_is_told_from_a_forged_one() -> None:
    (late,) = verdicts(signed_by_hand(t="1722909600", x="1723514400"))
    assert (late.result, late.reason) == ("policy", "the signature fits, but expired on 2024-08-13 (x=)")
    assert results(signed_by_hand(x="1723514400").replace(b"Sales", b"sales")) == ["fail"]
    assert results(signed_by_hand(x="4000000000")) == ["pass"]
    assert verdicts(signed_by_hand(x="0" * 75 + "1"))[0].reason.endswith("1970-01-01 (x=)")


def test_sha1_and_weak_keys_prove_nothing() -> None:
    assert verdicts(signed_by_hand(a="rsa-sha1"))[0] == Verdict(
        "dkim", "policy", DOMAIN.decode(), "s1", "rsa-sha1 proves nothing any more (RFC 8301)"
    )
    (weak,) = verdicts(signed(key=pair(1024)), {NAME: WEAK})
    assert weak.result == "policy"
    assert weak.reason == "the key in DNS has 768 bits, and fewer than 1024 prove nothing (RFC 8301)"
    assert results(signed(key=pair(1024)), {NAME: pair(1024).record}) == ["pass"]


def test_no_key_says_nothing_of_the_message() -> None:
    (gone,) = verdicts(signed(), {})
    assert (gone.result, gone.reason, gone.key) == ("permerror", "no key in DNS (NXDOMAIN)", "")
    assert results(signed() + b"more\r\n", {}) == ["fail"], "that the body differs needs no key"


RECORDS = [
    (b"", "permerror", "what DNS answers is no DKIM key"),
    (b"v=spf1 -all", "permerror", "what DNS answers is no DKIM key"),
    (b"hello", "permerror", "the key in DNS is not a list of tags"),
    (b"v=DKIM1; p=", "permerror", "the key in DNS was withdrawn by its owner (p= is empty)"),
    (b"v=DKIM1; p=AAAA", "permerror", "the key in DNS cannot be read"),
    (b"v=DKIM1; p=!", "permerror", "the key in DNS cannot be read"),
    (b"v=DKIM1; k=ed25519; p=AAAA", "permerror", "the key in DNS cannot be read"),
    (b"v=DKIM1; k=dsa; p=AAAA", "permerror", "the key in DNS is of an unknown type"),
    (b"v=DKIM1; p=AAAA; p=AAAA", "permerror", "the key in DNS is not a list of tags"),
    (b"s=tlsrpt; ", "permerror", "the key in DNS is not for mail"),
    (b"h=sha1; ", "permerror", "the key in DNS is not for SHA-256"),
    (b"h=sha1:sha256; s=email; ", "pass", ""),
    (b"s=*; n=a note; ", "pass", ""),
    (b"t=y; ", "pass", "the domain is testing (t=y)"),
    (b"t=s; ", "pass", ""),
]


@pytest.mark.parametrize(("record", "result", "reason"), RECORDS)
def test_keys_as_dns_may_have_them(record: bytes, result: str, reason: str) -> None:
    whole = record + pair().record.removeprefix(b"v=DKIM1; ") if record.endswith(b"; ") else record
    (found,) = verdicts(signed(), {NAME: whole})
    assert (found.result, found.reason, found.key) == (result, reason, whole.decode())


def test_a_key_is_for_subdomains_unless_it_says_no() -> None:
    below = signed_by_hand(i="@shop.trading.example")
    assert results(below) == ["pass"]
    assert results(below, {NAME: b"t=s; " + pair().record.removeprefix(b"v=DKIM1; ")}) == ["permerror"]
    assert results(signed_by_hand(i="@other.example")) == ["permerror"]
    assert results(signed_by_hand(i="@eviltrading.example")) == ["permerror"]


FLAWS = [
    ({"v": "2"}, "neutral"), ({"v": ""}, "neutral"), ({"a": ""}, "neutral"), ({"a": "rsa-md5"}, "neutral"),
    ({"d": ""}, "neutral"), ({"d": "a..b"}, "neutral"), ({"d": "-"}, "neutral"), ({"s": "a b"}, "neutral"),
    ({"d": "公司.example"}, "neutral"), ({"s": "x" * 64}, "neutral"), ({"d": ".".join(["x" * 60] * 4)}, "neutral"),
    ({"bh": ""}, "neutral"), ({"bh": "!"}, "neutral"), ({"bh": "AAAA"}, "fail"), ({"h": "to:subject"}, "permerror"),
    ({"c": "relaxed/other"}, "neutral"), ({"c": "/relaxed"}, "neutral"), ({"q": "http"}, "neutral"),
    ({"q": "dns/txt : http"}, "pass"), ({"l": "-1"}, "neutral"), ({"l": "9" * 80}, "neutral"),
    ({"x": "soon"}, "neutral"),
    ({"z": "From:li"}, "pass"), ({"a": "ed25519-sha256"}, "permerror"), ({"h": "from:arc-seal"}, "pass"),
]  # fmt: skip


@pytest.mark.parametrize(("tags", "result"), FLAWS)
def test_signatures_that_are_not_as_specified(tags: dict[str, str], result: str) -> None:
    assert results(signed_by_hand(**tags)) == [result]


def test_a_tag_named_twice_and_no_tags_at_all() -> None:
    assert results(b"DKIM-Signature: v=1; v=1\r\n" + MAIL) == ["neutral"]
    assert results(b"DKIM-Signature: \r\n" + MAIL) == ["neutral"]
    assert results(b"DKIM-Signature: hello\r\n" + MAIL) == ["neutral"]


def test_a_signature_that_is_folded_anywhere() -> None:
    mail = signed_by_hand()
    head = mail[: mail.index(b"From:")]
    body = mail[len(head) :]
    assert results(head.replace(b"; ", b";\r\n\t") + body) == ["pass"]
    assert results(head.replace(b"; b=", b"; b=\r\n \t") + body) == ["pass"]
    assert results(head[:-40] + b"\r\n  \t" + head[-40:] + body) == ["pass"]
    assert results(head[:-2] + b" ;\r\n" + body) == ["fail"], "what is outside the value of b= is signed"


def test_fields_that_are_not_there_may_be_signed_and_then_not_added() -> None:
    mail = signed_by_hand(h="from:to:subject:reply-to")
    assert results(mail) == ["pass"]
    assert results(mail.replace(b"To: buyer", b"Reply-To: thief@example.net\r\nTo: buyer")) == ["fail"]


def test_a_second_from_field_is_not_covered() -> None:
    mail = signed_by_hand()
    added = mail.replace(b"From: Li", b"From: boss@trading.example\r\nFrom: Li")
    (found,) = verdicts(added)
    assert found.result == "policy"
    assert results(signed_by_hand(h="from:from:to").replace(b"From: Li", b"From: boss@x.example\r\nFrom: Li")) == [
        "fail"
    ]


def test_fields_of_one_name_are_taken_from_the_last() -> None:
    mail = MAIL.replace(b"Subject:", b"X-Note: one\r\nX-Note: two\r\nSubject:")
    once = signed_by_hand(mail, h="from:x-note")
    assert results(once) == ["pass"]
    assert results(once.replace(b"one", b"three")) == ["pass"]
    assert results(once.replace(b"two", b"three")) == ["fail"]


def test_several_signatures_each_have_a_verdict_up_to_a_limit() -> None:
    mail = signed(signed_by_hand(d="other.example"))
    assert results(mail) == ["pass", "permerror"]
    many = MAIL
    for number in range(checker.MOST_SIGNATURES + 2):
        many = signed_by_hand(d=f"d{number}.example") if not number else signed_by_hand(many, d=f"d{number}.example")
    found = verdicts(many)
    assert [one.result for one in found] == ["permerror"] * checker.MOST_SIGNATURES + ["not checked"]
    assert found[-1].reason == "only the first 8 signatures are checked"


def test_ed25519_keys() -> None:
    private = Ed25519PrivateKey.generate()
    import base64

    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    record = b"v=DKIM1; k=ed25519; p=" + base64.b64encode(public)
    mail = signed_by_hand(key=private, a="ed25519-sha256")
    assert results(mail, {NAME: record}) == ["pass"]
    assert results(mail.replace(b"buyer", b"Buyer"), {NAME: record}) == ["fail"]
    assert results(mail) == ["permerror"], "an RSA key for an Ed25519 signature"


def test_a_huge_message_is_hashed_from_its_map(monkeypatch: pytest.MonkeyPatch) -> None:
    mail = signed(MAIL + b"line with  blanks \r\n" * 100_000)
    with tempfile.TemporaryFile() as file:
        file.write(mail)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            found = verdicts(mapped)  # type: ignore[arg-type]
    assert [one.result for one in found] == ["pass"]
    monkeypatch.setattr(checker, "MOST_BYTES", 1024**2)
    assert verdicts(mail)[0].result == "not checked"
    assert verdicts(mail)[0].reason == "the message is larger than 1 MiB"


def test_a_message_of_header_alone_and_one_with_an_envelope_line() -> None:
    assert results(signed_by_hand(MAIL.partition(b"\r\n\r\n")[0] + b"\r\n\r\n").removesuffix(b"\r\n")) == ["pass"]
    assert results(b"From li@trading.example Tue Aug  6 10:00:00 2024\r\n" + signed()) == ["pass"]
