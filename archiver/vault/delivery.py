"""Supplies every store in a thread of its own, while commits are still being made.

A commit that is recorded is on its way at once: no store waits for another, and no commit for a store that is slow or
away. What a store has not got when the run ends, the next run sends. A store that hangs, which begins and ends nothing
any more, is not waited for, whether enough others hold the commits or not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from archiver.errors import StoreError
from archiver.monitor import Monitor
from archiver.stores.abilities import paused
from archiver.stores.interface import Store
from archiver.vault.catchup import Commit, Staged
from archiver.vault.commit import Journal, Outcome, Push

T = TypeVar("T")

HANGS = 1800.0
"""Seconds after which a store that has begun nothing new is taken for hanging; the client's own time-outs and retries,
where it has them, take a few minutes."""

SLOWEST = 32 * 1024
"""Bytes a second that an object may be slow; the time it takes so comes on top."""

_LOOK = 1.0
"""Seconds between two looks whether a store hangs, at most."""


class Delivery(Push):
    """The push of a whole run. `refresh` after each commit that is recorded, `wait` in the end, always `close`."""

    def __init__(
        self, stores: Sequence[Store], copies: int, journal: Journal, monitor: Monitor, limit: float | None = None
    ) -> None:
        """limit: seconds instead of `HANGS`."""
        self._limit = HANGS if limit is None else limit
        self._until: dict[str, float] = {}
        """By when (on the monotonic clock) each store must have begun something new."""
        self._closable = _Closable(journal)
        super().__init__(stores, copies, self._closable, monitor)
        self._changed = threading.Condition()
        self._round = 0
        self._ended: dict[str, int] = {}
        """The last round each store's thread is through with; only stores that have one."""
        self._failure: BaseException | None = None

    def refresh(self) -> None:
        """Bring what was recorded since to every store that lacks it, without waiting; one that failed tries again.

        Raises what broke the push as a whole, such as IntegrityError.
        """
        self._raise_failure()
        self.reload()
        self._begin_round()

    def hasten(self, objects: Iterable[Staged]) -> None:
        """Bring sealed objects that no commit names yet to every store, without waiting."""
        self._raise_failure()
        self.ahead.add(objects)
        self._begin_round()

    def _begin_round(self) -> None:
        with self._changed:
            self._round += 1
            self._changed.notify_all()
        for store in self.stores:
            if store.url not in self._ended and (self.waiting(store) or self.ahead.waiting(store.url)):
                self._ended[store.url] = self._round - 1
                threading.Thread(target=self._work, args=(store,), name=f"push {store.url}", daemon=True).start()

    def wait(self, patience: float | None = None) -> Outcome:
        """Wait until enough stores hold every commit, then `patience` seconds more for the others (None: for ever).

        A store that is still at work then, or hangs, is left behind, with an error that says so.
        """
        self.wait_for_quorum()
        self._wait(self._idle, patience)
        self._raise_failure()
        for store in self.stores:
            if self._hangs(store):
                text = f"{store.url} hangs: it took nothing new for {self._limit:.0f} s and longer"
                self.errors.setdefault(
                    store.url, StoreError(text, "Is its server, its mount sound? The next run goes on.")
                )
            elif self._works(store.url):
                text = f"{store.url} is slow: the run ended {patience or 0:.0f} s after the other stores had everything"
                self.errors.setdefault(store.url, StoreError(text, "The next run goes on; see straggler_wait."))
        return self.outcome()

    def wait_for_quorum(self) -> None:
        """Wait until enough stores hold every commit, or no store can be brought further: the others failed or hang."""
        self._wait(lambda: self._idle() or self._enough())
        self._raise_failure()

    def settled(self) -> bool:
        """Whether enough stores hold every commit."""
        return all(len(self.holding(commit)) >= self.copies for commit in self.commits)

    def end(self) -> None:
        """The run is over: a thread that hangs in its store changes nothing any more, whenever it wakes up."""
        self.stop.set()
        self._closable.close()
        with self._changed:
            self._round = -1
            self._changed.notify_all()

    def begun(self, store: Store, size: int) -> None:
        until = time.monotonic() + self._limit + size / SLOWEST
        with self._changed:
            self._until[store.url] = max(until, self._until.get(store.url, 0.0))

    # -- a store's thread

    def _work(self, store: Store) -> None:
        while number := self._next_round(store):
            self.begun(store, 0)
            try:
                self._take_steps(store)
            except BaseException as error:  # told to whoever waits, whatever it is
                self._failure = self._failure or error
                self.stop.set()
            with self._changed:
                self._ended[store.url] = number
                self._changed.notify_all()

    def _next_round(self, store: Store) -> int:
        """Wait for something new: the number of the round that brings it, 0 when the run is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._round < 0 or self._round > self._ended[store.url])
            return max(0, self._round)

    def _take_steps(self, store: Store) -> None:
        for _ in self.steps(store):
            if self.stop.is_set():
                return
            with self._changed:
                self._changed.notify_all()

    # -- what is known, from any thread

    def _works(self, url: str) -> bool:
        return self._ended.get(url, self._round) < self._round

    def _hangs(self, store: Store) -> bool:
        """It is at work, and has begun nothing for too long; what waits for its turn on the line does not hang."""
        if not self._works(store.url):
            return False
        if paused(store):
            self.begun(store, 0)
        return time.monotonic() > self._until.get(store.url, float("inf"))

    def _idle(self) -> bool:
        return not any(self._works(store.url) and not self._hangs(store) for store in self.stores)

    def _wait(self, done: Callable[[], bool], patience: float | None = None) -> None:
        """As `Condition.wait_for`; looks at the clock as well, for a store that hangs notifies nobody."""
        end = float("inf") if patience is None else time.monotonic() + patience
        with self._changed:
            while not done() and (left := end - time.monotonic()) > 0:
                self._changed.wait(min(left, _LOOK, self._limit))

    def _enough(self) -> bool:
        return self._failure is not None or self.settled()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


class _Closable:
    """A journal that refuses everything once it is closed; the database behind it may then be closed too."""

    def __init__(self, journal: Journal) -> None:
        self._journal, self._lock, self._closed = journal, threading.Lock(), False

    def close(self) -> None:
        """Wait for the call under way, and let no other through."""
        with self._lock:
            self._closed = True

    def unfinished(self) -> list[Commit]:
        return self._call(self._journal.unfinished)

    def confirmations(self, seq: int) -> frozenset[str]:
        return self._call(lambda: self._journal.confirmations(seq))

    def confirm(self, seq: int, store_url: str) -> None:
        self._call(lambda: self._journal.confirm(seq, store_url))

    def settle(self, seq: int) -> None:
        self._call(lambda: self._journal.settle(seq))

    def release(self, seq: int) -> None:
        self._call(lambda: self._journal.release(seq))

    def _call(self, method: Callable[[], T]) -> T:
        with self._lock:
            if self._closed:
                raise StoreError("the run is over")
            return method()
