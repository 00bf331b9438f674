"""How many objects a night may write to each store, whatever its size: 4, and one for each 32 MiB it sends."""

from __future__ import annotations

from collections.abc import Sequence

from archiver.journal import Waiting
from archiver.vault.catchup import Staged

WRITE_SIZE = 32 * 1024 * 1024
"""Bytes that pay for one write: Drive takes about 2 files a second, S3 bills by request."""


class Allowance:
    """What one run has written and what that is paid with. A commit costs a manifest and an object of catalog lines.

    The four that are free are kept for the end of the run: the last pack, which is smaller, its catalog lines, the
    manifest, and the question to an S3 service whether it obeys conditions. (In the night a year ends, lines may take
    one more.) A commit is made in between as soon as the bytes above 32 MiB in each pack, and the lines, pay for it.
    """

    def __init__(self) -> None:
        self._writes = 0
        self._size = 0

    def allows(self, waiting: Waiting) -> bool:
        """Whether everything that waits may be committed now."""
        if not waiting.packs:
            return False
        writes = self._writes + waiting.packs + waiting.eras + 1
        return writes * WRITE_SIZE <= self._size + waiting.size

    def spend(self, objects: Sequence[Staged]) -> None:
        """A commit of these objects, and its manifest."""
        self._writes += len(objects) + 1
        self._size += sum(staged.size for staged in objects)
