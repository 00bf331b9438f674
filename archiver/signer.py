"""The signing key of an archive whose company brings none: made once, kept encrypted in the work folder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from archiver.sealed_db import open_database, translated

_SCHEMA = "CREATE TABLE IF NOT EXISTS signer(number INTEGER PRIMARY KEY CHECK(number = 1), pem BLOB NOT NULL)"


def kept_signer(path: Path, key: bytes, make: Callable[[], bytes], usable: Callable[[bytes], bool]) -> bytes:
    """The key and certificates in PEM that lie in the database at `path`; `make` is asked for them when there are none,
    or none that are `usable` any more. `key`: 32 bytes.

    Raises IntegrityError for a damaged database, QuotaError, LockedError, MailarkError.
    """
    with closing(open_database(path, key)) as database:
        pem = b""
        with translated(path), database:
            database.execute(_SCHEMA)
            row = database.execute("SELECT pem FROM signer").fetchone()
            pem = bytes(row[0]) if row is not None else b""
            if not (pem and usable(pem)):
                pem = make()
                database.execute("INSERT OR REPLACE INTO signer VALUES(1, ?)", (pem,))
        return pem
