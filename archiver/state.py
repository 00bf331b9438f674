"""What the writer must remember between runs, in one encrypted database: cursors, live places, worklist, dedup names.

The rule of all of it: a fact is recorded in the same transaction as the durable bytes it speaks of, and a folder's
cursor moves only when `copies` stores hold the commit that carries the folder's work (see `archiver/journal.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw

from archiver.model import Folder, FolderStatus, MessageId, Row
from archiver.sealed_db import open_database, translated
from archiver.sources.interface import Known
from archiver.state_tables import prepare

Value = None | int | float | str | bytes


@dataclass(frozen=True, slots=True)
class FolderState:
    """The current epoch of a folder. `cursor` is the last committed status, None before the first commit."""

    id: int
    account: str
    name: str
    raw: bytes
    epoch: int
    uidvalidity: int
    cursor: FolderStatus | None
    skipped: int
    """Runs in a row in which the server's status alone said that nothing changed."""
    announced: bool
    """Whether a durable catalog line says that this epoch began."""
    sweep: int = 0
    """Where the flag sweep of a large folder goes on (see `Known.sweep`)."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message that could not be saved yet, by name, with the reason; every run tries it again."""

    account: str
    folder: str
    epoch: int
    uid: int
    attempts: int
    reason: str


@dataclass(frozen=True, slots=True)
class PackRecord:
    """A sealed pack in the spool: its object name, SHA-256 of the ciphertext, bytes, and where the file lies."""

    name: str
    sha256: str
    size: int
    path: Path


@dataclass(slots=True)
class Batch:
    """What becomes durable together: at most one sealed pack, and everything that rests on it."""

    era: str
    lines: list[bytes] = field(default_factory=list)
    """Catalog lines in complete zstd frames."""
    pack: PackRecord | None = None
    messages: list[MessageId] = field(default_factory=list)
    segments: list[str] = field(default_factory=list)
    places: list[tuple[int, int, MessageId, tuple[str, ...], bytes | None]] = field(default_factory=list)
    """(folder id, UID, message, flags, key by which another epoch finds it again)"""
    reflagged: list[tuple[int, int, tuple[str, ...]]] = field(default_factory=list)
    gone: list[tuple[int, int]] = field(default_factory=list)
    cursors: list[tuple[int, FolderStatus]] = field(default_factory=list)
    opened: list[int] = field(default_factory=list)
    """Folder ids whose epoch `lines` announces."""
    closed: list[int] = field(default_factory=list)
    """Folder ids whose epoch is over; `gone` has all their places."""
    swept: list[tuple[int, int]] = field(default_factory=list)
    """(folder id, where its next flag sweep goes on)"""

    def __bool__(self) -> bool:
        return bool(self.lines or self.pack or self.cursors or self.opened or self.closed or self.swept)


class State:
    """One connection, one lock: calls are short, and any thread may make them."""

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self.path = path
        self._db = connection
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path: Path, key: bytes) -> State:
        """Open or make the database, bringing an older one up to date; `key` is 32 bytes.

        IntegrityError if the key does not fit, ConfigError if a newer version of the program made it.
        """
        state = cls(path, open_database(path, key))
        with state.transaction() as db:
            prepare(db)
        return state

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[apsw.Connection]:
        """One atomic, durable change; rolled back when the block raises."""
        with self._lock, translated(self.path), self._db:
            yield self._db

    def rows(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._lock, translated(self.path):
            return list(self._db.execute(sql, values))

    def stored(self, path: Path) -> str:
        """How a spool file is recorded: relative to the state's folder, which may be moved or have several names."""
        folder = self.path.parent
        return str(path.relative_to(folder) if path.is_relative_to(folder) else path)

    def located(self, stored: str) -> Path:
        """Where a file that was recorded lies now."""
        return self.path.parent / stored

    # -- folders and places

    def folders(self, account: str) -> tuple[dict[str, FolderState], list[FolderState]]:
        """The current epoch of every folder of the account, by name; and older ones a crash kept from being closed."""
        rows = self.rows(
            "SELECT id, account, name, raw, epoch, uidvalidity, uidnext, messages, modseq, skipped, announced, sweep "
            "FROM folder WHERE account = ? AND live = 1 ORDER BY name, epoch",
            (account,),
        )
        current: dict[str, FolderState] = {}
        stale = []
        for state in map(_folder_state, rows):
            if state.name in current:
                stale.append(current[state.name])
            current[state.name] = state
        return current, stale

    def open_epoch(self, account: str, folder: Folder, uidvalidity: int) -> FolderState:
        """Begin a new epoch of the folder; whoever calls closes the one before in the same run's batch."""
        with self.transaction() as db:
            latest = db.execute("SELECT max(epoch) FROM folder WHERE account = ? AND name = ?", (account, folder.name))
            epoch = (latest.get or 0) + 1
            db.execute(
                "INSERT INTO folder(account, name, raw, epoch, uidvalidity) VALUES(?, ?, ?, ?, ?)",
                (account, folder.name, folder.raw, epoch, uidvalidity),
            )
            number = db.last_insert_rowid()
        return FolderState(number, account, folder.name, folder.raw, epoch, uidvalidity, None, 0, announced=False)

    def note_skipped(self, folder_ids: Iterable[int]) -> None:
        """Count one more run in which these folders were not opened."""
        with self.transaction() as db:
            db.executemany("UPDATE folder SET skipped = skipped + 1 WHERE id = ?", [(i,) for i in folder_ids])

    def known(self, folder: FolderState) -> Known:
        """The committed cursor and the live places; without a cursor, one that makes the source list everything."""
        rows = self.rows("SELECT uid, flags FROM place WHERE folder = ?", (folder.id,))
        interned: dict[str, tuple[str, ...]] = {}
        flags = {uid: interned.setdefault(text, tuple(text.split())) for uid, text in rows}
        return Known(folder.cursor or FolderStatus(folder.uidvalidity, 0, 0), flags, folder.sweep)

    def keys(self, folder_id: int) -> list[tuple[bytes, MessageId]]:
        """(key, message) of the places of a folder that have a key (see `archiver.backup.linking`)."""
        rows = self.rows("SELECT key, message FROM place WHERE folder = ? AND key IS NOT NULL", (folder_id,))
        return [(bytes(key), bytes(message).hex()) for key, message in rows]

    def count_places(self, folder_id: int) -> int:
        return int(self.rows("SELECT count(*) FROM place WHERE folder = ?", (folder_id,))[0][0])

    # -- worklist and quarantine

    def plan(self, folder_id: int, rows: Iterable[Row]) -> None:
        """Put messages on the worklist; one that is there already keeps its attempts and reason."""
        values = [(folder_id, r.uid, " ".join(r.flags), r.size, r.date.isoformat() if r.date else None) for r in rows]
        with self.transaction() as db:
            db.executemany("INSERT OR IGNORE INTO work(folder, uid, flags, size, date) VALUES(?, ?, ?, ?, ?)", values)

    def work(self, folder_id: int) -> list[Row]:
        """The messages of a folder still to be fetched, quarantined ones included, by UID."""
        rows = self.rows("SELECT uid, flags, size, date FROM work WHERE folder = ? ORDER BY uid", (folder_id,))
        return [
            Row(uid, tuple(flags.split()), size, datetime.fromisoformat(date) if date else None)
            for uid, flags, size, date in rows
        ]

    def drop_work(self, folder_id: int, uids: Iterable[int]) -> None:
        """Forget work on messages that the server no longer has."""
        with self.transaction() as db:
            db.executemany("DELETE FROM work WHERE folder = ? AND uid = ?", [(folder_id, uid) for uid in uids])

    def quarantine(self, folder_id: int, uid: int, reason: str) -> None:
        """Note why a message on the worklist could not be saved in this run."""
        with self.transaction() as db:
            db.execute(
                "UPDATE work SET attempts = attempts + 1, reason = ? WHERE folder = ? AND uid = ?",
                (reason, folder_id, uid),
            )

    def quarantined(self, account: str | None = None) -> list[Quarantined]:
        """Every message that failed by name and has not been saved since."""
        rows = self.rows(
            "SELECT account, name, epoch, uid, attempts, reason FROM work JOIN folder ON folder.id = work.folder "
            "WHERE reason IS NOT NULL AND (?1 IS NULL OR account = ?1) ORDER BY account, name, uid",
            (account,),
        )
        return [Quarantined(*row) for row in rows]

    # -- deduplication

    def has_message(self, era: str, message: MessageId) -> bool:
        """Whether a sealed pack of this era holds the message."""
        return bool(self.rows("SELECT 1 FROM message WHERE era = ? AND id = ?", (era, bytes.fromhex(message))))

    def pack_of_segment(self, era: str, name: str) -> str | None:
        """Object name of the pack of this era that holds the segment, or None."""
        rows = self.rows(
            "SELECT pack.name FROM segment JOIN pack ON pack.id = segment.pack WHERE era = ? AND segment.name = ?",
            (era, name),
        )
        return str(rows[0][0]) if rows else None

    def record(self, batch: Batch) -> None:
        """Make a batch durable in one transaction: from here on its bytes are this writer's to push."""
        with self.transaction() as db:
            if batch.pack is not None:
                _record_pack(db, batch, batch.pack, self.stored(batch.pack.path))
            _record_places(db, batch)
            db.executemany("INSERT INTO lines(era, data) VALUES(?, ?)", [(batch.era, frame) for frame in batch.lines])
            db.executemany(
                "INSERT INTO cursor(folder, uidvalidity, uidnext, messages, modseq) VALUES(?, ?, ?, ?, ?)",
                [(f, s.uidvalidity, s.uidnext, s.messages, s.highestmodseq) for f, s in batch.cursors],
            )

    def adopt(
        self, account: str, name: str, epoch: int, uidvalidity: int, places: Iterable[tuple[int, MessageId, str]]
    ) -> None:
        """Take over a folder's epoch that another writer recorded: (UID, message, flags) of its live places.

        Its cursor is not known, so the next run lists the folder; what is adopted is not fetched again.
        """
        with self.transaction() as db:
            db.execute(
                "INSERT INTO folder(account, name, raw, epoch, uidvalidity, announced) VALUES(?, ?, ?, ?, ?, 1)",
                (account, name, b"", epoch, uidvalidity),
            )
            number = db.last_insert_rowid()
            db.executemany(
                "INSERT INTO place(folder, uid, message, flags) VALUES(?, ?, ?, ?)",
                ((number, uid, bytes.fromhex(message), flags) for uid, message, flags in places),
            )

    # -- runs

    def begin_run(self, started: datetime) -> int:
        with self.transaction() as db:
            db.execute("INSERT INTO run(started) VALUES(?)", (started.isoformat(),))
            return db.last_insert_rowid()

    def end_run(self, run: int, ended: datetime, exit_code: int, report: str) -> None:
        """Keep a run's report (JSON); the last 400 are kept."""
        with self.transaction() as db:
            db.execute(
                "UPDATE run SET ended = ?, exit_code = ?, report = ? WHERE id = ?",
                (ended.isoformat(), exit_code, report, run),
            )
            db.execute("DELETE FROM run WHERE id <= ?", (run - 400,))

    def runs(self, limit: int = 30) -> list[tuple[int, str, str | None, int | None, str | None]]:
        """(id, started, ended, exit code, report) of the latest runs, newest first; a killed run has no end."""
        return self.rows("SELECT id, started, ended, exit_code, report FROM run ORDER BY id DESC LIMIT ?", (limit,))


def _folder_state(row: Sequence[Any]) -> FolderState:
    folder_id, account, name, raw, epoch, uidvalidity, uidnext, messages, modseq, skipped, announced, sweep = row
    cursor = None if uidnext is None else FolderStatus(uidvalidity, uidnext, messages, modseq)
    return FolderState(folder_id, account, name, raw, epoch, uidvalidity, cursor, skipped, bool(announced), sweep)


def _record_pack(db: apsw.Connection, batch: Batch, pack: PackRecord, path: str) -> None:
    db.execute(
        "INSERT INTO pack(name, sha256, size, path) VALUES(?, ?, ?, ?)", (pack.name, pack.sha256, pack.size, path)
    )
    number = db.last_insert_rowid()
    db.executemany(
        "INSERT INTO message(era, id, pack) VALUES(?, ?, ?)",
        [(batch.era, bytes.fromhex(m), number) for m in batch.messages],
    )
    db.executemany(
        "INSERT INTO segment(era, name, pack) VALUES(?, ?, ?)", [(batch.era, s, number) for s in batch.segments]
    )


def _record_places(db: apsw.Connection, batch: Batch) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO place(folder, uid, message, flags, key) VALUES(?, ?, ?, ?, ?)",
        [(f, u, bytes.fromhex(m), " ".join(flags), key) for f, u, m, flags, key in batch.places],
    )
    db.executemany("DELETE FROM work WHERE folder = ? AND uid = ?", [(f, u) for f, u, *_ in batch.places])
    db.executemany(
        "UPDATE place SET flags = ? WHERE folder = ? AND uid = ?",
        [(" ".join(flags), f, u) for f, u, flags in batch.reflagged],
    )
    db.executemany("DELETE FROM place WHERE folder = ? AND uid = ?", batch.gone)
    db.executemany("UPDATE folder SET sweep = ? WHERE id = ?", [(uid, f) for f, uid in batch.swept])
    db.executemany("UPDATE folder SET announced = 1 WHERE id = ?", [(f,) for f in batch.opened])
    db.executemany("UPDATE folder SET live = 0 WHERE id = ?", [(f,) for f in batch.closed])
    db.executemany("DELETE FROM work WHERE folder = ?", [(f,) for f in batch.closed])
