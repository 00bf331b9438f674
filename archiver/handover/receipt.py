"""What a sealed export has left at its place: names and sizes, by which the next same export sees whether all is there.

Sealed files are never made twice alike, so those of one export belong together: one that is gone, or was cut, cannot be
replaced beside the others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from archiver.errors import StoreError
from archiver.handover.digest import digest
from archiver.stores.shelf import Shelf
from archiver.vault.files import usable, write_private


class Receipt:
    """Of the export that `asked` orders, at one shelf; kept in the folder `receipts`, a few hundred bytes for each."""

    def __init__(self, receipts: Path, shelf: Shelf, asked: Sequence[str]) -> None:
        self._path = receipts / f"{digest([shelf.url, *asked])}.json"
        self._shelf = shelf

    def add(self, name: str, size: int) -> None:
        """A file was carried, whole. Raises QuotaError, ConfigError."""
        with usable(self._path.parent):
            self._path.parent.mkdir(exist_ok=True, mode=0o700)
        write_private(self._path, json.dumps({**self._sizes(), name: size}).encode())

    def compare(self) -> None:
        """See that what was carried is there still, or nothing of it: then the export is made anew.

        StoreError when some of it is gone or has another size; the shelf's errors pass through.
        """
        sizes = self._sizes()
        found = {name: stat.size for name in sizes if (stat := self._shelf.stat(name)) is not None}
        if found == sizes:
            return
        if found:
            wrong = sorted(name for name in sizes if found.get(name) != sizes[name])
            what = "is gone" if wrong[0] not in found else "was cut or changed"
            text = f"{self._shelf.url}: {wrong[0]} {what} ({len(wrong)} of {len(sizes)} sealed files of this export)"
            raise StoreError(text, "Remove the others of the same name there, and run the export again.")
        with usable(self._path):
            self._path.unlink(missing_ok=True)

    def _sizes(self) -> dict[str, int]:
        """Nothing where the record is damaged: then names alone tell, as on another machine."""
        with suppress(OSError, ValueError, AttributeError):
            return {str(name): int(size) for name, size in json.loads(self._path.read_bytes()).items()}
        return {}
