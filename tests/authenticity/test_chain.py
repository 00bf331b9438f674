"""ARC chains: whole ones, broken ones, and what dkimpy says of the same."""

from __future__ import annotations

import dkim
import pytest

from archiver.model import Verdict
from tests.authenticity.signing import MAIL, arc_name, pair, results, sealed, signed, verdicts

DOMAINS = ("list.example", "forwarder.example", "mx.example")
KEYS = {arc_name(domain): pair().record for domain in DOMAINS}


def _dkimpy(mail: bytes) -> bool:
    return bool(dkim.arc_verify(mail, dnsfunc=lambda name, timeout=5: pair().record)[0] == dkim.CV_Pass)


@pytest.mark.parametrize("sets", [1, 2, 3])
def test_a_whole_chain_passes_under_its_newest_seal(sets: int) -> None:
    mail = sealed(MAIL, DOMAINS[:sets])
    key = pair().record.decode()
    assert verdicts(mail, KEYS) == (Verdict("arc", "pass", DOMAINS[sets - 1], "arc", "", key),)
    assert _dkimpy(mail)


ALTERED = {
    "body": (b"contract  below", b"contract  above", "ARC-Message-Signature: the body is not the one that was signed"),
    "header": (
        b"2024-118",
        b"2024-119",
        "ARC-Message-Signature: the signature does not fit the header fields, or the key in DNS is another one by now",
    ),
    "what the first found": (
        b"i=1; mx.list.example; dkim=pass",
        b"i=1; mx.list.example; dkim=fail",
        "ARC-Seal 3: the signature does not fit the header fields, or the key in DNS is another one by now",
    ),
    "an older signature": (b"ARC-Message-Signature: i=2; a", b"ARC-Message-Signature: i=2;  v=1; a", "ARC-Seal 3: "),
}


@pytest.mark.parametrize("what", ALTERED)
def test_what_a_chain_covers_cannot_be_altered(what: str) -> None:
    old, new, reason = ALTERED[what]
    mail = sealed(MAIL, DOMAINS)
    assert mail.count(old) == 1
    (found,) = verdicts(mail.replace(old, new), KEYS)
    assert found.result == "fail"
    assert found.reason.startswith(reason)
    assert not _dkimpy(mail.replace(old, new))


def _without(mail: bytes, *beginnings: bytes) -> bytes:
    lines = mail.split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.startswith(beginnings))


NAMES = (b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results")
BROKEN = {
    "a seal is missing": (lambda mail: _without(mail, b"ARC-Seal: i=2"), "the ARC chain lacks a field"),
    "a set is missing": (
        lambda mail: _without(mail, *(name + b": i=1" for name in NAMES)),
        "the ARC chain lacks a field",
    ),
    "a field twice": (lambda mail: b"ARC-Seal: i=2; cv=pass\r\n" + mail, "ARC set 2 has a field twice"),
    "no instance": (lambda mail: b"ARC-Seal: cv=pass\r\n" + mail, "an ARC field has no instance from 1 to 50"),
    "instance 0": (lambda mail: b"ARC-Seal: i=0\r\n" + mail, "an ARC field has no instance from 1 to 50"),
    "instance 51": (lambda mail: b"ARC-Seal: i=51\r\n" + mail, "an ARC field has no instance from 1 to 50"),
    "a seal alone": (lambda mail: b"ARC-Seal: i=1; cv=none\r\n" + MAIL, "the ARC chain lacks a field"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_chain_that_is_not_whole_fails(what: str) -> None:
    change, reason = BROKEN[what]
    (found,) = verdicts(change(sealed(MAIL, DOMAINS)), KEYS)
    assert (found.result, found.reason) == ("fail", reason)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({3: "fail"}, "handler 3 of the ARC chain found it broken"),
        ({2: "none"}, "ARC-Seal 2 has an impossible cv="),
        ({1: "pass"}, "ARC-Seal 1 has an impossible cv="),
        ({2: "maybe"}, "ARC-Seal 2 has an impossible cv="),
    ],
)
def test_what_the_handlers_found_must_be_possible(claims: dict[int, str], reason: str) -> None:
    (found,) = verdicts(sealed(MAIL, DOMAINS, cv=claims), KEYS)
    assert (found.result, found.reason, found.domain) == ("fail", reason, "")


def test_a_key_that_is_gone_is_no_forgery() -> None:
    mail = sealed(MAIL, DOMAINS)
    (found,) = verdicts(mail, {name: key for name, key in KEYS.items() if "forwarder" not in name})
    assert (found.result, found.reason) == ("permerror", "ARC-Seal 2: no key in DNS (NXDOMAIN)")
    assert (found.domain, found.key) == ("mx.example", pair().record.decode())


def test_a_chain_longer_than_any_honest_one_is_not_checked() -> None:
    (found,) = verdicts(sealed(MAIL, ["a.example"] * 11), {})
    assert (found.result, found.reason) == ("not checked", "the ARC chain has more than 10 sets")


def test_a_signature_and_a_chain_have_a_verdict_each() -> None:
    assert results(sealed(signed(), DOMAINS), {**KEYS, "s1._domainkey.trading.example": pair().record}) == ["pass"] * 2
    assert results(sealed(signed(), DOMAINS).replace(b"Sales", b"sale"), KEYS) == ["permerror", "fail"]
