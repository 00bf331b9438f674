"""The plan is a pure function: its truth table, and that any history of a folder ends with what the server has."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver import walk
from archiver.model import FolderStatus, Row
from archiver.sources.interface import Known, Listing

STATUS = FolderStatus(uidvalidity=7, uidnext=10, messages=3, highestmodseq=50)
KNOWN = Known(STATUS, {1: ("\\Seen",), 2: (), 5: ()})


def row(uid: int, *flags: str) -> Row:
    return Row(uid, flags, 100, None)


def test_nothing_known_begins_an_epoch() -> None:
    found = walk.plan(None, Listing(STATUS, [row(5), row(1)], frozenset({1, 5})))
    assert (found.new_epoch, [r.uid for r in found.fetch], found.gone) == (True, [1, 5], ())


def test_new_changed_and_gone() -> None:
    status = replace(STATUS, uidnext=13, messages=3, highestmodseq=60)
    rows = [row(12), row(2, "\\Flagged"), row(1, "\\Seen"), row(11)]
    found = walk.plan(KNOWN, Listing(status, rows, None, frozenset({5, 99})))
    assert not found.new_epoch and not found.verify
    assert [r.uid for r in found.fetch] == [11, 12]
    assert [(r.uid, r.flags) for r in found.reflag] == [(2, ("\\Flagged",))]
    assert found.gone == (5,) and found.status == status


@pytest.mark.parametrize(
    ("change", "new"),
    [
        ({"uidvalidity": 8}, True),
        ({"uidvalidity": 0}, True),
        ({"uidnext": 9}, True),
        ({"uidnext": 0}, False),
        ({"uidnext": 10}, False),
        ({"highestmodseq": 1}, False),
        ({"messages": 0}, False),
    ],
)
def test_what_begins_an_epoch(change: dict[str, int], new: bool) -> None:
    found = walk.plan(KNOWN, Listing(replace(STATUS, **change), [row(1)], frozenset({1, 2, 5})))
    assert found.new_epoch is new
    assert [r.uid for r in found.fetch] == ([1] if new else [])


def test_uidvalidity_that_was_never_told_begins_one_each_time() -> None:
    known = replace(KNOWN, status=replace(STATUS, uidvalidity=0))
    assert walk.plan(known, Listing(replace(STATUS, uidvalidity=0), [], frozenset())).new_epoch


def test_a_folder_that_is_suddenly_empty_is_processed() -> None:
    found = walk.plan(KNOWN, Listing(replace(STATUS, messages=0), [], frozenset()))
    assert found.gone == (1, 2, 5) and not found.verify


def test_most_of_a_folder_vanished_is_verified_first() -> None:
    listing = Listing(STATUS, [], None, frozenset({1, 2}))
    found = walk.plan(KNOWN, listing)
    assert found.verify and found.gone == ()
    assert not walk.plan(KNOWN, Listing(STATUS, [], None, frozenset({1}))).verify
    assert walk.unsure(replace(KNOWN, sweep=5)) == Known(replace(STATUS, highestmodseq=0), KNOWN.flags, None)


@pytest.mark.parametrize(
    ("known", "status", "live", "expected"),
    [
        (None, STATUS, None, True),
        (STATUS, None, None, True),
        (STATUS, STATUS, None, False),
        (STATUS, STATUS, 3, False),
        (STATUS, STATUS, 2, True),
        (STATUS, replace(STATUS, messages=4), None, True),
        (STATUS, replace(STATUS, uidnext=11), None, True),
        (STATUS, replace(STATUS, highestmodseq=51), None, True),
        (STATUS, replace(STATUS, uidvalidity=8), None, True),
        (STATUS, replace(STATUS, uidnext=0), None, True),
        (replace(STATUS, highestmodseq=0), replace(STATUS, highestmodseq=0), 3, True),
        (FolderStatus(7, 10, 0), FolderStatus(7, 10, 0), 0, False),
    ],
)
def test_which_folders_are_opened(
    known: FolderStatus | None, status: FolderStatus | None, live: int | None, expected: bool
) -> None:
    assert walk.changed(known, status, live) is expected


FLAGS = st.sampled_from([(), ("\\Seen",), ("\\Flagged", "\\Seen")])
FOLDER = st.dictionaries(st.integers(1, 40), FLAGS)


@given(FOLDER, FOLDER, st.booleans())
def test_a_plan_carried_out_gives_what_the_server_has(
    known: dict[int, tuple[str, ...]], server: dict[int, tuple[str, ...]], listed: bool
) -> None:
    rows = [row(uid, *flags) for uid, flags in server.items() if known.get(uid) != flags]
    gone = frozenset(known.keys() - server.keys())
    listing = Listing(replace(STATUS, uidnext=99), rows, frozenset(server) if listed else None, gone)
    found = walk.plan(Known(STATUS, known), listing)
    if found.verify:
        assert len(gone) * 2 > len(known) and not listed
        return
    live = dict(known) | {r.uid: r.flags for r in (*found.fetch, *found.reflag)}
    assert {uid: flags for uid, flags in live.items() if uid not in found.gone} == server
    assert all(r.uid not in known for r in found.fetch)
