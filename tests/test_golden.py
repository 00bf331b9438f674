"""Archives of every format version are read for ever: by `recover`, and by the reader that lies beside them."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from archiver.check import check
from archiver.config import ArchiveSettings, Settings
from archiver.monitor import Silent
from archiver.opening import open_archive
from archiver.recover import recover

VERSIONS = sorted(path.parent for path in (Path(__file__).parent / "archives").glob("v*/expected.json"))


def test_there_is_a_golden_archive() -> None:
    assert [path.name for path in VERSIONS] == ["v1"]


@pytest.fixture(params=VERSIONS, ids=lambda path: path.name)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A copy of the store, and what was in it when it was made."""
    shutil.copytree(request.param / "store", tmp_path / "store")
    return tmp_path / "store", json.loads((request.param / "expected.json").read_text("utf-8"))


def test_a_golden_archive_is_recovered(golden: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    store, expected = golden
    archive = ArchiveSettings((str(store),), 1, tmp_path / "work", None)
    settings = Settings(tmp_path / "mailark.toml", archive, ())
    report = recover(settings, expected["passphrase"], Silent())
    assert (report.exit_code, report.commits, report.messages) == (0, 3, len(expected["messages"]))
    with open_archive(settings, expected["passphrase"]) as opened:
        assert sorted(message for message, _ in opened.catalog.messages()) == expected["messages"]
        for message, pack in opened.catalog.messages():
            assert hashlib.sha256(opened.vault.read(message, pack)).hexdigest() == message
        assert {query: len(opened.catalog.search(query)) for query in expected["found"]} == expected["found"]
        live = [[f.folder, f.epoch, [list(place) for place in f.places]] for f in opened.catalog.live_folders()]
        assert live == expected["live"]
        machine = opened.machine
        verdict = check(opened.stores, machine.root, Silent(), keyring=machine.keyring, read_data=True)
        assert (verdict.exit_code, verdict.messages) == (0, len(expected["messages"]))


def test_a_golden_archive_is_read_by_the_reader_in_it(golden: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    store, expected = golden
    done = subprocess.run(
        [sys.executable, store / "reader.py", "extract", store, tmp_path / "out"],
        input=expected["passphrase"] + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = {path.stem: path.read_bytes() for path in (tmp_path / "out" / "m").glob("*.eml")}
    assert sorted(found) == expected["messages"]
    assert all(hashlib.sha256(raw).hexdigest() == message for message, raw in found.items())
