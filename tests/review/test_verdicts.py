"""A signature that verifies must never read as more than it is, nor one that does not as a forgery."""

from __future__ import annotations

import pytest

from archiver.mime import parse
from tests.authenticity.signing import signed, verdicts

MAIL = signed()


def test_a_subject_added_above_the_signed_one_is_told() -> None:
    """DKIM covers the lowest field of a name, readers show the topmost: the mail still passes with another subject."""
    forged = b"Subject: Pay to the new account\r\n" + MAIL
    assert parse(forged).subject == "Pay to the new account"
    (verdict,) = verdicts(forged)
    assert (verdict.result, verdict.reason) == ("pass", "does not cover Subject")
    assert verdicts(MAIL)[0].reason == ""


@pytest.mark.parametrize(
    "field", ["Date: Mon, 1 Jan 2024 00:00:00 +0000", "Cc: x@example.com", "Reply-To: y@evil.example"]
)
def test_so_is_every_field_by_which_a_message_is_read(field: str) -> None:
    (verdict,) = verdicts(field.encode() + b"\r\n" + MAIL)
    assert (verdict.result, verdict.reason) == ("pass", f"does not cover {field.partition(':')[0]}")


def test_a_field_behind_a_bare_cr_is_no_way_around_it() -> None:
    """One unsigned field to who verifies, two to who reads."""
    forged = b"X-Note: a\rFrom: The Bank <bank@bank.example>\r\n" + MAIL
    assert parse(forged).from_[0].addr == "bank@bank.example"
    (verdict,) = verdicts(forged)
    assert verdict.result == "policy"
    assert "bare CR" in verdict.reason


def test_a_key_that_was_changed_does_not_make_a_forgery() -> None:
    """Mail that is archived years later meets the domain's new key under the old name."""
    (verdict,) = verdicts(MAIL.replace(b"2024-118", b"2024-119"))
    assert verdict.result == "fail"
    assert "or the key in DNS is another one by now" in verdict.reason
