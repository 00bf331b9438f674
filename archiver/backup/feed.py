"""Feeds the catalog in a thread of its own, so that indexing overlaps with fetching and packing."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence

from archiver.catalog.interface import Catalog
from archiver.errors import MailarkError
from archiver.model import Entry

_AHEAD = 2
"""Batches that may wait for the catalog; a slow catalog slows the walk down rather than filling the memory."""


class CatalogFeed:
    """Lines go in in the order of batches. The catalog is disposable, so its failure never stops the archiving:

    the feed then swallows what follows, `problem` says why, and the next run reads the missing lines from a store.
    """

    def __init__(self, catalog: Catalog, writer: str) -> None:
        self.problem = ""
        self._catalog, self._writer = catalog, writer
        self._queue: queue.Queue[Sequence[Entry] | int | None] = queue.Queue(_AHEAD)
        self._thread = threading.Thread(target=self._run, name="catalog", daemon=True)
        self._thread.start()

    def add(self, entries: Sequence[Entry]) -> None:
        """Take in the lines of one durable batch; blocks while the catalog is behind."""
        self._queue.put(entries)

    def seal(self, seq: int) -> None:
        """The lines so far are settled as those of commit `seq`: make them durable."""
        self._queue.put(seq)

    def close(self) -> None:
        """Wait until everything is taken in."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            if self.problem:
                continue
            try:
                if isinstance(item, int):
                    self._catalog.seal(self._writer, item)
                else:
                    self._catalog.add(item)
            except MailarkError as error:
                self.problem = f"the catalog could not be updated: {error}"
