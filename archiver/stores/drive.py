"""A store in Google Drive: My Drive of a person, or a shared drive with a service account.

Objects are files, and the "/" of their names are folders, so that a person who opens the Drive sees what every other
store holds: FORMAT.txt, keys, packs/mail-2026/….age. Packs lie straight in the folder of their era (layout.py), and
folders are made ahead, when keys and writers come, so that a night makes none: a folder costs a write like a file.
Names are not unique in Drive, so there is no atomic
put-if-absent: of two machines that write one name at once both may succeed. That is harmless, for a name holds the hash
of its content or belongs to one writer; the older file counts, `doubles` names them, and `delete` removes all.
Within one process and machine nothing is written twice (drive_files.py, drive_upload.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from archiver.errors import AuthError, ObjectMissingError, QuotaError, StoreError
from archiver.stores import layout, marker
from archiver.stores.drive_calls import Limits
from archiver.stores.drive_files import Files
from archiver.stores.drive_url import parse
from archiver.stores.interface import Data, Stat, checked_name, checked_prefix
from archiver.stores.marker import MARKER

_AHEAD = (
    (re.compile(r"keys/era/([^/]+)\.[0-9]+\.age"), ("packs/{}", "catalog/{}")),
    (re.compile(r"keys/writers/([^/]+)\.pub"), ("manifests/{}",)),
)
"""The folders that will be needed because of an object: an era with a key has commits, and so has a writer."""


class DriveStore:
    """Objects as files in folders of a Drive; opened by `open`, made by `create`.

    `put_if_absent`, `delete` and `create` raise AuthError as well, when Google refuses the login.

    parallel: how many objects to put at once; small ones wait for the pace, large ones for the line.
    """

    parallel = 2

    def __init__(self, url: str, limits: Limits | None = None) -> None:
        place = parse(url)
        self.url = url
        self._place = place
        self._files = Files(place, limits, lambda name: layout.places(name)[::-1])
        self._tree = self._files.tree

    @property
    def doubles(self) -> set[str]:
        """Names that were seen more than once while listing or deleting."""
        return self._files.doubles

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
            store._files.delete(MARKER)
            store._files.put(MARKER, marker.content(archive))
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
        return f"drive {self._place.endpoint} {self._tree.top}"

    def put_if_absent(self, name: str, data: Data) -> bool:
        written = self._files.put(self._checked(name), data)
        for pattern, folders in _AHEAD:
            if found := pattern.fullmatch(name):
                for folder in folders:
                    self._tree.ensure(folder.format(found[1]))
        return written

    def get(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        with _reading():
            data = self._files.get(self._checked(name), start, size)
        if data is None:
            raise ObjectMissingError(f"{self.url} does not hold {name}")
        return data

    def list(self, prefix: str = "") -> Iterator[Stat]:
        checked_prefix(prefix)
        sizes: dict[str, int] = {}
        with _reading():
            self._tree.require()
            for path, file in self._tree.walk(layout.leads_to(prefix)):
                name = layout.name_at(path)
                if name in sizes:
                    self._files.doubles.add(name)
                elif name.startswith(prefix) and name != MARKER and not file.name.startswith("."):
                    sizes[name] = file.size
        yield from (Stat(name, sizes[name]) for name in sorted(sizes))

    def stat(self, name: str) -> Stat | None:
        with _reading():
            found = self._files.living(self._checked(name))
        return None if found is None else Stat(name, found.size)

    def checksum(self, name: str) -> str | None:
        """SHA-256 in hex as Drive computed it, from the listing of the folder; None where Drive has none.

        ObjectMissingError if absent.
        """
        with _reading():
            found = self._files.find(self._checked(name))
            if found is None:
                self._tree.require()
                raise ObjectMissingError(f"{self.url} does not hold {name}")
        return found.sha256 or None

    def delete(self, name: str) -> None:
        self._files.delete(self._checked(name))

    def _checked(self, name: str) -> str:
        if name == MARKER:
            raise StoreError(f"{MARKER} is the store's own")
        return checked_name(name)

    def _marker_if_any(self) -> bytes | None:
        return self._files.get(MARKER, 0, None)


@contextmanager
def _reading() -> Iterator[None]:
    """A store that cannot be read has failed, whyever: whoever reads goes on with another store."""
    try:
        yield
    except (QuotaError, AuthError) as error:
        raise StoreError(str(error), error.hint) from None
