"""Secret files: whole or not at all, for their owner only."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from archiver.errors import ConfigError, QuotaError
from archiver.vault.files import MAX_FILE, read_private, write_private


def test_replaces_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "machine.age"
    old_mask = os.umask(0)
    try:
        for data in (b"first", b"", b"third" * 1000):
            write_private(path, data)
            assert read_private(path) == data
            assert path.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(old_mask)
    assert list(tmp_path.iterdir()) == [path]


def test_unusable_paths_are_config_errors(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "missing" / "x"):
        with pytest.raises(ConfigError):
            read_private(path)
        with pytest.raises(ConfigError):
            write_private(path, b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_absurdly_large_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(MAX_FILE + 1)
    with pytest.raises(ConfigError):
        read_private(path)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 KiB, which takes root to make."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)], capture_output=True, timeout=10, check=False
    )
    if made.returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], timeout=10, check=True)


def test_a_full_disk_leaves_the_old_file_whole(tiny_disk: Path) -> None:
    path = tiny_disk / "machine.age"
    write_private(path, b"old" * 1000)
    for _ in range(3):
        with pytest.raises(QuotaError):
            write_private(path, bytes(100_000))
    assert read_private(path) == b"old" * 1000
    assert list(tiny_disk.iterdir()) == [path]
