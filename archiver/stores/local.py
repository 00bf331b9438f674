"""A store in a folder: a local disk, a mounted NAS, a USB disk.

An object is visible whole or not at all: it is written to a temporary file beside its place, fsynced, and linked to
its name (link(2) refuses to replace). The folder, and every folder above it that may be new, are fsynced before a put
returns.
An fsync that fails may have dropped the dirty pages, and a second fsync of the same descriptor would then succeed
(fsync(2), "Fsyncgate" 2018): the temporary file is discarded, and the caller starts again with a new one.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG

from archiver.errors import MailarkError, ObjectMissingError, QuotaError, StoreError
from archiver.stores.interface import Data, Stat, checked_name, checked_prefix

MARKER = "mailark-store.json"
"""Lies in the store's folder from `create` on; without it the disk is not mounted, or it was wiped."""

_TEMPORARY = ".tmp-"
_LEFT_OVER = 24 * 3600
"""Seconds after which a temporary file is taken for the leaving of a crash."""

_CHUNK = 1 << 20
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What link(2) answers on file systems without hard links (FAT, exFAT, some network mounts)."""


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
            _fsync_folder(store.folder.parent)
            if store._marker.exists() and not store._marker_is_sound():
                store._marker.unlink()
            if not store._marker.exists():
                store._write(store._marker, json.dumps({"mailark-store": 1, "archive": archive}).encode() + b"\n")
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
        path = self._path(name)
        with self._edge(name):
            self._require_marker()
            self._make_durable(path.parent)
            if not path.exists():
                return self._write(path, data)
            _fsync_folder(path.parent)  # whoever linked it may have died before doing so
        return False

    def get(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        path = self._path(name)
        with self._edge(name):
            try:
                with path.open("rb") as file:
                    file.seek(start)
                    return file.read() if size is None else file.read(size)
            except _ABSENT:
                self._require_marker()
                raise ObjectMissingError(f"{self.url} does not hold {name}") from None

    def list(self, prefix: str = "") -> Iterator[Stat]:
        self._require_marker()
        parent = checked_prefix(prefix).rpartition("/")[0]
        with self._edge(prefix or "the listing"):
            yield from (found for found in self._walk(parent) if found.name.startswith(prefix))

    def stat(self, name: str) -> Stat | None:
        path = self._path(name)
        with self._edge(name):
            try:
                found = path.stat()
            except _ABSENT:
                self._require_marker()
                return None
        return Stat(name, found.st_size) if S_ISREG(found.st_mode) else None

    def delete(self, name: str) -> None:
        path = self._path(name)
        with self._edge(name):
            self._require_marker()
            with suppress(*_ABSENT):
                path.unlink()
                _fsync_folder(path.parent)

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

    def _path(self, name: str) -> Path:
        if name == MARKER:
            raise StoreError(f"{MARKER} is the store's own")
        return self.folder / checked_name(name)

    def _walk(self, folder: str) -> Iterator[Stat]:
        """Objects below a folder; folders sort as if their names ended in "/", which gives the order of whole names."""
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
            _fsync_folder(folder.parent)
        _sweep(folder)
        with self._lock:
            self._durable.add(folder)

    def _write(self, path: Path, data: Data) -> bool:
        """Write beside, fsync, link to the name; False when another took the name first."""
        temporary = path.parent / f"{_TEMPORARY}{secrets.token_hex(8)}"
        try:
            _write_durably(temporary, data)
            written = _link(temporary, path)
        finally:
            with suppress(OSError):
                temporary.unlink()
        _fsync_folder(path.parent)
        return written

    @contextmanager
    def _edge(self, name: str) -> Iterator[None]:
        """Translate what the operating system raises."""
        try:
            yield
        except OSError as error:
            raise self._translated(error, name) from error

    def _translated(self, error: OSError, name: str) -> MailarkError:
        text = f"{self.url}: {name}: {error.strerror or error}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return QuotaError(text, "Free space on this store's disk; the next run goes on.")
        if error.errno == errno.EFBIG:
            return QuotaError(text, "This file system, or `ulimit -f`, bears no file of this size: 32 MiB are usual.")
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return StoreError(text, "Check the owner and the mount options of this folder.")
        return StoreError(text, "Check the disk and its cable or network mount.")


def _write_durably(path: Path, data: Data) -> None:
    """Write a new file and fsync it once; StoreError when a source file shrank or grew underneath."""
    with path.open("xb") as file:
        if isinstance(data, Path):
            with data.open("rb") as source:
                expected = os.fstat(source.fileno()).st_size
                shutil.copyfileobj(source, file, _CHUNK)
        else:
            expected = len(data)
            file.write(data)
        file.flush()
        if file.tell() != expected:
            raise StoreError(f"{path.name}: {file.tell()} of {expected} bytes written")
        os.fsync(file.fileno())


def _link(temporary: Path, path: Path) -> bool:
    """Give the file its name unless it is taken. Where there are no hard links, look first and rename.

    The gap between the look and the rename is harmless: names are hashes of the content, or belong to one writer.
    """
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            return False
        temporary.rename(path)
    return True


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # network mounts that cannot fsync a folder
            raise
    finally:
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Remove temporary files that no living put can still be writing."""
    oldest = time.time() - _LEFT_OVER
    for entry in os.scandir(folder):
        if entry.name.startswith(_TEMPORARY):
            with suppress(OSError):
                if entry.stat().st_mtime < oldest:
                    Path(entry.path).unlink()
