"""Names, UID sets and FETCH responses: what goes out comes back, and what is broken does no harm."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from imapclient import imap_utf7

from archiver.model import Row
from archiver.sources import metadata, names, uids
from archiver.sources.limits import Limits
from archiver.sources.stream import batches

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1)


@given(TEXT)
@example("合同/2024 & Übersicht 😀")
def test_names_round_trip_and_agree_with_imapclient(name: str) -> None:
    raw = names.encode(name)
    assert raw.isascii() and names.decode(raw) == name
    assert imap_utf7.decode(raw) == name


@given(st.binary())
def test_any_bytes_are_some_name(raw: bytes) -> None:
    assert isinstance(names.decode(raw), str)


@given(TEXT, st.sampled_from(["/", ".", "\\"]), st.sampled_from(["", "INBOX."]))
def test_names_travel_to_a_server_and_back(name: str, delimiter: str, prefix: str) -> None:
    name = name.replace("\N{DIVISION SLASH}", "").replace(delimiter if delimiter != "/" else "", "") or "x"
    prefix = prefix if delimiter == "." else ""
    if name.upper() != "INBOX":
        raw = names.to_server(name, delimiter, prefix)
        assert names.folder(raw, delimiter).name in (name, (prefix + name).replace(delimiter, "/"))


def test_inbox_is_spelled_one_way() -> None:
    assert names.folder(b"Inbox", ".").name == "INBOX"
    assert names.to_server("INBOX/sub", ".", "INBOX.") == b"INBOX.sub"
    assert names.to_server("Sent", ".", "INBOX.") == b"INBOX.Sent"


@given(st.sets(st.integers(1, 5000)), st.integers(20, 200))
def test_sets_are_ascending_short_and_complete(wanted: set[int], limit: int) -> None:
    held: list[int] = []
    for text, part in uids.compact(wanted, limit):
        assert len(text) <= limit
        assert [uid for low, high in uids.parse(text) for uid in range(low, high + 1)] == part
        held += part
    assert held == sorted(wanted)
    assert uids.count(uids.ranges(wanted)) == len(wanted)


@given(st.lists(st.tuples(st.integers(1, 99), st.integers(1, 99))), st.sets(st.integers(1, 99)))
def test_members_of_ranges(pairs: list[tuple[int, int]], candidates: set[int]) -> None:
    found = uids.parse(b",".join(b"%d:%d" % pair for pair in pairs))
    expected = {uid for uid in candidates if any(low <= uid <= high for low, high in found)}
    assert uids.within(found, candidates) == expected


def test_a_range_of_everything_is_not_expanded() -> None:
    assert uids.within(uids.parse(b"1:4294967295"), {5, 7}) == {5, 7}


@given(st.lists(st.tuples(st.integers(1, 10**9), st.integers(0, 10**7)), unique_by=lambda pair: pair[0]))
def test_batches_keep_their_limits(pairs: list[tuple[int, int]]) -> None:
    rows = [Row(uid, (), size, None) for uid, size in pairs]
    sizes = dict(pairs)
    limits = Limits(batch=8_000_000, batch_messages=50)
    cut = list(batches(rows, limits, 300))
    assert sorted(uid for batch in cut for uid in batch) == sorted(sizes)
    for batch in cut:
        assert len(batch) <= 50 and (len(batch) == 1 or sum(sizes[uid] for uid in batch) <= 8_000_000)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([b"(UID 5 FLAGS (\\Seen \\Recent b a))"], (5, ("\\Seen", "a", "b"), None, None)),
        ([b"(FLAGS () UID 5 RFC822.SIZE 12)"], (5, (), 12, None)),
        ([b'(X-GM-LABELS ("\\\\Sent" "UID 7 (x" [y]) UID 5)'], (5, None, None, None)),
        ([b"(UID 5 FLAGS (a) X-GM-LABELS (NIL nil))"], (5, ("a", "label:NIL", "label:nil"), None, None)),
        ([b"(UID 5 FLAGS (a) X-GM-LABELS NIL)"], (5, ("a",), None, None)),
        ([b"(UID 5 BODY[] {3}", b"abc", b" FLAGS (x))"], (5, ("x",), None, b"abc")),
        ([b"(BODY[] {3}", b"abc", b" UID 5)"], (5, None, None, b"abc")),
        ([b"(uid 5 body[] ~{3}", b"abc", b")"], (5, None, None, b"abc")),
        ([b'(UID 5 BODY[] "a\\"b")'], (5, None, None, b'a"b')),
        ([b"(UID 5 BODY[] NIL)"], (5, None, None, None)),
        ([b'(UID 5 BODY[] "")'], (5, None, None, b"")),
        ([b"(UID 5 RFC822.SIZE 1e3 MODSEQ (12))"], (5, None, 1000, None)),
        ([b"(UID 5 BODY[HEADER.FIELDS (A B)] {2}", b"\r\n", b")"], (5, None, None, b"\r\n")),
    ],
)
def test_fetch_responses(parts: list[bytes], expected: tuple[object, ...]) -> None:
    found = metadata.parse(parts)
    assert found is not None
    assert (found.uid, found.flags, found.size, found.body) == expected


@pytest.mark.parametrize("text", [b"(FLAGS (\\Seen))", b"(UID NIL FLAGS ())", b"(UID)", b"()"])
def test_rows_without_uid_are_passed_over(text: bytes) -> None:
    assert metadata.parse([text]) is None


@pytest.mark.parametrize(
    "parts",
    [
        [b""],
        [b"(UID 5"],
        [b"UID 5)"],
        [b"(UID 5) rest"],
        [b"(UID 5 BODY[] {3}", b"abc", b"more of the body"],
        [b"((()"],
    ],
)
def test_what_is_no_fetch_response_is_an_error(parts: list[bytes]) -> None:
    with pytest.raises(ValueError):
        metadata.parse(parts)


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=5))
def test_any_bytes_are_read_or_refused(parts: list[bytes]) -> None:
    with suppress(ValueError):
        metadata.parse(parts)


def test_dates() -> None:
    zone = timezone(timedelta(hours=8))
    assert metadata.internaldate(b"17-Jul-1996 02:44:25 +0800") == datetime(1996, 7, 17, 2, 44, 25, tzinfo=zone)
    assert metadata.internaldate(b" 7-jul-1996 02:44:25 -0700") is not None
    for broken in (b"00-Jan-0000 00:00:00 +0000", b"31-Feb-2020 00:00:00 +0000", b"01-Xyz-2020 00:00:00 +0000", b""):
        assert metadata.internaldate(broken) is None
    assert metadata.internaldate(b"01-Jan-2020 00:00:00 +9900") is None
