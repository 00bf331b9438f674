"""Feeds the catalog in a thread of its own, so that indexing overlaps with fetching and packing."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable
from typing import Protocol

from archiver.catalog.process import CatalogProcess
from archiver.errors import MailarkError

_AHEAD = 1
"""Batches that may wait, compressed; a slow catalog slows the walk down rather than filling the memory."""


class Indexer(Protocol):
    """What takes catalog lines in: the catalog itself, or a process that feeds it."""

    def add_lines(self, document: bytes) -> None:
        """Take in a document of catalog lines, inside the open batch."""

    def seal(self, writer: str, seq: int) -> None:
        """Make everything added durable as the lines of this writer's commits up to `seq`."""


class CatalogFeed:
    """Lines go in in the order of batches. The catalog is disposable, so its failure never stops the archiving:

    the feed then swallows what follows, `problem` says why, and the next run reads the missing lines from a store.
    """

    def __init__(self, indexer: Indexer, writer: str) -> None:
        self.problem = ""
        self._indexer, self._writer = indexer, writer
        self._queue: queue.Queue[Iterable[bytes] | int | None] = queue.Queue(_AHEAD)
        self._thread = threading.Thread(target=self._run, name="catalog", daemon=True)
        self._thread.start()

    def add(self, documents: Iterable[bytes]) -> None:
        """Take in the lines of one durable batch; blocks while the catalog is behind. Iterated in the feed's thread."""
        self._queue.put(documents)

    def seal(self, seq: int) -> None:
        """The lines so far are settled as those of commit `seq`: make them durable."""
        self._queue.put(seq)

    def close(self, process: CatalogProcess) -> None:
        """Wait until everything is taken in, by the process too."""
        self._queue.put(None)
        self._thread.join()
        try:
            process.close()
        except MailarkError as error:
            self.problem = self.problem or f"the catalog could not be updated: {error}"

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            if self.problem:
                continue
            try:
                if isinstance(item, int):
                    self._indexer.seal(self._writer, item)
                else:
                    for document in item:
                        self._indexer.add_lines(document)
            except MailarkError as error:
                self.problem = f"the catalog could not be updated: {error}"
            except Exception as error:  # a defect: who adds must not wait for ever for a thread that died
                self.problem = f"the catalog could not be updated: unexpected {type(error).__name__}"
