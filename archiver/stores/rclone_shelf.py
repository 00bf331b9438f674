"""A shelf on any remote that rclone knows."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from archiver.stores.interface import Stat
from archiver.stores.marker import MARKER
from archiver.stores.rclone_process import RCLONE, Rclone
from archiver.stores.rclone_remote import Remote, fs_of
from archiver.stores.shelf import Put, checked_path, is_a_store


class RcloneShelf:
    """Files below a folder of a remote, which rclone makes when something is put there.

    Signs that the remote does not take in names are written as rclone writes them there (rclone.org/overview, "Encoding
    option").
    """

    parallel = 4

    def __init__(self, url: str, rclone: Rclone = RCLONE) -> None:
        self.url = url
        self._remote = Remote(url, rclone)

    @classmethod
    def open(cls, url: str, rclone: Rclone = RCLONE) -> RcloneShelf:
        """The shelf at an rclone:// URL. ConfigError when a store is there or above it, or rclone is missing."""
        remote, _, folder = fs_of(url).partition(":")
        path = PurePosixPath(folder)
        for above in (path, *path.parents):
            if Remote(f"rclone://{remote}:{'' if above == PurePosixPath() else above}", rclone).stat(MARKER):
                raise is_a_store(url)
        return cls(url, rclone)

    def put_if_absent(self, name: str, file: Path) -> Put:
        if self._remote.put_if_absent(checked_path(name), file):
            return Put.NEW
        return Put.SAME if self._remote.holds(name, file) else Put.OTHER

    def stat(self, name: str) -> Stat | None:
        return self._remote.stat(checked_path(name))
