"""What the writer must remember between runs, in one encrypted database: cursors, live places, worklist, dedup names.

The rule of all of it: a fact is recorded in the same transaction as the durable bytes it speaks of, and a folder's
cursor moves only when `copies` stores hold the commit that carries the folder's work (see `archiver/journal.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from archiver.model import Folder, FolderStatus, MessageId
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


def _folder_state(row: Sequence[Any]) -> FolderState:
    folder_id, account, name, raw, epoch, uidvalidity, uidnext, messages, modseq, skipped, announced, sweep = row
    cursor = None if uidnext is None else FolderStatus(uidvalidity, uidnext, messages, modseq)
    return FolderState(folder_id, account, name, raw, epoch, uidvalidity, cursor, skipped, bool(announced), sweep)
