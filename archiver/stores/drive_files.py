"""Files in the folders of a Drive by their names: found, read, made once, removed. No marker, no rule for names."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

from archiver.errors import StoreError
from archiver.stores.drive_auth import credentials
from archiver.stores.drive_calls import Calls, Expected, Limits
from archiver.stores.drive_pending import Ids, Pending
from archiver.stores.drive_tree import SHARED, File, Tree
from archiver.stores.drive_upload import Uploader
from archiver.stores.drive_url import Place
from archiver.stores.interface import Data

_STRIPES = 64

Places = Callable[[str], tuple[str, ...]]
"""The paths at which the file of a name may lie; a new one is made at the first."""


def own(name: str) -> tuple[str, ...]:
    """Every name is its own path."""
    return (name,)


class Files:
    """The place's folder and what lies below it. Paths are "/"-separated. Thread-safe.

    Every method raises StoreError, QuotaError and AuthError. doubles: names that were seen more than once.
    """

    def __init__(self, place: Place, limits: Limits | None = None, places: Places = own) -> None:
        self._places = places
        self.doubles: set[str] = set()
        self._calls = Calls(place, credentials(place), limits)
        ids = Ids(self._calls)
        self.tree = Tree(self._calls, ids.take)
        self._uploader = Uploader(self._calls, ids, Pending(place.uploads))
        self._names = [threading.Lock() for _ in range(_STRIPES)]

    def put(self, name: str, data: Data) -> bool:
        """Make the file unless there is one of this name; True if this call made it."""
        with self._names[hash(name) % _STRIPES]:
            if self._find(name, fresh=False)[1] and self.living(name):
                return False
            path = self._places(name)[0]
            for _ in range(2):
                parent = self.tree.ensure(path.rpartition("/")[0])
                try:
                    self.tree.add(path, self._uploader.put(path, parent, data))
                    return True
                except Expected:  # somebody removed the folder: look again what is there
                    self.tree.require()
                    self.tree.forget()
        raise StoreError(
            f"{self._calls.place.url}: {name}: its folder is removed again and again", "Who else works in this folder?"
        )

    def find(self, name: str) -> File | None:
        """The file of this name as the listings of its folders show it, which are asked for anew if they do not."""
        found = self._find(name, fresh=True)[1]
        return found[0] if found else None

    def get(self, name: str, start: int, size: int | None) -> bytes | None:
        """A range of the file, empty beyond its end; None when there is no such file."""
        for _ in range(2):
            path, found = self._find(name, fresh=True)
            if not found:
                break
            try:
                return self._read(found[0], start, size)
            except Expected as answer:
                if answer.status == 416:  # RFC 9110 section 15.5.17: it ends before `start`
                    return b""
                self.tree.drop(path)
        self.tree.require()
        return None

    def _find(self, name: str, *, fresh: bool) -> tuple[str, list[File]]:
        """The first path at which files of this name lie, and they."""
        for path in self._paths(name):
            if found := self.tree.find(path, fresh=fresh):
                return path, found
        return name, []

    def _paths(self, name: str) -> Iterator[str]:
        """The places of a name; but for the first only those whose folder is there."""
        first, *others = self._places(name)
        yield first
        yield from (path for path in others if self.tree.has(path.rpartition("/")[0]))

    def _read(self, file: File, start: int, size: int | None) -> bytes:
        """A range of the file. One of no bytes cannot be said: a byte is asked for, to see that the file is there."""
        request = self._calls.files.get_media(fileId=file.id, **SHARED)
        request.headers["accept-encoding"] = "identity"
        if start > 0 or size is not None:
            request.headers["range"] = f"bytes={start}-{'' if size is None else start + max(size, 1) - 1}"
        data: bytes = self._calls.call(request, file.name, expected=(404, 416))
        return data if size is None else data[:size]

    def living(self, name: str) -> File | None:
        """The file of this name if it is still there; asked of Drive, whatever is remembered."""
        for _ in range(2):
            path, found = self._find(name, fresh=True)
            if not found:
                break
            request = self._calls.files.get(fileId=found[0].id, fields="trashed", **SHARED)
            with suppress(Expected):
                if not self._calls.call(request, name, expected=(404,)).get("trashed"):
                    return found[0]
            self.tree.drop(path)
        self.tree.require()
        return None

    def delete(self, name: str) -> None:
        """Remove every file of this name."""
        with self._names[hash(name) % _STRIPES]:
            removed = [file for path in self._paths(name) for file in self._empty(path)]
            if len(removed) > 1:
                self.doubles.add(name)
            if not removed:
                self.tree.require()

    def _empty(self, path: str) -> list[File]:
        """Remove the files of this path; listed anew before, and whenever somebody asks for them again."""
        self.tree.drop(path)
        found = self.tree.find(path, fresh=True)
        for file in found:
            self._remove(file)
        self.tree.drop(path)
        return found

    def _remove(self, file: File) -> None:
        """Delete for good; where only managers may (shared drives), into the trash."""
        try:
            request = self._calls.files.delete(fileId=file.id, **SHARED)
            self._calls.call(request, file.name, write=True, expected=(403, 404))
        except Expected as answer:
            if answer.status == 403:
                request = self._calls.files.update(fileId=file.id, body={"trashed": True}, fields="id", **SHARED)
                self._calls.call(request, file.name, write=True)
