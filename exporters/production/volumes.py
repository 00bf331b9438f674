"""The volumes of a bundle: folders named `<CASE>_VOL001`, each a bag of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from archiver.model import Body
from exporters import files
from exporters.production.bag import FileNote


class Volumes:
    """Where documents are laid, family by family."""

    def __init__(self, target: Path, case: str, limit: int | None) -> None:
        self.target, self.case, self._limit = target, case, limit
        self.current, self._filled = 1, 0

    @staticmethod
    def name(number: int) -> str:
        """The label that load files and reports use."""
        return f"VOL{number:03d}"

    def folder(self, number: int) -> Path:
        """The root of a volume."""
        return self.target / f"{self.case}_{self.name(number)}"

    def there(self) -> list[Path]:
        """The roots of all volumes of this case that lie in the target, in order."""
        found = self.target.glob(f"{self.case}_VOL[0-9][0-9][0-9]*")
        return sorted(found, key=lambda root: (len(root.name), root.name))

    def resume(self, volume: int, size: int) -> None:
        """A family of `size` bytes lies in this volume already."""
        self._filled = size + (self._filled if volume == self.current else 0)
        self.current = volume

    def choose(self, size: int) -> int:
        """The volume a family of `size` bytes goes to: a new one when it does not fit any more."""
        if self._limit and self._filled and self._filled + size > self._limit:
            self.current, self._filled = self.current + 1, 0
        self._filled += size
        return self.current

    def lay(self, volume: int, contents: Mapping[str, Body]) -> tuple[FileNote, ...]:
        """Write files of a family, by their path below data/; one that is there with the same content is kept.

        Another content is of an earlier try that did not end, and is replaced. Raises OSError, QuotaError.
        """
        root = self.folder(volume)
        notes = []
        for path, content in contents.items():
            file = root / "data" / path
            if not files.holds(file, content):
                files.write(file, content, None)
            notes.append(FileNote(f"data/{path}", len(content), hashlib.sha256(content).hexdigest()))
        return tuple(notes)
