"""Lines of messages that come before the name of their pack: the same tables in the end, nothing sealed too early."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.backup.feed import BatchLines, CatalogFeed
from archiver.catalog.lines import dump
from archiver.catalog.process import CatalogProcess
from archiver.catalog.sqlite import SqliteCatalog
from archiver.errors import IntegrityError, MailarkError
from archiver.model import Entry, MessageEntry, MessageId, Verdict
from tests.catalog.entries import CONTRACT, KEY, STORY, digest, fill, ids, message, place

PACK = "packs/mail-2026/one"
TABLES = {
    "messages": "SELECT messages.id, packs.name, size, moment, date, message_id, subject, senders, recipients, "
    "attachments, verdicts FROM messages LEFT JOIN packs ON packs.number = messages.pack ORDER BY messages.id",
    "packs": "SELECT name FROM packs ORDER BY name",
    "places": "SELECT folders.name, epoch, uid, messages.id, flags, places.date, first_seen, seen, flagged, gone "
    "FROM places JOIN folders ON folders.number = folder LEFT JOIN messages ON messages.number = message "
    "ORDER BY folders.name, epoch, uid",
    "dns_keys": "SELECT number, record FROM dns_keys ORDER BY number",
    "sealed": "SELECT writer, seq FROM sealed",
}
VERDICT = Verdict("dkim", "pass", "example.com", "s1", "", "v=DKIM1; p=AB")
TEXTS = st.text(max_size=12) | st.sampled_from(["合同", "采购合同 PI-2024", "\ud800", "a\0b", 'x","pack":"'])
VERDICTS = st.builds(Verdict, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, st.sampled_from(["", "k1", "k2", "\ud800"]))
MESSAGES = st.lists(
    st.builds(
        lambda number, text, subject, verdicts: message(number, text, subject=subject, verdicts=tuple(verdicts)),
        st.integers(0, 6),
        TEXTS,
        TEXTS,
        st.lists(VERDICTS, max_size=2),
    ),
    max_size=6,
    unique_by=lambda one: one.id,
)


def tables(catalog: SqliteCatalog) -> dict[str, list[Any]]:
    """All rows, numbers of messages, packs and folders replaced by what they stand for."""
    return {name: catalog._writer.execute(sql).fetchall() for name, sql in TABLES.items()}


def bare(entries: list[MessageEntry]) -> bytes:
    """Lines as they are before the pack has a name and the signatures are verified."""
    return dump(replace(one, pack="", verdicts=()) for one in entries)


def verdicts(entries: list[MessageEntry]) -> Mapping[MessageId, tuple[Verdict, ...]]:
    return {one.id: one.verdicts for one in entries}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SqliteCatalog, SqliteCatalog]]:
    folder = tmp_path_factory.mktemp("pair")
    with SqliteCatalog.open(folder / "one", KEY) as one, SqliteCatalog.open(folder / "other", KEY) as other:
        yield one, other


@settings(max_examples=60, deadline=None)
@given(MESSAGES, MESSAGES, st.integers(0, 6), st.booleans())
def test_tables_are_those_of_complete_lines(
    pair: tuple[SqliteCatalog, SqliteCatalog],
    known: list[MessageEntry],
    new: list[MessageEntry],
    cut: int,
    places_first: bool,
) -> None:
    """Some of the messages may be known from another pack, or by their places alone."""
    places = [place(one, uid=one + 1) for one in range(7)]
    for catalog in pair:
        catalog.forget_all()
        fill(catalog, *known, *(places if places_first else ()))
    slow, ahead = pair
    fill(slow, *(replace(one, pack=PACK) for one in new), *places, seq=2)
    for part in (new[:cut], new[cut:]):
        ahead.add_ahead(bare(part)) if part else None
    ahead.add_lines(dump(places))
    ahead.seal("w", 2)
    if new:
        assert ahead.sealed() == {"w": 1}, "sealed before it was known that the pack is durable"
        ahead.name(PACK, verdicts(new))
    assert tables(ahead) == tables(slow)
    for query in ("合同", "采购", "PI-2024", "a", "pack", ""):
        assert ids(ahead.search(query)) == ids(slow.search(query))


def test_a_seal_waits_for_the_name_and_nothing_is_seen_before(catalog: SqliteCatalog) -> None:
    fill(catalog, message(1, "word"))
    catalog.add_ahead(bare([message(2, "word")]))
    catalog.add([place(2)])
    catalog.seal("w", 2)
    catalog.seal("w", 3)
    assert (catalog.sealed(), len(catalog.search("word"))) == ({"w": 1}, 1)
    catalog.name(PACK, {digest(2): (VERDICT,)})
    assert (catalog.sealed(), len(catalog.search("word"))) == ({"w": 3}, 2)
    found = catalog.get(digest(2))
    assert found is not None
    assert (found.pack, found.verdicts, len(found.places)) == (PACK, (VERDICT,), 1)
    fill(catalog, message(3, "word", pack="packs/mail-2026/two"), seq=4)
    assert catalog.packs() == {"packs/p", PACK, "packs/mail-2026/two"}


@pytest.mark.parametrize("end", ["rollback", "error", "close"])
def test_what_never_gets_a_name_leaves_nothing(path: Path, end: str) -> None:
    with SqliteCatalog.open(path, KEY) as catalog:
        fill(catalog, *STORY)
        before = tables(catalog)
        catalog.add_ahead(bare([CONTRACT, message(2)]))
        catalog.seal("w", 2)
        if end == "rollback":
            catalog.rollback()
        elif end == "error":
            with pytest.raises(IntegrityError):
                catalog.add_ahead(b'{"t":"message"}\n')
        if end != "close":
            catalog.add_ahead(bare([message(3, "later")]))
            catalog.name(PACK, {})
            assert catalog.sealed() == {"w": 1}, "a seal that waited was for lines that are gone"
            catalog.rollback()
    with SqliteCatalog.open(path, KEY) as catalog:
        assert tables(catalog) == before


def test_through_the_process(path: Path, catalog: SqliteCatalog) -> None:
    other = path.with_name("other.db")
    process = CatalogProcess(other, KEY)
    feed = CatalogFeed(process, "w")
    texts = [message(number, "采购合同 " * 9000, verdicts=(VERDICT,) if number % 3 else ()) for number in range(40)]
    for one in texts:
        feed.ahead(bare([one]))
    feed.seal(1)
    feed.add(BatchLines([dump([place(1)]), dump([place(2, uid=2)])], PACK, verdicts(texts)))
    feed.ahead(bare([CONTRACT]))
    feed.seal(2)
    feed.close(process)
    assert feed.problem == ""
    fill(catalog, *(replace(one, pack=PACK) for one in texts), place(1), place(2, uid=2))
    with SqliteCatalog.open(other, KEY) as found:
        assert tables(found) == tables(catalog)
        assert len(found.search("采购合同")) == 40


@pytest.mark.parametrize("killed", [False, True])
def test_without_the_name_the_last_seal_stands(path: Path, killed: bool) -> None:
    """The process is killed; or its input ends, as it does when the writer is killed."""
    process = CatalogProcess(path, KEY)
    process.add_ahead(bare([message(1, "word")]))
    process.name(PACK, {})
    process.seal("w", 1)
    process.add_ahead(bare([message(2, "word")]))
    process.seal("w", 2)
    if killed:
        assert process._process is not None
        os.kill(process._process.pid, signal.SIGKILL)
        with pytest.raises(MailarkError):
            process.close()
    else:
        process.close()
    with SqliteCatalog.open(path, KEY) as catalog:
        assert killed or catalog.sealed() == {"w": 1}
        assert digest(2) not in ids(catalog.search("word"))
        assert catalog.packs() == ({PACK} if catalog.sealed() else set())


class Failing:
    """An indexer that fails at a call of one kind, and writes down the others."""

    def __init__(self, at: str) -> None:
        self.at, self.calls = at, list[str]()

    def _called(self, name: str) -> None:
        if name == self.at:
            raise MailarkError("no more")
        self.calls.append(name)

    def add_lines(self, document: bytes) -> None:
        self._called("lines")

    def add_ahead(self, document: bytes) -> None:
        self._called("ahead")

    def name(self, pack: str, verdicts: object) -> None:
        self._called("name")

    def seal(self, writer: str, seq: int) -> None:
        self._called("seal")

    def rollback(self) -> None:
        self._called("rollback")


@pytest.mark.parametrize(
    ("at", "calls"),
    [
        ("ahead", []),
        ("lines", ["ahead"]),
        ("name", ["ahead", "lines"]),
        ("seal", ["ahead", "lines", "name"]),
        ("never", ["ahead", "lines", "name", "seal", "ahead", "rollback"]),
    ],
)
def test_after_a_failure_the_feed_swallows_everything(path: Path, at: str, calls: list[str]) -> None:
    indexer = Failing(at)
    feed = CatalogFeed(indexer, "w")
    feed.ahead(b"{}")
    feed.add(BatchLines([b"{}"], PACK))
    feed.seal(1)
    feed.ahead(b"{}")
    feed.close(CatalogProcess(path, KEY))
    assert indexer.calls == calls
    assert bool(feed.problem) == (at != "never")


def test_entries_that_are_no_messages_may_come_between(catalog: SqliteCatalog) -> None:
    """Notes become durable while a pack is being filled."""
    catalog.add_ahead(bare([message(1, "word", date=None)]))
    notes: list[Entry] = [*STORY[2:5], place(9, uid=9)]
    catalog.add_lines(dump(notes))
    catalog.add_ahead(bare([message(9, "word")]))
    catalog.add_lines(dump([message(8, "word", pack="packs/other")]))
    catalog.name(PACK, {})
    catalog.seal("w", 1)
    assert {hit.id: hit.pack for hit in catalog.search("word")} == {
        digest(1): PACK,
        digest(9): PACK,
        digest(8): "packs/other",
    }
