"""The cache of renditions in the work folder: encrypted like every database there, bounded, and deleted at will.

It is `exporters.rendition.cache.Cache`, and knows no more of a rendition than its bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import apsw

from archiver.errors import IntegrityError, MailarkError
from archiver.sealed_db import MIB, open_database, remove_database, translated

LIMIT = 1024 * MIB
"""Bytes of renditions kept; the one not used for longest goes first."""
LARGEST = 32
"""An entry has at most this part of the limit: one huge message does not drive out thousands of others."""

_PAGE = 32 * 1024
_PATIENCE = 2.0  # seconds to wait for another process; making a page anew is not much slower
_SCHEMA = """
CREATE TABLE IF NOT EXISTS rendition(
  key TEXT PRIMARY KEY, used INTEGER NOT NULL, size INTEGER NOT NULL, value BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS by_use ON rendition(used, size);
"""
_NEXT = "(SELECT coalesce(max(used), 0) + 1 FROM rendition)"

_T = TypeVar("_T")


class RenditionCache:
    """No method raises: what cannot be kept is made again. Damage empties the cache. For one thread."""

    def __init__(self, path: Path, key: bytes, limit: int = LIMIT) -> None:
        """Open the database at `path` (created when missing) with the 32 bytes of `key`; limit: bytes."""
        self._path, self._key, self._limit = path, key, limit
        self._db: apsw.Connection | None = None
        self._try(self._open)

    def get(self, key: str) -> bytes | None:
        """As `Cache.get`."""

        def read(db: apsw.Connection) -> bytes | None:
            row = db.execute("SELECT value FROM rendition WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            db.execute(f"UPDATE rendition SET used = {_NEXT} WHERE key = ?", (key,))  # noqa: S608
            return bytes(row[0])

        return self._with_database(read)

    def put(self, key: str, value: bytes) -> None:
        """As `Cache.put`; a rendition beyond its part of the limit is not kept."""
        if len(value) > self._limit // LARGEST:
            return

        def write(db: apsw.Connection) -> None:
            with db:
                db.execute(
                    f"INSERT OR REPLACE INTO rendition VALUES(?, {_NEXT}, ?, ?)",
                    (key, len(value), value),
                )
                excess = int(db.execute("SELECT sum(size) FROM rendition").get) - self._limit
                if excess > 0:
                    _evict(db, excess + self._limit // LARGEST)

        self._with_database(write)

    def close(self) -> None:
        """Close the database."""
        if self._db is not None:
            with suppress(MailarkError), translated(self._path):
                self._db.close()
        self._db = None

    def _with_database(self, action: Callable[[apsw.Connection], _T]) -> _T | None:
        def run() -> _T | None:
            if self._db is None:
                return None
            with translated(self._path):
                return action(self._db)

        return self._try(run)

    def _try(self, action: Callable[[], _T]) -> _T | None:
        """The result; None when it failed. A damaged database is thrown away, and a new one begun."""
        try:
            return action()
        except IntegrityError:
            self.close()
            with suppress(MailarkError):
                remove_database(self._path)
                self._open()
        except MailarkError:
            pass  # a full disk, a folder that cannot be written, another process at work: there is no cache for once
        return None

    def _open(self) -> None:
        self._db = open_database(self._path, self._key, durable=False, page_size=_PAGE, timeout=_PATIENCE)
        with translated(self._path):
            self._db.execute(_SCHEMA)


def _evict(db: apsw.Connection, excess: int) -> None:
    """Delete the entries not used for longest, until `excess` bytes are free."""
    last = 0
    for used, size in db.execute("SELECT used, size FROM rendition ORDER BY used"):
        excess -= size
        last = used
        if excess <= 0:
            break
    db.execute("DELETE FROM rendition WHERE used <= ?", (last,))
