"""A store in Google Drive: My Drive of a person, or a shared drive with a service account.

Objects are files, and the "/" of their names are folders, so that a person who opens the Drive sees what every other
store holds: FORMAT.txt, keys, packs/mail-2026/ab/….age. Names are not unique in Drive, so there is no atomic
put-if-absent: of two machines that write one name at once both may succeed. That is harmless, for a name holds the hash
of its content or belongs to one writer; the older file counts, `doubles` names them, and `delete` removes all.
Within one process and machine nothing is written twice (drive_upload.py).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from archiver.errors import AuthError, ObjectMissingError, QuotaError, StoreError
from archiver.stores import marker
from archiver.stores.drive_auth import credentials
from archiver.stores.drive_calls import Calls, Expected, Limits
from archiver.stores.drive_pending import Ids, Pending
from archiver.stores.drive_tree import SHARED, File, Tree
from archiver.stores.drive_upload import Uploader
from archiver.stores.drive_url import parse
from archiver.stores.interface import Data, Stat, checked_name, checked_prefix
from archiver.stores.marker import MARKER

_STRIPES = 64


class DriveStore:
    """Objects as files in folders of a Drive; opened by `open`, made by `create`.

    `put_if_absent`, `delete` and `create` raise AuthError as well, when Google refuses the login.

    parallel: how many objects to put at once; small ones wait for the pace, large ones for the line.
    doubles: names that were seen more than once while listing or deleting.
    """

    parallel = 2

    def __init__(self, url: str, limits: Limits | None = None) -> None:
        place = parse(url)
        self.url = url
        self.doubles: set[str] = set()
        self._calls = Calls(place, credentials(place), limits)
        ids = Ids(self._calls)
        self._tree = Tree(self._calls, ids.take)
        self._uploader = Uploader(self._calls, ids, Pending(place.uploads))
        self._names = [threading.Lock() for _ in range(_STRIPES)]

    @classmethod
    def open(cls, url: str, limits: Limits | None = None) -> DriveStore:
        """The store at a drive:// URL; StoreError when it is not one, or when nobody is logged in."""
        with _reading():
            store = cls(url, limits)
            store._tree.open(create=False)
            store.archive()
        return store

    @classmethod
    def create(cls, url: str, archive: str, limits: Limits | None = None) -> DriveStore:
        """Make the folder a store of the archive with this id; StoreError if it is another's.

        Nothing changes when it is this archive's already; a damaged marker is written again.
        """
        store = cls(url, limits)
        store._tree.open(create=True)
        found = store._marker_if_any()
        if found is None or not marker.sound(found):
            store._delete(MARKER)
            store._put(MARKER, marker.content(archive))
        if store.archive() != archive:
            raise marker.another_archives(url)
        return store

    def archive(self) -> str:
        """The id of the archive whose store this is, from the marker."""
        found = self._marker_if_any()
        if found is None:
            raise marker.not_a_store(self.url)
        return marker.archive_in(found, self.url)

    def whereabouts(self) -> str:
        """The folder as Google tells it apart, however the URL names it."""
        return f"drive {self._calls.place.endpoint} {self._tree.top}"

    def put_if_absent(self, name: str, data: Data) -> bool:
        return self._put(self._checked(name), data)

    def get(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        with _reading():
            return self._get(self._checked(name), start, size)

    def list(self, prefix: str = "") -> Iterator[Stat]:
        checked_prefix(prefix)
        sizes: dict[str, int] = {}
        with _reading():
            self._tree.require()
            for name, file in self._tree.walk(prefix):
                if name in sizes:
                    self.doubles.add(name)
                elif name != MARKER and not file.name.startswith("."):
                    sizes[name] = file.size
        yield from (Stat(name, sizes[name]) for name in sorted(sizes))

    def stat(self, name: str) -> Stat | None:
        with _reading():
            found = self._living(self._checked(name))
        return None if found is None else Stat(name, found.size)

    def checksum(self, name: str) -> str | None:
        """SHA-256 in hex as Drive computed it, from the listing of the folder; None where Drive has none.

        ObjectMissingError if absent.
        """
        with _reading():
            found = self._tree.find(self._checked(name), fresh=True)
            if not found:
                self._tree.require()
                raise ObjectMissingError(f"{self.url} does not hold {name}")
        return found[0].sha256 or None

    def delete(self, name: str) -> None:
        self._delete(self._checked(name))

    def _checked(self, name: str) -> str:
        if name == MARKER:
            raise StoreError(f"{MARKER} is the store's own")
        return checked_name(name)

    def _marker_if_any(self) -> bytes | None:
        try:
            return self._get(MARKER, 0, None)
        except ObjectMissingError:
            return None

    def _put(self, name: str, data: Data) -> bool:
        with self._names[hash(name) % _STRIPES]:
            if self._tree.find(name, fresh=False) and self._living(name):
                return False
            for _ in range(2):
                parent = self._tree.ensure(name.rpartition("/")[0])
                try:
                    self._tree.add(name, self._uploader.put(name, parent, data))
                    return True
                except Expected:  # somebody removed the folder: look again what is there
                    self._tree.require()
                    self._tree.forget()
        raise StoreError(f"{self.url}: {name}: its folder is removed again and again", "Who else works in this folder?")

    def _get(self, name: str, start: int, size: int | None) -> bytes:
        for _ in range(2):
            found = self._tree.find(name, fresh=True)
            if not found:
                break
            try:
                return self._read(found[0], start, size)
            except Expected as answer:
                if answer.status == 416:  # RFC 9110 section 15.5.17: it ends before `start`
                    return b""
                self._tree.drop(name)
        self._tree.require()
        raise ObjectMissingError(f"{self.url} does not hold {name}")

    def _read(self, file: File, start: int, size: int | None) -> bytes:
        """A range of the file. One of no bytes cannot be said: a byte is asked for, to see that the file is there."""
        request = self._calls.files.get_media(fileId=file.id, **SHARED)
        request.headers["accept-encoding"] = "identity"
        if start > 0 or size is not None:
            request.headers["range"] = f"bytes={start}-{'' if size is None else start + max(size, 1) - 1}"
        data: bytes = self._calls.call(request, file.name, expected=(404, 416))
        return data if size is None else data[:size]

    def _living(self, name: str) -> File | None:
        """The file of this name if it is still there; asked of Drive, whatever is remembered."""
        for _ in range(2):
            found = self._tree.find(name, fresh=True)
            if not found:
                break
            request = self._calls.files.get(fileId=found[0].id, fields="trashed", **SHARED)
            with suppress(Expected):
                if not self._calls.call(request, name, expected=(404,)).get("trashed"):
                    return found[0]
            self._tree.drop(name)
        self._tree.require()
        return None

    def _delete(self, name: str) -> None:
        with self._names[hash(name) % _STRIPES]:
            self._tree.drop(name)
            found = self._tree.find(name, fresh=True)
            if len(found) > 1:
                self.doubles.add(name)
            for file in found:
                self._remove(file)
            self._tree.drop(name)
            if not found:
                self._tree.require()

    def _remove(self, file: File) -> None:
        """Delete for good; where only managers may (shared drives), into the trash."""
        try:
            request = self._calls.files.delete(fileId=file.id, **SHARED)
            self._calls.call(request, file.name, write=True, expected=(403, 404))
        except Expected as answer:
            if answer.status == 403:
                request = self._calls.files.update(fileId=file.id, body={"trashed": True}, fields="id", **SHARED)
                self._calls.call(request, file.name, write=True)


@contextmanager
def _reading() -> Iterator[None]:
    """A store that cannot be read has failed, whyever: whoever reads goes on with another store."""
    try:
        yield
    except (QuotaError, AuthError) as error:
        raise StoreError(str(error), error.hint) from None
