"""The folders of a store in Drive, remembered: which ids have which path, and what lies in them.

Names are not unique in Drive: two files, and two folders, of one name may lie side by side. Folders of one name are
read as one; of files of one name the oldest counts. A folder is listed by `'<id>' in parents` and by nothing else:
searching by name lags behind what was just written (kopia issue 90), and a query for several parents at once leaves
out some of their files without saying so (rclone issues 3114 and 9810).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from archiver.errors import StoreError
from archiver.stores.drive_calls import Calls, Expected

FOLDER = "application/vnd.google-apps.folder"
FIELDS = "id,name,mimeType,size,createdTime,sha256Checksum,md5Checksum,trashed"
SHARED = {"supportsAllDrives": True}

_PAGE = 1000
_AT_ONCE = 4
"""Folders listed side by side; Drive allows far more reads than writes."""

_FRESH = 10.0
"""Seconds for which each full page of a listing makes it good enough to say what is not there: a folder with the packs
of a year is not listed anew for each of them. What another machine put there meanwhile is not seen so long."""


@dataclass(frozen=True, slots=True)
class File:
    """A file or folder in Drive; `size` in bytes, `created` as RFC 3339, `sha256` in hex, "" where Drive has none."""

    id: str
    name: str
    size: int
    created: str
    folder: bool
    sha256: str

    @classmethod
    def of(cls, found: dict[str, Any]) -> File:
        """From the API's representation; size is a string there (an int64)."""
        folder = found["mimeType"] == FOLDER
        size, created, sha256 = int(found.get("size", 0)), found.get("createdTime", ""), found.get("sha256Checksum", "")
        return cls(found["id"], found["name"], size, created, folder, sha256)


Listing = dict[str, list[File]]
"""The files of a folder by name, the oldest first."""


class Tree:
    """Paths are "/"-separated below the store's folder, "" is that folder itself. Thread-safe."""

    def __init__(self, calls: Calls, new_id: Callable[[], str]) -> None:
        self._calls = calls
        self._new_id = new_id
        self._folders: dict[str, list[str]] = {}
        self._listings: dict[str, Listing] = {}
        self._made: dict[str, dict[str, File]] = {}
        self._fresh: dict[str, float] = {}
        """Until when (on the monotonic clock) a folder's listing says what is not there."""
        self._lock = threading.RLock()
        self._creating = threading.Lock()

    @property
    def top(self) -> str:
        """The id of the store's own folder, the oldest one where several have its name; "" before `open`."""
        return next(iter(self._folders.get("", ())), "")

    def open(self, *, create: bool, within: str = "") -> bool:
        """Find the place's own folder, or make it; StoreError when it is not there.

        within: whether a file of this name lies there, or in a folder above that the place names; nothing is made then.
        """
        place = self._calls.place
        if place.folder_id:
            self._folders[""] = [place.folder_id]
            self.require()
            return bool(within) and within in self._load("")
        ids = [place.shared_drive or "root"]
        for name in place.folders:
            below = self._top(ids)
            if any(file.name == within for file in below):
                return True
            found = sorted((file for file in below if file.folder and file.name == name), key=_age)
            if not found and not create:
                raise StoreError(f"{place.url} is not a store: there is no such folder of Mailark's", self._hint())
            ids = [file.id for file in found] or [self._create(name, ids[0])]
        self._folders[""] = ids
        return bool(within) and within in self._load("")

    def require(self) -> None:
        """StoreError unless the store's own folder is there and not in the trash."""
        request = self._calls.files.get(fileId=self._folders[""][0], fields=FIELDS, **SHARED)
        try:
            found = self._calls.call(request, "the store's folder", expected=(404,))
        except Expected:
            found = {}
        if found.get("mimeType") != FOLDER or found.get("trashed"):
            url = self._calls.place.url
            raise StoreError(f"{url} is not a store: its folder is gone or lies in the trash", self._hint())

    def find(self, name: str, *, fresh: bool) -> list[File]:
        """The files of this name, the oldest first. fresh: ask again when the memory has none."""
        folder, _, leaf = name.rpartition("/")
        remembered = self._remembered(folder, leaf)
        if not remembered and (folder not in self._listings or (fresh and not self._is_fresh(folder))):
            self._load(folder)
            remembered = self._remembered(folder, leaf)
        return remembered

    def has(self, folder: str) -> bool:
        """Whether the folder was there when the one above it was last listed."""
        return bool(self._folders.get(folder))

    def walk(self, prefix: str) -> Iterator[tuple[str, File]]:
        """Every file whose whole name begins so, asked anew, in no order; doubles together, the oldest first."""
        folder = prefix.rpartition("/")[0]
        self.forget(folder)
        if folder:
            self._load(folder.rpartition("/")[0])
        level = [folder] if folder in self._folders else []
        with ThreadPoolExecutor(_AT_ONCE, "drive-list") as pool:
            while level:
                listings = list(pool.map(self._load, level))
                for path, listing in zip(level, listings, strict=True):
                    for leaf, files in listing.items():
                        if (name := _join(path, leaf)).startswith(prefix):
                            yield from ((name, file) for file in files)
                level = [below for path in level for below in self._below(path) if _leads_to(below, prefix)]

    def ensure(self, folder: str) -> str:
        """The id of the folder to write into, which is made, with those above it, when it is missing."""
        with self._creating:
            return self._ensure(folder)

    def add(self, name: str, file: File) -> None:
        """Remember a file that was just made."""
        folder, _, leaf = name.rpartition("/")
        with self._lock:
            self._made.setdefault(folder, {})[leaf] = file

    def drop(self, name: str) -> None:
        """Forget the files of this name."""
        folder, _, leaf = name.rpartition("/")
        with self._lock:
            self._listings.get(folder, {}).pop(leaf, None)
            self._made.get(folder, {}).pop(leaf, None)
            self._fresh.pop(folder, None)

    def forget(self, folder: str = "") -> None:
        """Forget what lies in and below a folder (not where the store's own folder is)."""
        with self._lock:
            for path in [path for path in {*self._folders, *self._listings} if _is_below(path, folder)]:
                self._listings.pop(path, None)
                self._fresh.pop(path, None)
                if path:
                    self._folders.pop(path, None)

    def _remembered(self, folder: str, leaf: str) -> list[File]:
        """As listed; else as made here: a listing that was under way meanwhile does not show it."""
        with self._lock:
            made = self._made.get(folder, {}).get(leaf)
            return list(self._listings.get(folder, {}).get(leaf, [])) or ([made] if made else [])

    def _is_fresh(self, folder: str) -> bool:
        return time.monotonic() < self._fresh.get(folder, 0.0)

    def _ensure(self, folder: str) -> str:
        ids = self._ids(folder)
        if ids:
            return ids[0]
        above, _, leaf = folder.rpartition("/")
        made = self._create(leaf, self._ensure(above))
        with self._lock:
            self._folders[folder] = [made]
            self._listings[folder] = {}
        return made

    def _ids(self, folder: str) -> list[str]:
        """The ids of a folder, the oldest first; [] when there is none. Listed anew unless it is remembered."""
        if folder not in self._folders and folder:
            above = folder.rpartition("/")[0]
            if above not in self._listings:
                self._load(above)
        return self._folders.get(folder, [])

    def _load(self, folder: str) -> Listing:
        """List a folder and remember its files and the folders in it; {} when it does not exist."""
        if folder and folder not in self._folders:
            self._load(folder.rpartition("/")[0])
        ids = self._folders.get(folder, [])
        try:
            files = sorted((file for parent in ids for file in self._children(parent)), key=_age)
        except Expected:
            self.require()
            self.forget(folder)
            return {}
        listing: Listing = {}
        below: dict[str, list[str]] = {}
        for file in files:
            if file.folder:
                below.setdefault(_join(folder, file.name), []).append(file.id)
            else:
                listing.setdefault(file.name, []).append(file)
        with self._lock:
            self._folders.update(below)
            if ids:
                self._listings[folder] = listing
                self._fresh[folder] = time.monotonic() + len(files) // _PAGE * _FRESH
        return listing

    def _below(self, folder: str) -> list[str]:
        with self._lock:
            return [path for path in self._folders if path and path.rpartition("/")[0] == folder]

    def _children(self, parent: str) -> list[File]:
        """Everything in one folder, page by page; Expected(404) when the folder is gone."""
        place = self._calls.place
        corpus = {"corpora": "drive", "driveId": place.shared_drive} if place.shared_drive else {"corpora": "user"}
        found: list[File] = []
        token: str | None = None
        while True:
            request = self._calls.files.list(
                q=f"'{parent}' in parents and trashed = false",
                fields=f"nextPageToken,incompleteSearch,files({FIELDS})",
                pageSize=_PAGE,
                pageToken=token,
                includeItemsFromAllDrives=True,
                **SHARED,
                **corpus,
            )
            page = self._calls.call(request, "listing a folder", expected=(404,))
            if page.get("incompleteSearch"):
                raise StoreError(f"{place.url}: Google Drive lists a folder only in part", "A later run goes on.")
            found += [File.of(item) for item in page["files"]]
            token = page.get("nextPageToken")
            if not token:
                return found

    def _create(self, name: str, parent: str) -> str:
        """Make a folder under an id chosen before, so that a lost answer makes no second one."""
        id_ = self._new_id()
        body = {"id": id_, "name": name, "parents": [parent], "mimeType": FOLDER}
        request = self._calls.files.create(body=body, fields=FIELDS, **SHARED)
        with suppress(Expected):
            self._calls.call(request, f"making the folder {name}", write=True, expected=(409,))
        return id_

    def _top(self, ids: list[str]) -> list[File]:
        try:
            return [file for parent in ids for file in self._children(parent)]
        except Expected:
            hint = "Is the id of the shared drive right, and is this account its member?"
            raise StoreError(f"{self._calls.place.url}: there is no such drive", hint) from None

    def _hint(self) -> str:
        return f"If it was removed, or is new: mailark repair --new '{self._calls.place.url}'"


def _age(file: File) -> tuple[str, str]:
    return (file.created, file.id)


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _leads_to(folder: str, prefix: str) -> bool:
    """Whether names in or below the folder can begin with the prefix."""
    return f"{folder}/".startswith(prefix[: len(folder) + 1])


def _is_below(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(folder + "/")
