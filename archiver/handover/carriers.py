"""What becomes of finished files of an export: the one way they are carried file by file."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from archiver.model import Problem
from archiver.stores.shelf import Put, Shelf, discreet, named
from archiver.threads import side_by_side

File = tuple[str, Path]
"""The name of a finished file, relative to the export's folder with "/" between its parts, and where it lies now."""


@dataclass(slots=True)
class Carried:
    """What lies at the place now. sent, there: files carried now, and files that were there already, the same bytes ·
    failed: files whose name another file has there · names: of sealed files.
    """

    sent: int = 0
    there: int = 0
    failed: list[Problem] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


class Carrier(Protocol):
    """Takes finished files: of an export piece by piece and then `finish`, or volume by volume."""

    carried: Carried
    """What came of it so far."""

    def take(self, files: Sequence[File]) -> None:
        """Carry them, in this order; they may be removed afterwards. Raises StoreError, QuotaError, AuthError."""

    def finish(self, folders: Sequence[str], failures: Sequence[str]) -> None:
        """Nothing more comes. Raises as `take`.

        folders: empty ones that belong to the export · failures: subjects of what failed.
        """

    def volume(self, number: int, files: Sequence[File], failures: Sequence[str]) -> None:
        """Carry a whole volume, which stays where it is; the last file goes last. Raises as `take`."""


class FileByFile:
    """Each file goes to the shelf under its own name.

    An index tells of one export. Where another export's has the name, it goes there with a sign of its content in its
    name, so that later exports into one place keep each its own, and the same export again finds it.

    told: of an export in volumes, the files in each that tell what was ordered, and then what came of it. Volumes are
    signed, so that making one again gives other bytes; one lies there when these do, the same, and the file that is
    carried last. One of the same order with another outcome is left alone, and named.
    """

    def __init__(self, shelf: Shelf, told: Sequence[str] = ()) -> None:
        self._shelf, self._told = shelf, told
        self.carried = Carried()
        self._counting = threading.Lock()

    def take(self, files: Sequence[File]) -> None:
        for part in (files[:-1], files[-1:]):
            side_by_side([partial(self._carry, *file) for file in part], self._shelf.parallel, "carry")

    def finish(self, folders: Sequence[str], failures: Sequence[str]) -> None:
        """Nothing is left: every file lies there, and a shelf has no folders of its own."""

    def volume(self, number: int, files: Sequence[File], failures: Sequence[str]) -> None:
        paths = dict(files)
        root = files[0][0].partition("/")[0]
        telling = [name for name in (f"{root}/{told}" for told in self._told) if name in paths]
        there = all(self._shelf.stat(name) is not None for name in (files[-1][0], *telling))
        same = [self._shelf.put_if_absent(name, paths[name]) is Put.SAME for name in telling] if there else []
        if same and all(same):
            self.carried.there += len(files)
        elif same and same[0]:
            reason = f"a volume of this order, in which other messages failed, lies in {self._shelf.url}"
            self.carried.failed.append(Problem(root, f"{reason}; it was not changed: write to another place"))
        else:
            self.take(files)

    def _carry(self, name: str, path: Path) -> None:
        with discreet(name):
            put = self._shelf.put_if_absent(name, path)
            if put is Put.OTHER and "/" not in name and name.startswith("index") and name.endswith(".csv"):
                put = self._shelf.put_if_absent(_signed(name, path), path)
        with self._counting:
            self.carried.sent += put is Put.NEW
            self.carried.there += put is Put.SAME
            if put is Put.OTHER:
                self.carried.failed.append(Problem(named(name), f"another file has its name in {self._shelf.url}"))


def _signed(name: str, path: Path) -> str:
    with path.open("rb") as file:
        sign = hashlib.file_digest(file, "sha256").hexdigest()[:12]
    return f"{name.removesuffix('.csv')}-{sign}.csv"
