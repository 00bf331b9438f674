"""What a store promises against deletion, whether an object carries it, and which new objects are to be held."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from archiver.errors import MailarkError
from archiver.model import Problem
from archiver.monitor import Monitor
from archiver.stores.abilities import Locks, parallel, protection
from archiver.stores.interface import Store
from archiver.stores.locks import Lock, Protection, shortfall
from archiver.vault.holds import Hold, covered

REQUESTS = 1
"""What looking at a lock costs, where it is as promised."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A store that locks objects, and the holds that stand. Only a place with Object Lock can promise anything."""

    store: Locks
    protection: Protection
    holds: Sequence[Hold]
    at_once: int = 1
    """How many objects of the store to ask about side by side."""

    @property
    def promises(self) -> bool:
        """Whether some object must carry a lock."""
        return self.protection.lockable and (self.protection.retains or bool(self.holds))

    def wanted(self, name: str, found: Lock) -> Lock:
        """What the object should carry; `found` tells when it was written. A retention that is over is none."""
        goal = self.store.promised(name, found.written)
        if goal.until is not None and goal.until <= datetime.now(UTC):
            goal = Lock()
        return replace(goal, held=covered(self.holds, name))

    def shortfall(self, name: str) -> str:
        """What the object's lock lacks, "" for nothing. Raises what the store raises."""
        found = self.store.lock(name)
        return shortfall(self.wanted(name, found), found)


def guard_of(store: Store, holds: Sequence[Hold]) -> Guard | None:
    """The store's guard; None for a store that cannot lock, or whose protection cannot be told.

    A store whose URL asks for retention cannot even be opened without being able to tell.
    """
    found = protection(store)
    return Guard(store, found, holds, parallel(store)) if found is not None and isinstance(store, Locks) else None


class NewHolds:
    """Tells one store which new objects the standing holds cover. Implements `archiver.stores.locks.NewHolds`.

    `load` is asked once, when the first object is put. What goes wrong is told, once, and stops nothing: `check` names
    the objects that should be held and are not.
    """

    def __init__(self, url: str, load: Callable[[], Sequence[Hold]], monitor: Monitor) -> None:
        self._url, self._load, self._monitor = url, load, monitor
        self._holds: Sequence[Hold] | None = None
        self._lock = threading.Lock()
        self._told = False

    def covers(self, name: str) -> bool:
        with self._lock:
            if self._holds is None:
                try:
                    self._holds = self._load()
                except MailarkError as error:
                    self._holds = ()
                    self._tell(f"it cannot be told which holds stand ({error})")
            return covered(self._holds, name)

    def refused(self, name: str, reason: str) -> None:
        with self._lock:
            self._tell(f"{name} is to be under a legal hold and is not ({reason})")

    def _tell(self, what: str) -> None:
        if not self._told:
            self._told = True
            text = f"{what}; new objects are stored without the hold until `mailark store lock` gives it"
            self._monitor.problem(Problem(self._url, text))


def hold_new(stores: Iterable[Store], load: Callable[[Store], Sequence[Hold]], monitor: Monitor) -> None:
    """Have every store with Object Lock put new objects with the legal hold that `load` says they need."""
    for store in stores:
        if isinstance(store, Locks):
            store.hold_new(NewHolds(store.url, partial(load, store), monitor))
