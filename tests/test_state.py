"""The state database over the versions of its tables."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from archiver.errors import ConfigError
from archiver.journal import CommitJournal
from archiver.sealed_db import open_database
from archiver.state import State
from archiver.state_tables import TABLES, UPGRADES

KEY = bytes(32)


def first_version(path: Path) -> None:
    """The tables before they had a number."""
    old = TABLES.replace(",\n  sweep INTEGER NOT NULL DEFAULT 0", "").replace(", key BLOB", "")
    assert old != TABLES
    db = open_database(path, KEY)
    db.execute(old)
    db.execute("INSERT INTO folder(account, name, raw, epoch, uidvalidity) VALUES('a', 'INBOX', x'', 1, 7)")
    db.execute("INSERT INTO place(folder, uid, message, flags) VALUES(1, 3, ?, 'x')", (bytes(32),))
    db.close()


def test_an_older_database_is_brought_up_to_date(tmp_path: Path) -> None:
    first_version(tmp_path / "state.db")
    for _ in range(2):
        state = State.open(tmp_path / "state.db", KEY)
        current, _ = state.folders("a")
        assert state.known(current["INBOX"]).flags == {3: ("x",)} and current["INBOX"].sweep == 0
        new = {row[1] for row in state.rows("PRAGMA table_info(place)")}
        assert "key" in new
        state.close()


def test_a_database_of_the_future_is_refused(tmp_path: Path) -> None:
    State.open(tmp_path / "state.db", KEY).close()
    db = open_database(tmp_path / "state.db", KEY)
    db.pragma("user_version", len(UPGRADES) + 1)
    db.close()
    with pytest.raises(ConfigError):
        State.open(tmp_path / "state.db", KEY)


def test_who_only_reads_does_not_write(tmp_path: Path) -> None:
    """A search must work beside a run, and on a full disk."""
    state = State.open(tmp_path / "state.db", KEY)
    CommitJournal(state)
    state.close()
    writing = open_database(tmp_path / "state.db", KEY)
    writing.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    CommitJournal(State.open(tmp_path / "state.db", KEY)).head()
    assert time.monotonic() - started < 5
    writing.close()
