"""The encrypted databases: nothing readable at rest, wrong keys and damage seen, failures in the archiver's words."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import apsw
import pytest

from archiver.errors import IntegrityError, LockedError, MailarkError, QuotaError
from archiver.sealed_db import open_database, remove_database, translated

KEY = bytes(range(32))
SECRET = "annual contract 年度合同 PI-2024-0815"


def fill(path: Path, rows: int = 500) -> None:
    connection = open_database(path, KEY)
    connection.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)")
    with connection:
        connection.executemany("INSERT INTO t(b) VALUES (?)", [(SECRET,)] * rows)
    connection.close()


def test_rows_come_back_and_the_file_shows_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    writer = open_database(path, KEY)
    writer.execute("CREATE TABLE t(b TEXT)")
    writer.execute("INSERT INTO t VALUES (?)", (SECRET * 2000,))
    log = Path(f"{path}-wal").read_bytes()
    assert len(log) > 50_000
    assert b"contract" not in log
    writer.close()
    data = path.read_bytes()
    assert b"contract" not in data
    assert "合同".encode() not in data
    assert not data.startswith(b"SQLite format 3")
    assert open_database(path, KEY).execute("SELECT b FROM t").fetchone() == (SECRET * 2000,)


def test_files_are_private(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    connection = open_database(path, KEY)
    connection.execute("CREATE TABLE t(b)")
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    connection.close()


@pytest.mark.parametrize("key", [bytes(32), KEY[:-1] + b"\x00"])
def test_wrong_key_is_an_integrity_error(tmp_path: Path, key: bytes) -> None:
    fill(tmp_path / "x.db", 1)
    with pytest.raises(IntegrityError):
        open_database(tmp_path / "x.db", key)


def test_short_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MailarkError):
        open_database(tmp_path / "x.db", b"short")
    assert not (tmp_path / "x.db").exists()


def test_a_plain_database_is_refused(tmp_path: Path) -> None:
    plain = apsw.Connection(str(tmp_path / "x.db"))
    plain.execute("CREATE TABLE t(b)")
    plain.close()
    with pytest.raises(IntegrityError):
        open_database(tmp_path / "x.db", KEY)


def test_a_changed_bit_in_any_page_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    fill(path)
    good = path.read_bytes()
    assert len(good) >= 4 * 4096
    for page in range(len(good) // 4096):
        for offset in (100, 2000, 4095):
            bad = bytearray(good)
            bad[page * 4096 + offset] ^= 1
            path.write_bytes(bad)
            with pytest.raises(IntegrityError), translated(path):
                connection = open_database(path, KEY)
                try:
                    connection.execute("SELECT sum(length(b)) FROM t").fetchone()
                finally:
                    connection.close()


def test_a_full_database_is_a_quota_error(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    connection = open_database(path, KEY)
    connection.execute("CREATE TABLE t(b)")
    connection.pragma("max_page_count", 8)
    with pytest.raises(QuotaError, match="full"), translated(path):
        connection.executemany("INSERT INTO t VALUES (?)", [(SECRET * 10,)] * 1000)
    connection.close()


def test_a_held_lock_is_a_locked_error_within_the_time_out(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    fill(path, 1)
    holder = open_database(path, KEY)
    holder.execute("BEGIN IMMEDIATE")
    other = open_database(path, KEY, timeout=0.05)
    start = time.monotonic()
    with pytest.raises(LockedError), translated(path):
        other.execute("BEGIN IMMEDIATE")
    assert time.monotonic() - start < 5
    other.close()
    holder.close()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MailarkError, match="nowhere"):
        open_database(tmp_path / "nowhere" / "x.db", KEY)


def test_remove_takes_the_log_too(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    fill(path, 1)
    Path(f"{path}-wal").write_bytes(b"left by a crash")
    remove_database(path)
    remove_database(path)
    assert list(tmp_path.iterdir()) == []


def test_opening_costs_no_key_derivation(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    fill(path, 1)
    start = time.process_time()
    for _ in range(50):
        open_database(path, KEY).close()
    each = (time.process_time() - start) / 50 * 1000
    print(f"open and close: {each:.2f} ms")
    assert each < 20
