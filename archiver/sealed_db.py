"""Opens the encrypted SQLite databases (state and catalog) and translates SQLite's failures.

The cipher is AEGIS-256 of SQLite3 Multiple Ciphers: every page, those of the write-ahead log included, is encrypted and
authenticated. The key is used as it is ("raw:"), so opening costs no key derivation; it must be a real key, never made
from a passphrase alone. Temporary tables and statement journals stay in memory (SQLITE_TEMP_STORE=2 of the build).
https://utelle.github.io/SQLite3MultipleCiphers/docs/ciphers/cipher_aegis/
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from archiver.errors import IntegrityError, LockedError, MailarkError, QuotaError

KEY_SIZE = 32
"""Bytes of a database key."""

MIB = 1024 * 1024


def open_database(
    path: Path, key: bytes, *, cache: int = 8 * MIB, durable: bool = True, page_size: int = 4096, timeout: float = 30.0
) -> apsw.Connection:
    """Open the database at `path`, creating it (mode 0600) when it is missing.

    cache: bytes of pages kept in memory. durable: a commit survives a power cut (synchronous=FULL); else it survives a
    crash of the process only, and a power cut may roll back the last commits, never corrupt the file. page_size counts
    for a new file only. timeout: seconds to wait for another connection's lock.

    Raises IntegrityError for a wrong key or a damaged file, QuotaError for a full disk, LockedError, MailarkError.
    """
    if len(key) != KEY_SIZE:
        raise MailarkError(f"a database key has {KEY_SIZE} bytes, not {len(key)}")
    with translated(path):
        _create_private(path)
        connection = apsw.Connection(os.fspath(path))
        try:
            connection.set_busy_timeout(round(timeout * 1000))  # first: a process that ends may hold it even now
            _unlock(connection, key, page_size)
            _tune(connection, cache=cache, durable=durable)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's and the file system's errors into the archiver's; `path` is named in the text, content never is."""
    try:
        yield
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise IntegrityError(f"{path}: the key does not open this database, or it is damaged") from error
    except apsw.FullError as error:
        raise QuotaError(f"{path}: the disk is full", hint="free some space and run again") from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise LockedError(f"{path}: another process holds the database") from error
    except apsw.Error as error:
        code = getattr(error, "extendedresult", 0)
        raise MailarkError(f"{path}: SQLite failed ({type(error).__name__}, code {code})") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise QuotaError(f"{path}: the disk is full", hint="free some space and run again") from error
        raise MailarkError(f"{path}: {error.strerror}") from error


def remove_database(path: Path) -> None:
    """Delete the database with its log; nothing happens if it is absent. No connection may be open."""
    with translated(path):
        for suffix in ("-wal", "-shm", "-journal", ""):
            Path(f"{path}{suffix}").unlink(missing_ok=True)


def _create_private(path: Path) -> None:
    """SQLite gives its log the mode of the database, so an empty file with the right mode settles both."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))


def _unlock(connection: apsw.Connection, key: bytes, page_size: int) -> None:
    connection.pragma("cipher", "aegis")
    connection.pragma("key", f"raw:{key.hex()}")
    connection.pragma("page_size", page_size)
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # the first read is what proves the key


def _tune(connection: apsw.Connection, *, cache: int, durable: bool) -> None:
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "FULL" if durable else "NORMAL")
    connection.pragma("cache_size", -(cache // 1024))
    connection.pragma("journal_size_limit", 64 * MIB)
    connection.pragma("foreign_keys", True)
    connection.pragma("secure_delete", False)  # deleted cells lie in encrypted pages; zeroing them doubles the writing
    connection.pragma("trusted_schema", False)
