"""The lists of what is withheld and redacted."""

from __future__ import annotations

import pytest

from archiver.errors import ConfigError
from exporters.production.lists import Ground, read_lists

A, B = "a" * 64, "B" * 64


def test_both_lists() -> None:
    lists = read_lists(
        f"\ufeffsha256,reason,basis\r\n{A},advice of counsel,attorney-client\r\n\r\n{B},same,\r\n".encode(),
        f'attachment,reason\n{B},price\n"价格, 2024.xlsx",trade secret\n'.encode(),
    )
    assert lists.message(A) == Ground("advice of counsel", "attorney-client")
    assert lists.attachment(B.lower(), "x") == Ground("same"), "a privilege goes before a redaction"
    assert lists.attachment("c" * 64, "价格, 2024.xlsx") == Ground("trade secret")
    assert lists.attachment("c" * 64, "") is None
    assert [name for name, _ in lists.entries()] == ["withhold", "withhold", "redact", "redact"]
    assert len(lists.withhold_sha256) == 64


@pytest.mark.parametrize(
    ("withhold", "told"),
    [
        ("id,reason,basis\n", "first line"),
        ("sha256,reason,basis\nabc,x,y\n", "64 hexadecimal"),
        (f"sha256,reason,basis\n{A},,y\n", "line 2"),
        (f"sha256,reason,basis\n{A},x\n", "line 2"),
        (f'sha256,reason,basis\n{A},"x,y\n', "not a CSV"),
        ("", "first line"),
    ],
)
def test_a_slip_stops_everything(withhold: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read_lists(withhold.encode(), None)


def test_another_encoding_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="UTF-8"):
        read_lists(None, "attachment,reason\n价格.xlsx,x\n".encode("gb18030"))


def test_no_lists() -> None:
    assert (read_lists(None, None).withheld, read_lists(None, None).withhold_sha256) == ({}, "")
