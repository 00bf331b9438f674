"""Catalog lines: they come back as they were, damage is named by its line, unknown things are passed over."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.catalog.lines import dump, load, moment, stamp
from archiver.errors import IntegrityError
from archiver.model import (
    Address,
    AttachmentInfo,
    CertificateEntry,
    Entry,
    FlagsEntry,
    FolderEntry,
    GoneEntry,
    MessageEntry,
    PlaceEntry,
)
from tests.catalog.entries import CONTRACT, START, digest, message, place

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBER = st.integers(0, 2**63 - 1)
ZONES = st.one_of(
    st.none(), st.just(UTC), st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
)
TIMES = st.datetimes(timezones=ZONES)
ID = st.integers(0, 2**256 - 1).map("{:064x}".format)
ADDRESSES = st.lists(st.builds(Address, TEXT, TEXT), max_size=3).map(tuple)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
ATTACHMENTS = st.lists(st.builds(AttachmentInfo, TEXT, TEXT, NUMBER), max_size=3).map(tuple)
DATES = st.none() | TIMES
ENTRIES = st.one_of(
    st.builds(
        MessageEntry,
        ID,
        NUMBER,
        TEXT,
        TEXT,
        ADDRESSES,
        ADDRESSES,
        ADDRESSES,
        DATES,
        TEXT,
        TEXTS,
        TEXT,
        ATTACHMENTS,
        TEXTS,
    ),
    st.builds(FolderEntry, TEXT, TEXT, NUMBER, NUMBER, TIMES),
    st.builds(PlaceEntry, ID, TEXT, TEXT, NUMBER, NUMBER, TEXTS, DATES, TIMES),
    st.builds(FlagsEntry, TEXT, TEXT, NUMBER, NUMBER, TEXTS, TIMES),
    st.builds(GoneEntry, TEXT, TEXT, NUMBER, NUMBER, TIMES),
    st.builds(CertificateEntry, TEXT, TEXT, NUMBER, NUMBER, NUMBER, TEXTS, TIMES),
)


@given(st.lists(ENTRIES, max_size=5))
def test_what_is_dumped_is_loaded(entries: list[Entry]) -> None:
    data = dump(entries)
    assert list(load(data)) == entries
    assert list(load(data.splitlines(keepends=True))) == entries
    assert data.count(b"\n") == len(entries)


@given(TIMES)
def test_times_keep_their_offset_or_that_it_is_unknown(when: datetime) -> None:
    back = moment(stamp(when))
    assert back == when
    assert back is not None
    assert back.utcoffset() == when.utcoffset()


def test_an_offset_with_seconds_becomes_utc() -> None:
    when = datetime(1900, 1, 1, 8, 5, 43, tzinfo=timezone(timedelta(hours=8, minutes=5, seconds=43)))
    assert stamp(when) == "1900-01-01T00:00:00+00:00"


def test_the_form_is_as_documented() -> None:
    line = json.loads(dump([CONTRACT]))
    assert line == {
        "t": "message",
        "id": digest("contract"),
        "size": 1000,
        "pack": "packs/p",
        "subject": "采购合同 PI-2024-0815",
        "from": [["李伟", "li.wei@example.com"]],
        "to": [["Hans Müller", "mueller@kunde.example"], ["", "sales@kunde.example"]],
        "cc": [["张敏", "zhang@example.com"]],
        "date": "2024-08-15T12:00:00+00:00",
        "mid": "<a.b@example.com>",
        "refs": ["<x@y>"],
        "text": "请查收采购合同，thanks. PI-2024-0815",
        "attachments": [["合同-final.pdf", "application/pdf", 12345]],
        "defects": ["bad date"],
        "verdicts": [
            ["dkim", "pass", "example.com", "s1", "covers only the first 10 bytes", "v=DKIM1; p=AB"],
            ["dkim", "not checked", "kunde.example", "s1", 'DNS said ["arc","pass",', ""],
        ],
    }
    assert "采购合同".encode() in dump([CONTRACT])
    assert json.loads(dump([place(flags=("\\Seen",))])) == {
        "t": "place",
        "message": digest(1),
        "account": "li@example.com",
        "folder": "INBOX",
        "epoch": 1,
        "uid": 1,
        "flags": ["\\Seen"],
        "date": "2024-08-15T12:00:00+00:00",
        "seen": "2024-08-15T12:00:00+00:00",
    }


def test_lone_surrogates_do_not_reach_the_archive() -> None:
    (entry,) = load(dump([message(subject="a\ud800b")]))
    assert isinstance(entry, MessageEntry)
    assert entry.subject == "a?b"


def test_what_a_later_version_adds_is_passed_over() -> None:
    line = json.loads(dump([CONTRACT]))
    data = json.dumps({**line, "mood": ["good"]}).encode() + b'\n{"t":"later","x":1}\n\n' + dump([place()])
    assert list(load(data)) == [CONTRACT, place()]


GOOD = json.loads(dump([message(size=5)]))
BAD = [
    b"{",
    b"[]",
    b"null",
    b"\xff",
    b'{"id":1}',
    b'{"t":["message"]}',
    b'{"t":"gone"}',
    b"[" * 100_000,
    b"9" * 10_000,
    *(
        json.dumps({**GOOD, **change}).encode()
        for change in (
            {"size": -1}, {"size": True}, {"size": 1.5}, {"size": 2**63}, {"size": "5"}, {"size": None},
            {"id": "ab"}, {"id": digest(1).upper()}, {"id": None}, {"subject": 5}, {"subject": None},
            {"from": ["ab"]}, {"from": [["a"]]}, {"from": "ab"}, {"attachments": [["a", "b", "c"]]},
            {"verdicts": [["dkim", "pass", "d", "s", ""]]}, {"verdicts": [["dkim", "pass", "d", "s", "", 1]]},
            {"refs": [1]}, {"date": "yesterday"}, {"date": "2024-02-30T00:00:00Z"}, {"date": "2024-08-15"}, {"date": 5},
        )
    ),
    json.dumps({**GOOD, "subject": "\ud800"}).encode(),
    b'{"t":"gone","account":"a","folder":"f","epoch":1,"uid":1,"seen":null}',
]  # fmt: skip


@pytest.mark.parametrize("line", BAD, ids=range(len(BAD)))
def test_a_bad_line_is_named(line: bytes) -> None:
    with pytest.raises(IntegrityError, match="line 2"):
        list(load(dump([place()]) + line + b"\n"))


@given(st.binary(max_size=60), st.integers(0, 400))
def test_damage_is_an_integrity_error_or_harmless(junk: bytes, at: int) -> None:
    data = dump([CONTRACT, place()])
    try:
        list(load(data[:at] + junk + data[at + len(junk) :]))
    except IntegrityError as error:
        assert "合同" not in str(error)


def test_speed() -> None:
    entries: list[Entry] = []
    for number in range(2000):
        entries += [message(number, "contract 合同 terms " * 300), place(number, uid=number, seen=START)]
    start = time.process_time()
    data = dump(entries)
    middle = time.process_time()
    assert sum(1 for _ in load(data)) == 4000
    end = time.process_time()
    print(
        f"lines: dump {len(data) / (middle - start) / 1e6:.0f} MB/s, load {len(data) / (end - middle) / 1e6:.0f} MB/s"
    )
    assert end - start < 20
