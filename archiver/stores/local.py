"""A store in a folder: a local disk, a mounted NAS, a USB disk.

An object is visible whole or not at all: it is written to a temporary file beside its place, fsynced, and linked to
its name (local_files.py). The folder, and every folder above it that may be new, are fsynced before a put returns.
Packs may as well lie straight in the folder of their era, as in a folder that was downloaded from Drive (layout.py).
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG

from archiver.errors import MailarkError, ObjectMissingError, StoreError
from archiver.stores import layout
from archiver.stores.interface import Data, Stat, checked_name, checked_prefix
from archiver.stores.local_files import TEMPORARY, fsync_folder, translated, write_once

MARKER = "mailark-store.json"
"""Lies in the store's folder from `create` on; without it the disk is not mounted, or it was wiped."""

_LEFT_OVER = 24 * 3600
"""Seconds after which a temporary file is taken for the leaving of a crash."""

_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class LocalStore:
    """Objects as files below a folder; the folder itself is opened by `open` and made by `create`."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would follow links, and so rename the store
        self.url = self.folder.as_uri()
        self._durable: set[Path] = set()
        self._lock = threading.Lock()

    @classmethod
    def open(cls, folder: Path) -> LocalStore:
        """The store in this folder; StoreError when its marker is missing or unreadable."""
        store = cls(folder)
        store.archive()
        return store

    @classmethod
    def create(cls, folder: Path, archive: str) -> LocalStore:
        """Make the folder a store of the archive with this id; StoreError if it is another's.

        Nothing changes when it is this archive's already; a damaged marker is written again.
        """
        store = cls(folder)
        with store._edge("the store's folder"):
            store.folder.mkdir(parents=True, exist_ok=True)
            fsync_folder(store.folder.parent)
            if store._marker.exists() and not store._marker_is_sound():
                store._marker.unlink()
            if not store._marker.exists():
                write_once(store._marker, json.dumps({"mailark-store": 1, "archive": archive}).encode() + b"\n")
        if store.archive() != archive:
            hint = "give each archive a folder of its own; after an `init` that was cut, delete this one first"
            raise StoreError(f"{store.url} belongs to another archive", hint)
        return store

    def archive(self) -> str:
        """The id of the archive whose store this is, from the marker."""
        try:
            return str(json.loads(self._marker.read_bytes())["archive"])
        except FileNotFoundError:
            raise self._unmounted() from None
        except OSError as error:
            raise self._translated(error, MARKER) from error
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{self.url}: {MARKER} is damaged", self._hint("If this is its folder")) from error

    def put_if_absent(self, name: str, data: Data) -> bool:
        path, *others = self._paths(name)
        with self._edge(name):
            self._require_marker()
            there = next((other for other in others if other.exists()), path)
            if there == path:
                self._make_durable(path.parent)
            if not there.exists():
                return write_once(path, data)
            fsync_folder(there.parent)  # whoever linked it may have died before doing so
        return False

    def get(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        with self._edge(name):
            for path in self._paths(name):
                with suppress(*_ABSENT), path.open("rb") as file:
                    file.seek(start)
                    return file.read() if size is None else file.read(size)
            self._require_marker()
        raise ObjectMissingError(f"{self.url} does not hold {name}")

    def list(self, prefix: str = "") -> Iterator[Stat]:
        self._require_marker()
        parent = layout.leads_to(checked_prefix(prefix)).rpartition("/")[0]
        with self._edge(prefix or "the listing"):
            yield from (found for found in self._walk(parent) if found.name.startswith(prefix))

    def stat(self, name: str) -> Stat | None:
        with self._edge(name):
            for path in self._paths(name):
                with suppress(*_ABSENT):
                    found = path.stat()
                    return Stat(name, found.st_size) if S_ISREG(found.st_mode) else None
            self._require_marker()
        return None

    def delete(self, name: str) -> None:
        with self._edge(name):
            self._require_marker()
            for path in self._paths(name):
                with suppress(*_ABSENT):
                    path.unlink()
                    fsync_folder(path.parent)

    def _marker_is_sound(self) -> bool:
        try:
            return bool(json.loads(self._marker.read_bytes())["archive"])
        except (ValueError, KeyError, TypeError):
            return False

    @property
    def _marker(self) -> Path:
        return self.folder / MARKER

    def _require_marker(self) -> None:
        if not self._marker.exists():
            raise self._unmounted()

    def _unmounted(self) -> StoreError:
        hint = self._hint("Is the disk mounted? If the folder is new or was wiped")
        return StoreError(f"{self.url} is not a store: {MARKER} is missing", hint)

    def _hint(self, condition: str) -> str:
        return f"{condition}: mailark repair --new {self.url}"

    def _paths(self, name: str) -> tuple[Path, ...]:
        """Where the object may lie; a new one goes to the first."""
        if name == MARKER:
            raise StoreError(f"{MARKER} is the store's own")
        return tuple(self.folder / place for place in layout.places(checked_name(name)))

    def _walk(self, folder: str) -> Iterator[Stat]:
        """Objects below a folder, in the order of names. What lies straight in an era's folder of packs is sorted in;
        of two at both places that under its own name counts, as in `get`."""
        if not layout.has_two_places(folder):
            yield from self._walk_plainly(folder)
            return
        found: dict[str, Stat] = {}
        for stat in self._walk_plainly(folder):
            name = layout.name_at(stat.name)
            if name == stat.name or name not in found:
                found[name] = Stat(name, stat.size)
        yield from (found[name] for name in sorted(found))

    def _walk_plainly(self, folder: str) -> Iterator[Stat]:
        """As they lie; folders sort as if their names ended in "/", which gives the order of whole names."""
        try:
            found = sorted(os.scandir(self.folder / folder), key=lambda e: e.name + "/" if e.is_dir() else e.name)
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in found:
            if entry.name.startswith(".") or (not folder and entry.name == MARKER):
                continue
            name = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir():
                yield from self._walk(name)
            else:
                with suppress(FileNotFoundError):  # deleted since
                    yield Stat(name, entry.stat().st_size)

    def _make_durable(self, folder: Path) -> None:
        """Make the folder and those above it, each fsynced into its parent; old left-overs are swept on the way."""
        with self._lock:
            if folder in self._durable and folder.is_dir():
                return
        if folder != self.folder:
            self._make_durable(folder.parent)
            folder.mkdir(exist_ok=True)
            fsync_folder(folder.parent)
        _sweep(folder)
        with self._lock:
            self._durable.add(folder)

    @contextmanager
    def _edge(self, name: str) -> Iterator[None]:
        """Translate what the operating system raises."""
        try:
            yield
        except OSError as error:
            raise self._translated(error, name) from error

    def _translated(self, error: OSError, name: str) -> MailarkError:
        return translated(error, f"{self.url}: {name}")


def _sweep(folder: Path) -> None:
    """Remove temporary files that no living put can still be writing."""
    oldest = time.time() - _LEFT_OVER
    for entry in os.scandir(folder):
        if entry.name.startswith(TEMPORARY):
            with suppress(OSError):
                if entry.stat().st_mtime < oldest:
                    Path(entry.path).unlink()
