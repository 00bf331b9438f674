"""What a store promises against deletion, and whether an object carries it. One or two requests an object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

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
