"""A store on any remote that rclone knows: OneDrive, SFTP, WebDAV, Azure, a NAS and some seventy others.

rclone has no put that refuses to replace (rclone_remote.py). Two machines that put one name in the same second can both
succeed; names are hashes of the content or belong to one writer, so the bytes are the same.
Packs may as well lie straight in the folder of their era, as in a folder of Drive's that Mailark made (layout.py). That
is looked up once an era.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from archiver.errors import ObjectMissingError, QuotaError, StoreError
from archiver.stores import layout, marker
from archiver.stores.interface import Data, Stat, checked_name, checked_prefix
from archiver.stores.marker import MARKER
from archiver.stores.rclone_process import PART, RCLONE, Rclone
from archiver.stores.rclone_remote import Remote, fs_of


class RcloneStore:
    """Objects below a folder of a remote. The remote and its credentials are rclone's own (`rclone config`)."""

    def __init__(self, url: str, rclone: Rclone = RCLONE) -> None:
        self.url = url
        self._remote = Remote(url, rclone)
        self._flat: dict[str, set[str]] = {}
        """By the folder of an era: the packs that lie straight in it."""
        self._looking = threading.Lock()

    @classmethod
    def open(cls, url: str, rclone: Rclone = RCLONE) -> RcloneStore:
        """The store at this URL; StoreError when its marker is missing, ConfigError when rclone is."""
        store = cls(url, rclone)
        store.archive()
        return store

    @classmethod
    def create(cls, url: str, archive: str, rclone: Rclone = RCLONE) -> RcloneStore:
        """Make the folder a store of the archive with this id; StoreError if it is another's.

        Nothing changes when it is this archive's already; a damaged marker is written again.
        """
        store = cls(url, rclone)
        found = store._remote.stat(MARKER)
        if found is not None and not marker.sound(store._remote.read(MARKER, 0, None)):
            store._remote.delete(MARKER)
            found = None
        if found is None:
            store._remote.put(MARKER, marker.content(archive))
        if store.archive() != archive:
            raise marker.another_archives(url)
        return store

    def archive(self) -> str:
        """The id of the archive whose store this is, from the marker."""
        try:
            return marker.archive_in(self._remote.read(MARKER, 0, None), self.url)
        except ObjectMissingError:
            raise marker.not_a_store(self.url) from None

    def put_if_absent(self, name: str, data: Data) -> bool:
        place = self._place(name)
        return place == name and self._remote.put_if_absent(place, data)

    def get(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        try:
            return self._remote.read(self._place(name), start, size)
        except QuotaError as error:  # who reads goes on with another store
            raise StoreError(str(error), error.hint) from None

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """Read whole before the first is given: remotes list in no order."""
        folder = layout.leads_to(checked_prefix(prefix)).rpartition("/")[0]
        stats: dict[str, Stat] = {}
        for found in self._remote.files_below(folder):
            name = layout.name_at(found.name)
            if name != found.name or name not in stats:  # of two, that which `get` gives
                stats[name] = Stat(name, found.size)
        own = (MARKER,) if not folder else ()
        yield from (stats[n] for n in sorted(stats) if n.startswith(prefix) and n not in own and not n.endswith(PART))

    def stat(self, name: str) -> Stat | None:
        found = self._remote.stat(self._place(name))
        if found is None and self._remote.stat(MARKER) is None:  # unmounted or emptied: nobody knows what it holds
            raise marker.not_a_store(self.url)
        return Stat(name, found.size) if found else None

    def delete(self, name: str) -> None:
        place = self._place(name)
        if place != name:
            self._remote.delete(place)
            self._flat[place.rpartition("/")[0]].discard(place)
        self._remote.delete(name)

    def _place(self, name: str) -> str:
        """Where the object lies, or would lie."""
        flat = layout.flat(self._checked(name))
        return flat if flat != name and flat in self._straight_in(flat.rpartition("/")[0]) else name

    def _straight_in(self, folder: str) -> set[str]:
        with self._looking:
            if folder not in self._flat:
                found = self._remote.files_below(folder, recurse=False)
                self._flat[folder] = {stat.name for stat in found}
            return self._flat[folder]

    def _checked(self, name: str) -> str:
        if checked_name(name) == MARKER:
            raise StoreError(f"{MARKER} is the store's own")
        return name


def identity(url: str) -> str:
    """The URL in one spelling: "a//b/" is "a/b"; a leading "/" stays, for it means another folder. ConfigError."""
    remote, _, folder = fs_of(url).partition(":")
    parts = [part for part in folder.split("/") if part not in ("", ".")]
    return f"rclone://{remote}:{'/' * folder.startswith('/')}{'/'.join(parts)}"
