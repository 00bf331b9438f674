"""Header blocks: the short way for regular ones and the long way for all say the same."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from archiver.mime.headers import _collect, _regular

PIECES = ["Subject", "X-Y", "to", ":", " ", "\t", "\n", "\n ", "\r\n\t", "\r", "\xa0", "\x0b", "=?", "a@b", "From "]


@settings(max_examples=500)
@given(st.lists(st.sampled_from(PIECES), max_size=24).map("".join))
@example("Subject: a\r\n b\r\nX-Y:\r\nTo: c")
@example("Subject\n\t:x")
@example("Subject :x")
@example("Subject\xa0:x\nto\t: y")
@example("\t: x\nto: y")
def test_regular_blocks_are_read_as_any_other(text: str) -> None:
    found, defects = _regular(text), list[str]()
    if found is not None:
        assert (found, None) == _collect(text.split("\n"), defects)
        assert not defects


def test_folded_fields_are_regular() -> None:
    assert _regular("Subject: a\r\n b\r\nX-Y: z\r\nTo:c\r\n\td\r\nto: e\r") == {
        "subject": ["a b"],
        "to": ["c\td", "e"],
    }
