"""The key of a rendition, and its bytes: all of it comes back, and nothing else is taken for one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from archiver.model import Place, Verdict
from exporters.interface import Outgoing
from exporters.rendition.cache import key, pack, unpack
from exporters.rendition.interface import Notes, Rendition, Tier

WHEN = datetime(2024, 3, 4, 9, 30, tzinfo=timezone(timedelta(hours=8)))
MESSAGE = Outgoing("ab" * 32, b"raw", (), "采购合同 \ud800", WHEN, (Verdict("dkim", "pass", "example.cn"),))
COUNTS = st.integers(0, 10**9)
NOTES = st.builds(Notes, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.lists(st.text(max_size=80), max_size=40).map(tuple))
RENDITIONS = st.builds(
    Rendition, st.binary().map(b"%PDF-".__add__), COUNTS, st.sampled_from(Tier), st.booleans(), NOTES
)


@given(RENDITIONS)
def test_all_of_it_comes_back(rendition: Rendition) -> None:
    assert unpack(pack(rendition)) == rendition


@given(st.binary(max_size=200))
def test_anything_else_is_no_rendition(data: bytes) -> None:
    assert unpack(data) is None


@given(RENDITIONS, st.data())
def test_a_cut_head_is_no_rendition(rendition: Rendition, data: st.DataObject) -> None:
    packed = pack(rendition)
    assert unpack(packed[: data.draw(st.integers(0, len(packed) - len(rendition.pdf) + 4))]) is None


def test_the_key_depends_on_all_that_is_shown_and_on_nothing_else() -> None:
    place = Place("a", "b", 1, 1, (), None, datetime(2024, 1, 1, tzinfo=UTC), None)
    assert key(replace(MESSAGE, places=(place,), raw=b""), "f") == key(MESSAGE, "f")
    others = [
        replace(MESSAGE, id="cd" * 32),
        replace(MESSAGE, subject="采购合同"),
        replace(MESSAGE, date=None),
        replace(MESSAGE, date=WHEN.astimezone(UTC)),
        replace(MESSAGE, verdicts=()),
        replace(MESSAGE, verdicts=(Verdict("dkim", "fail", "example.cn"),)),
    ]
    keys = {key(MESSAGE, "f"), key(MESSAGE, "g"), *(key(other, "f") for other in others)}
    assert len(keys) == 2 + len(others)
