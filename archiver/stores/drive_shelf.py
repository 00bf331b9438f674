"""A shelf in Google Drive: a folder that Mailark makes, or one by its id, in My Drive or a shared drive."""

from __future__ import annotations

import hashlib
from pathlib import Path

from archiver.stores.drive_calls import Limits
from archiver.stores.drive_files import Files
from archiver.stores.drive_url import parse
from archiver.stores.interface import Stat
from archiver.stores.marker import MARKER
from archiver.stores.shelf import Put, checked_path, is_a_store

_CHUNK = 8 << 20


class DriveShelf:
    """Files in folders of a Drive, under their own names; the folder is made when it is missing."""

    parallel = 2

    def __init__(self, url: str, limits: Limits | None = None) -> None:
        self.url = url
        self._files = Files(parse(url), limits)

    @classmethod
    def open(cls, url: str, limits: Limits | None = None) -> DriveShelf:
        """The shelf at a drive:// URL. ConfigError when a store is there, or in a folder above that the URL names;
        AuthError when nobody is logged in.
        """
        shelf = cls(url, limits)
        if shelf._files.tree.open(create=True, within=MARKER):
            raise is_a_store(url)
        return shelf

    def put_if_absent(self, name: str, file: Path) -> Put:
        if self._files.put(checked_path(name), file):
            return Put.NEW
        return Put.SAME if self._holds(name, file) else Put.OTHER

    def stat(self, name: str) -> Stat | None:
        found = self._files.living(checked_path(name))
        return None if found is None else Stat(name, found.size)

    def _holds(self, name: str, file: Path) -> bool:
        """Whether the file there has this content: by Drive's SHA-256, else by reading it back."""
        found = self._files.living(name)
        if found is None or found.size != file.stat().st_size:
            return False
        with file.open("rb") as mine:
            digest = hashlib.file_digest(mine, "sha256").hexdigest()
        return digest == (found.sha256 or self._read(name, found.size))

    def _read(self, name: str, size: int) -> str:
        """The SHA-256 of what comes back."""
        digest = hashlib.sha256()
        for start in range(0, size, _CHUNK):
            digest.update(self._files.get(name, start, _CHUNK) or b"")
        return digest.hexdigest()
