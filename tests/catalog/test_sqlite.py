"""The catalog's file: nothing readable at rest, nothing seen before the seal, what crashes and damage leave."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from archiver.catalog.lines import dump, load
from archiver.catalog.sqlite import SqliteCatalog
from archiver.errors import IntegrityError, MailarkError, QuotaError
from archiver.sealed_db import open_database
from tests.catalog.entries import CONTRACT, KEY, digest, fill, ids, message, place


def test_nothing_can_be_read_from_the_file(path: Path) -> None:
    with SqliteCatalog.open(path, KEY) as catalog:
        fill(catalog, CONTRACT, place("contract"), *(message(n, "confidential 机密合同 " * 50) for n in range(200)))
        catalog.add([message("unsealed", "confidential")])
        files = list(path.parent.glob("catalog.db*"))
        assert len(files) >= 2
        data = b"".join(file.read_bytes() for file in files)
    for plain in (
        "confidential",
        "机密",
        "合同",
        "采购",
        "li.wei",
        "INBOX",
        "messages",
        "SQLite format",
        digest(1)[:16],
    ):
        assert plain.encode() not in data
        assert plain.encode() not in path.read_bytes()
    assert bytes.fromhex(digest(1)) not in data


def test_the_wrong_key_opens_nothing(path: Path) -> None:
    with SqliteCatalog.open(path, KEY) as catalog:
        fill(catalog, CONTRACT)
    with pytest.raises(IntegrityError):
        SqliteCatalog.open(path, bytes(32))


def test_only_what_is_sealed_is_seen(path: Path) -> None:
    with SqliteCatalog.open(path, KEY) as writer, SqliteCatalog.open(path, KEY) as other:
        writer.add([message(1, "word")])
        assert writer.search("word") == []
        assert other.search("word") == []
        assert other.sealed() == {}
        writer.seal("w", 7)
        assert ids(other.search("word")) == ids(writer.search("word")) == [digest(1)]
        assert other.sealed() == writer.sealed() == {"w": 7}
        writer.seal("v", 1)
        writer.seal("w", 3)
        assert writer.sealed() == {"v": 1, "w": 7}
        writer.add([message(2, "word")])
        writer.rollback()
        writer.seal("w", 8)
        assert len(writer.search("word")) == 1


CRASH = """
import os, sys
from pathlib import Path
from archiver.catalog.sqlite import SqliteCatalog
from tests.catalog.entries import KEY, digest, message
catalog = SqliteCatalog.open(Path(sys.argv[1]), KEY)
catalog.add([message(1, "sealed")]); catalog.seal("w", 1)
catalog._writer.pragma("cache_size", 50)  # pages go to the log before the commit, as they do in a long run
catalog.add([message(n, "lost " + digest(n)) for n in range(2, 20000)])
os._exit(9)
"""


def test_a_crash_before_the_seal_leaves_the_last_seal(path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", CRASH, str(path)], cwd=root, timeout=60, check=False)
    assert done.returncode == 9
    assert Path(f"{path}-wal").stat().st_size > 1_000_000, "nothing had been written yet"
    with SqliteCatalog.open(path, KEY) as catalog:
        assert catalog.sealed() == {"w": 1}
        assert len(catalog.search("sealed")) == 1
        assert catalog.search("lost") == []
        fill(catalog, *(message(n, "lost") for n in range(2, 10)), seq=2)
        assert len(catalog.search("lost")) == 8


def test_an_error_in_the_lines_loses_the_batch_and_nothing_else(catalog: SqliteCatalog) -> None:
    fill(catalog, message(1, "word"))
    catalog.add([message(2, "word")])
    with pytest.raises(IntegrityError):
        catalog.add(load(dump([message(3, "word")]) + b"{"))
    catalog.seal("w", 2)
    assert ids(catalog.search("word")) == [digest(1)]


def test_a_full_disk_is_a_quota_error_and_loses_the_batch_alone(catalog: SqliteCatalog) -> None:
    fill(catalog, message(1, "word"))
    catalog._writer.pragma("max_page_count", catalog._writer.pragma("page_count") + 20)
    with pytest.raises(QuotaError):
        catalog.add([message(n, f"word {digest(n)}") for n in range(2, 3000)])
    catalog._writer.pragma("max_page_count", 10**9)
    assert len(catalog.search("word")) == 1
    fill(catalog, message(2, "word"), seq=2)
    assert len(catalog.search("word")) == 2


def test_damage_is_an_integrity_error(path: Path) -> None:
    with SqliteCatalog.open(path, KEY) as catalog:
        fill(catalog, *(message(n, "word " * 500) for n in range(500)))
    data = bytearray(path.read_bytes())
    for at in range(5000, len(data), 4096):
        data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError):
        SqliteCatalog.open(path, KEY).search("word")


def test_forget_all(path: Path) -> None:
    with SqliteCatalog.open(path, KEY) as catalog:
        fill(catalog, *(message(n, f"word{n} " * 300) for n in range(500)), place())
        catalog.add([message("unsealed", "word")])
        before = path.stat().st_size + Path(f"{path}-wal").stat().st_size
        catalog.forget_all()
        assert (catalog.search(""), catalog.sealed(), catalog.places(digest(1))) == ([], {}, [])
        fill(catalog, CONTRACT, place("contract"))
        assert ids(catalog.search("合同 folder:INBOX")) == [digest("contract")]
    assert path.stat().st_size < before / 4


def test_a_catalog_of_another_version_is_started_again(path: Path) -> None:
    with SqliteCatalog.open(path, KEY) as catalog:
        fill(catalog, CONTRACT)
    raw = open_database(path, KEY)
    raw.execute("DROP TABLE messages")
    raw.execute("CREATE TABLE of_old (a)")
    raw.pragma("user_version", 77)
    raw.close()
    with SqliteCatalog.open(path, KEY) as catalog:
        assert catalog.sealed() == {}
        fill(catalog, CONTRACT)
        assert len(catalog.search("合同")) == 1


def test_threads_search_while_one_writes(catalog: SqliteCatalog) -> None:
    fill(catalog, message(0, "word"))
    counts: list[int] = []
    errors: list[BaseException] = []

    def read() -> None:
        try:
            counts.extend(len(catalog.search("word")) for _ in range(30))
        except MailarkError as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for seq in range(2, 12):
        fill(catalog, *(message(f"{seq}-{n}", "word") for n in range(20)), seq=seq)
    for reader in readers:
        reader.join(60)
    assert errors == []
    assert len(counts) == 120
    assert {(count - 1) % 20 for count in counts} == {0}, "a search saw half a batch"
