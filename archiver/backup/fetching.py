"""Spreads units of fetching over the connections of an account; the listing one helps when the queue is full."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Generic, TypeVar

from archiver.errors import MailarkError
from archiver.model import Row
from archiver.sources.interface import Source

UNIT_SIZE = 48 * 1024 * 1024
UNIT_MESSAGES = 1000
"""A unit of fetching: as much of a folder as one connection takes at a time."""

T = TypeVar("T")


def units(rows: Sequence[Row], large: int) -> Iterator[Sequence[Row]]:
    """Cut the rows into units, in order; messages of `large` bytes and more come last, in units of their own."""
    yield from _cut([row for row in rows if row.size < large])
    yield from _cut([row for row in rows if row.size >= large])


def _cut(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    start, size = 0, 0
    for at, row in enumerate(rows):
        if at > start and (size + row.size > UNIT_SIZE or at - start >= UNIT_MESSAGES):
            yield rows[start:at]
            start, size = at, 0
        size += row.size
    if start < len(rows):
        yield rows[start:]


class Fetchers(Generic[T]):
    """Up to `extra` threads with a connection of their own, opened only when there is work for them.

    fetch: does one unit; what it raises is a defect, ends all work and is raised again by `dismiss`. A connection
    that cannot be opened leaves its work to the others.
    """

    def __init__(
        self, connect: Callable[[], Source], fetch: Callable[[Source, T], None], extra: int, stop: threading.Event
    ) -> None:
        self._connect, self._fetch, self._extra, self._stop = connect, fetch, extra, stop
        self._units: queue.Queue[T | None] = queue.Queue(2 + 2 * extra)
        self._threads: list[threading.Thread] = []
        self._defect: BaseException | None = None

    def offer(self, source: Source, unit: T) -> None:
        """Queue a unit; `source` works itself while the queue is full."""
        while not self._stop.is_set():
            try:
                self._units.put_nowait(unit)
            except queue.Full:
                self._work_once(source)
                continue
            if len(self._threads) < self._extra and self._units.qsize() > 1:
                self._start_one()
            return

    def drain(self, source: Source) -> None:
        """Work with `source` until nothing is queued."""
        while not self._stop.is_set() and self._work_once(source):
            pass

    def dismiss(self) -> None:
        """Let the threads finish what they hold and end."""
        if self._stop.is_set():
            self._empty()
        for _ in self._threads:
            self._units.put(None)
        for thread in self._threads:
            thread.join()
        if self._defect is not None:
            raise self._defect

    def _work_once(self, source: Source) -> bool:
        try:
            unit = self._units.get_nowait()
        except queue.Empty:
            return False
        if unit is not None:
            self._fetch(source, unit)
        return True

    def _start_one(self) -> None:
        thread = threading.Thread(target=self._run, name=f"fetch-{len(self._threads) + 1}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        try:
            with closing(self._connect()) as source:
                source.connect()
                while (unit := self._units.get()) is not None:
                    if not self._stop.is_set():
                        self._fetch(source, unit)
        except MailarkError:
            return  # the server allows fewer connections: the listing connection does the work
        except BaseException as error:  # a thread that died silently would leave its folder out of the report
            self._defect = error
            self._stop.set()

    def _empty(self) -> None:
        while True:
            try:
                self._units.get_nowait()
            except queue.Empty:
                return
