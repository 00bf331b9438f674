"""Private folders in which exports wait before they are carried onward.

`staging` is for a moment, `kept` for what cannot be made again as it was: that one is found again by the same export
after a cut. A folder is locked by the process that uses it (flock(2), which ends with the process), so that after a
crash whoever comes next knows the dead ones: it removes those of `staging`, and those of `kept` that nobody has come
back for in `KEPT` seconds.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from archiver.errors import LockedError
from archiver.vault.files import usable

KEPT = 7 * 24 * 3600.0
"""Seconds after which what a cut export left in a `kept` folder is removed: its mail lies there as plain files."""

_LOCK = "lock"
_KEPT_NAME = re.compile(r"[0-9a-f]{32}")


@dataclass(slots=True)
class Kept:
    """A folder that stays until `done`. found: there was something in it from an earlier try."""

    folder: Path
    found: bool
    done: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing is in it that could be gone on with: files half written are as good as none."""
        return not any(
            any(path.iterdir()) if path.is_dir() else path.name != _LOCK and path.suffix != ".part"
            for path in self.folder.iterdir()
        )


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


@contextmanager
def kept(root: Path, name: str) -> Iterator[Kept]:
    """The folder `name` (32 hex digits) below `root`, for its owner alone, new or as an earlier process left it.

    It is removed at the end when it is `done` or empty, and else left for the next try. Raises LockedError while
    another process has it, QuotaError, ConfigError.
    """
    folder = root / name
    with usable(root):
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(root):
            _remove_dead(root)
            found = folder.is_dir() and not Kept(folder, True).empty
            folder.mkdir(exist_ok=True, mode=0o700)
            descriptor = _taken(folder)
            os.utime(folder / _LOCK)
    held = Kept(folder, found)
    try:
        yield held
    finally:
        try:
            with suppress(OSError), _locked(root):
                if held.done or held.empty:
                    _remove(folder)
        finally:
            os.close(descriptor)


def clear(root: Path) -> None:
    """Remove what dead processes left below `root`, but for what is kept."""
    with suppress(OSError):
        if root.is_dir():
            with _locked(root):
                _remove_dead(root)


def _remove_dead(root: Path) -> None:
    for folder in root.iterdir():
        if folder.is_dir() and not _alive(folder) and not _waits(folder):
            _remove(folder)


def _remove(folder: Path) -> None:
    """Under another name first: a process killed in the middle must leave nothing that looks like work to resume."""
    gone = folder.with_name(f"gone-{secrets.token_hex(8)}")
    with suppress(OSError):
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _waits(folder: Path) -> bool:
    """Whether it is kept, and the export that was cut may still be gone on with. Its journal, its volumes and its lock
    tell when it was worked on.
    """
    if not _KEPT_NAME.fullmatch(folder.name) or Kept(folder, True).empty:
        return False
    times = [0.0]
    for path in chain(folder.glob("*"), folder.glob("*/*")):
        with suppress(OSError):
            times.append(path.stat().st_mtime)
    return max(times) > time.time() - KEPT


def _alive(folder: Path) -> bool:
    """Whether a process holds the folder's lock."""
    try:
        os.close(_taken(folder))
    except LockedError:
        return True
    return False


def _taken(folder: Path) -> int:
    """The folder's lock, held until the descriptor is closed; LockedError when another process holds it."""
    descriptor = _lock_file(folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LockedError("this very export is being made by another run", "wait for it to end") from None
    return descriptor


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
