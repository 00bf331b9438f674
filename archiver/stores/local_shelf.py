"""A shelf in a folder of this machine."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archiver.stores.interface import Stat
from archiver.stores.local import MARKER
from archiver.stores.local_files import fsync_folder, translated, write_once
from archiver.stores.shelf import Put, checked_path, is_a_store, named


class LocalShelf:
    """Files below a folder, which is made, for its owner alone, when something is put there."""

    parallel = 1

    def __init__(self, folder: Path) -> None:
        self.folder = Path(os.path.abspath(folder))  # noqa: PTH100 - as the user names it, links included
        self.url = str(folder)

    @classmethod
    def open(cls, folder: Path) -> LocalShelf:
        """The shelf in this folder, which need not be there yet. ConfigError when a store is, or is above it."""
        shelf = cls(folder)
        real = shelf.folder.resolve()
        if any((above / MARKER).exists() for above in (real, *real.parents)):
            raise is_a_store(shelf.url)
        return shelf

    def put_if_absent(self, name: str, file: Path) -> Put:
        path = self.folder / checked_path(name)
        with self._edge(name):
            self._make(path.parent)
            if write_once(path, file) if not path.exists() else False:
                return Put.NEW
            return Put.SAME if path.is_file() and filecmp.cmp(path, file, shallow=False) else Put.OTHER

    def stat(self, name: str) -> Stat | None:
        path = self.folder / checked_path(name)
        with self._edge(name):
            return Stat(name, path.stat().st_size) if path.is_file() else None

    def _make(self, folder: Path) -> None:
        """Make the folder durably, and the shelf's own as a private one."""
        if folder.is_dir():
            return
        if folder != self.folder:
            self._make(folder.parent)
            folder.mkdir(exist_ok=True)
        else:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fsync_folder(folder.parent)

    @contextmanager
    def _edge(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise translated(error, f"{self.url}: {named(name)}") from error
