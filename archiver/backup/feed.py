"""Feeds the catalog in a thread of its own, so that indexing overlaps with fetching and packing."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from archiver.catalog.process import CatalogProcess
from archiver.errors import MailarkError
from archiver.model import MessageId, Verdict

_WAITING = 8
"""Pieces of 1 MiB and batches that may wait; a slow catalog slows the walk down rather than filling the memory."""


@dataclass(frozen=True, slots=True)
class BatchLines:
    """What the catalog is given of a durable batch: documents of lines; and, if it has a pack whose messages went
    ahead, the name of the pack and the verdicts on their signatures."""

    documents: Iterable[bytes]
    pack: str = ""
    verdicts: Mapping[MessageId, tuple[Verdict, ...]] = field(default_factory=dict)


class Indexer(Protocol):
    """What takes catalog lines in: the catalog itself, or a process that feeds it."""

    def add_lines(self, document: bytes) -> None:
        """Take in a document of catalog lines, inside the open batch."""

    def add_ahead(self, document: bytes) -> None:
        """Take in lines of messages of the pack that is being filled."""

    def name(self, pack: str, verdicts: Mapping[MessageId, Iterable[Verdict]]) -> None:
        """This pack is durable: all that came ahead lies in it, and these are the verdicts on some of its messages."""

    def seal(self, writer: str, seq: int) -> None:
        """Make everything added durable as the lines of this writer's commits up to `seq`.

        While messages that came ahead have no pack it waits for `name`: nothing may be durable in the catalog that is
        not durable in the state.
        """

    def rollback(self) -> None:
        """Drop what is not sealed."""


class CatalogFeed:
    """Lines go in in the order of batches, but those of messages while their pack is still being filled.

    So the catalog is ready soon after the last batch. It is disposable, so its failure never stops the archiving: the
    feed then swallows what follows, `problem` says why, and the next run reads the missing lines from a store.
    """

    def __init__(self, indexer: Indexer, writer: str) -> None:
        self.problem = ""
        self._indexer, self._writer = indexer, writer
        self._queue: queue.Queue[BatchLines | bytes | int | None] = queue.Queue(_WAITING)
        self._unnamed = False
        self._thread = threading.Thread(target=self._run, name="catalog", daemon=True)
        self._thread.start()

    def ahead(self, document: bytes) -> None:
        """Take in lines of messages whose batch is not durable yet; blocks while the catalog is behind."""
        self._queue.put(document)

    def add(self, batch: BatchLines) -> None:
        """Take in the lines of one durable batch; blocks as well. Iterated in the feed's thread."""
        self._queue.put(batch)

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
            self._try(item)
        if self._unnamed:  # the run failed before the batch was durable
            self._try(None)

    def _try(self, item: BatchLines | bytes | int | None) -> None:
        if self.problem:
            return
        try:
            self._carry_out(item)
        except MailarkError as error:
            self.problem = f"the catalog could not be updated: {error}"
        except Exception as error:  # a defect: who adds must not wait for ever for a thread that died
            self.problem = f"the catalog could not be updated: unexpected {type(error).__name__}"

    def _carry_out(self, item: BatchLines | bytes | int | None) -> None:
        if item is None:
            self._indexer.rollback()
        elif isinstance(item, int):
            self._indexer.seal(self._writer, item)
        elif isinstance(item, bytes):
            self._unnamed = True
            self._indexer.add_ahead(item)
        else:
            for document in item.documents:
                self._indexer.add_lines(document)
            if item.pack:
                self._indexer.name(item.pack, item.verdicts)
                self._unnamed = False
