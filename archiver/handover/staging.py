"""The folder in which an export waits for a moment before it is carried onward: private, and gone afterwards.

A folder is locked by the process that made it (flock(2), which ends with the process), so that after a crash whoever
comes next knows the dead ones and removes them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from archiver.vault.files import usable

_LOCK = "lock"


@contextmanager
def staging(root: Path) -> Iterator[Path]:
    """A new folder below `root`, for its owner alone, removed at the end with all that was put there.

    Raises QuotaError, ConfigError.
    """
    with usable(root):
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(root):
            _remove_dead(root)
            folder = Path(tempfile.mkdtemp(dir=root))  # 0700
            descriptor = _lock_file(folder)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def clear(root: Path) -> None:
    """Remove what dead processes left below `root`."""
    with suppress(OSError):
        if root.is_dir():
            with _locked(root):
                _remove_dead(root)


def _remove_dead(root: Path) -> None:
    for folder in root.iterdir():
        if folder.is_dir() and not _alive(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(folder: Path) -> bool:
    """Whether a process holds the folder's lock."""
    descriptor = _lock_file(folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """One at a time makes or removes folders; it takes no time worth speaking of."""
    descriptor = _lock_file(root)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _lock_file(folder: Path) -> int:
    return os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
