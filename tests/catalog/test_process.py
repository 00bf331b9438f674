"""The catalog's process: what it seals is in the catalog, and what fails there is told here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from archiver.catalog import lines
from archiver.catalog.process import CatalogProcess
from archiver.catalog.sqlite import SqliteCatalog
from archiver.errors import MailarkError
from archiver.model import MessageEntry

KEY = bytes(range(32))


def document(number: int) -> bytes:
    return lines.dump([MessageEntry(f"{number:064x}", 10, "packs/x", subject=f"合同 {number}", text="quotation")])


def found(path: Path) -> int:
    with SqliteCatalog.open(path, KEY) as catalog:
        return len(catalog.search("合同"))


def test_sealed_lines_are_in_the_catalog_and_others_are_not(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    process = CatalogProcess(path, KEY)
    process.add_lines(document(1))
    process.seal("00" * 8, 1)
    process.add_lines(document(2))
    process.close()
    assert found(path) == 1
    with SqliteCatalog.open(path, KEY) as catalog:
        assert catalog.sealed() == {"00" * 8: 1}


def test_nothing_is_started_for_nothing(tmp_path: Path) -> None:
    CatalogProcess(tmp_path / "catalog.db", KEY).close()
    assert not list(tmp_path.iterdir())


def test_bad_lines_are_told(tmp_path: Path) -> None:
    process = CatalogProcess(tmp_path / "catalog.db", KEY)
    process.add_lines(b'{"t":"message"}\n')
    with pytest.raises(MailarkError, match="catalog line 1"):
        process.close()


def test_a_wrong_key_is_told(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    SqliteCatalog.open(path, KEY).close()
    process = CatalogProcess(path, bytes(32))
    with pytest.raises(MailarkError, match="key does not open"):
        for _ in range(100):
            process.add_lines(document(1) * 1000)
        process.close()


def test_a_killed_process_is_told_and_seals_nothing(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    process = CatalogProcess(path, KEY)
    process.add_lines(document(1))
    assert process._process is not None
    os.kill(process._process.pid, signal.SIGKILL)
    with pytest.raises(MailarkError):
        process.seal("00" * 8, 1)
        process.close()
    assert found(path) == 0


@pytest.mark.parametrize("reader", ["there", "gone"])
def test_a_defect_is_told_without_its_text(tmp_path: Path, reader: str) -> None:
    """The text of an unexpected error may hold some of a message, and would stand in the log of the nightly run."""
    path = str(tmp_path / "catalog.db").encode()
    content = b"the-text-of-a-message"
    given = bytes(32) + len(path).to_bytes(8, "big") + path + b"S" + len(content).to_bytes(8, "big") + content
    command = [sys.executable, "-m", "archiver.catalog.process"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin and process.stdout and process.stderr
        if reader == "gone":
            process.stdout.close()
        process.stdin.write(given)
        process.stdin.close()
        if reader == "there":
            assert process.stdout.read() == b"unexpected ValueError\n"
        assert process.stderr.read() == b""
