"""Amounts as people write them."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.amounts import parse_rate, parse_size, parse_window


@pytest.mark.parametrize(
    ("text", "size"),
    [("1B", 1), ("500MB", 500_000_000), (" 1.5 GiB", 1_610_612_736), ("10gb", 10**10), ("2T", 2 * 10**12)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert parse_rate(f"{text}/s") == size


@pytest.mark.parametrize("text", ["", "10", "GB", "-1GB", "1e9B", "0MB", "10 apples", "1GB/h", "1GB/s/s", "٣GB/"])
def test_what_is_no_size_and_no_rate_is_refused(text: str) -> None:
    for parse in (parse_size, parse_rate):
        with pytest.raises(ValueError, match="must be like"):
            parse(text)


@pytest.mark.parametrize("text", ["22:00", "22-06", "24:00-06:00", "22:60-06:00", "22:00-22:00", "", "a:00-b:00"])
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be like|same time"):
        parse_window(text)


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 59))
def test_a_window_is_open_until_it_closes(begin: int, end: int, at: int, second: int) -> None:
    """Minute by minute from its beginning: open before the end, past midnight too; `left` is the time to the end."""
    if begin == end:
        return
    window = parse_window(f"{begin // 60}:{begin % 60:02}-{end // 60:02}:{end % 60:02}")
    now = datetime(2026, 11, 20, at // 60, at % 60, second).astimezone()
    inside = (at - begin) % 1440 < (end - begin) % 1440
    assert window.contains(now) == inside
    assert window.left(now) == (((end - at) % 1440) * 60 - second if inside else 0)
