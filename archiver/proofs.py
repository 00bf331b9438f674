"""When each object of each store was last read whole and found right, as the state remembers it.

Stores are given by URL and remembered by their identity, so that an option of the URL may change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from archiver.state import State
from archiver.store_names import rename_stores
from archiver.stores.table import identity
from archiver.vault.manifest import ObjectRef
from archiver.vault.plan import Level, Proof

SCHEMA = """
CREATE TABLE IF NOT EXISTS proof(
  store TEXT NOT NULL, name TEXT NOT NULL, sha256 TEXT NOT NULL, time TEXT NOT NULL, PRIMARY KEY(store, name)
  ) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checked(
  store TEXT PRIMARY KEY, time TEXT NOT NULL, level TEXT NOT NULL, faults INTEGER NOT NULL, share REAL NOT NULL,
  oldest TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS locked(
  store TEXT PRIMARY KEY, time TEXT NOT NULL, protection TEXT NOT NULL, looked INTEGER NOT NULL,
  lacking INTEGER NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Checked:
    """The last check of a store. share: of its bytes that were ever read whole, from 0 to 1 · oldest: when the oldest
    of those proofs was made, None when some object was never read · read: when an object was last read and right."""

    time: str
    level: str
    faults: int
    share: float
    oldest: str | None
    read: str | None


@dataclass(frozen=True, slots=True)
class Locked:
    """What the last check saw of a store's protection against deletion. protection: in words · looked, lacking: objects
    whose lock was looked at, and those that lacked something."""

    time: str
    protection: str
    looked: int
    lacking: int


class StateProofs:
    """Implements `archiver.vault.plan.Proofs` over the state database."""

    def __init__(self, state: State, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._state, self._now = state, now
        with state.transaction() as db:
            db.execute(SCHEMA)
            for table in ("proof", "checked", "locked"):
                rename_stores(db, table)

    def known(self, store: str) -> Mapping[str, Proof]:
        """The latest proof of each object of the store, by name."""
        rows = self._state.rows("SELECT name, sha256, time FROM proof WHERE store = ?", (identity(store),))
        return {name: Proof(sha256, time) for name, sha256, time in rows}

    def keep(self, store: str, refs: Sequence[ObjectRef]) -> None:
        """These objects were read whole just now, and are what they must be."""
        time = self._time()
        with self._state.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO proof(store, name, sha256, time) VALUES(?, ?, ?, ?)",
                [(identity(store), ref.name, ref.sha256, time) for ref in refs],
            )

    def drop(self, store: str, name: str) -> None:
        """The object is not what it must be: it comes first in the next check."""
        with self._state.transaction() as db:
            db.execute("DELETE FROM proof WHERE store = ? AND name = ?", (identity(store), name))

    def note(self, store: str, level: Level, faults: int, share: float, oldest: str | None) -> None:
        """A check of the store has ended with this."""
        with self._state.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO checked(store, time, level, faults, share, oldest) VALUES(?, ?, ?, ?, ?, ?)",
                (identity(store), self._time(), level.value, faults, share, oldest),
            )

    def note_locks(self, store: str, protection: str, looked: int, lacking: int) -> None:
        """A check has seen this. Where it looked at no object, what an earlier one saw of them stays."""
        time = self._time()
        with self._state.transaction() as db:
            if looked:
                row = (identity(store), time, protection, looked, lacking)
                db.execute("INSERT OR REPLACE INTO locked VALUES(?, ?, ?, ?, ?)", row)
            else:
                db.execute(
                    "INSERT INTO locked VALUES(?1, ?2, ?3, 0, 0) "
                    "ON CONFLICT(store) DO UPDATE SET protection = ?3, time = ?2",
                    (identity(store), time, protection),
                )

    def locked(self, store: str) -> Locked | None:
        """What was seen of the store's protection, None where it can do nothing or was never checked."""
        rows = self._state.rows(
            "SELECT time, protection, looked, lacking FROM locked WHERE store = ?", (identity(store),)
        )
        return Locked(*rows[0]) if rows else None

    def last(self, store: str) -> Checked | None:
        """The last check of the store, None before the first."""
        rows = self._state.rows(
            "SELECT time, level, faults, share, oldest, (SELECT max(time) FROM proof WHERE store = ?1) "
            "FROM checked WHERE store = ?1",
            (identity(store),),
        )
        return Checked(*rows[0]) if rows else None

    def _time(self) -> str:
        return self._now().astimezone(UTC).isoformat(timespec="seconds")
