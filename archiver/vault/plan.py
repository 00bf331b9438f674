"""What a check will do in one store, decided before it is done: what to look at, ask about, read; what that costs."""

from __future__ import annotations

import enum
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from archiver.stores.interface import Store
from archiver.vault.copying import CHUNK
from archiver.vault.guard import REQUESTS, Guard, guard_of
from archiver.vault.holds import standing
from archiver.vault.inventory import Inventory
from archiver.vault.manifest import ObjectRef


class Level(enum.Enum):
    """How deep a check goes."""

    NAMES = "names"
    """Every object is there with its size: from the listing, nothing is read."""
    PROVIDER = "provider"
    """The provider's own SHA-256 as well, of the stores that can tell it."""
    FULL = "full"
    """Every byte is read and hashed."""


@dataclass(frozen=True, slots=True)
class Proof:
    """An object of a store was read whole and had this SHA-256. `time` is RFC 3339, in UTC."""

    sha256: str
    time: str


class Proofs(Protocol):
    """Remembers what was read; the state implements it (`archiver.proofs`). Thread-safe."""

    def known(self, store: str) -> Mapping[str, Proof]:
        """The latest proof of each object of the store (its URL), by name."""

    def keep(self, store: str, refs: Sequence[ObjectRef]) -> None:
        """These objects were read whole just now, and are what they must be."""

    def drop(self, store: str, name: str) -> None:
        """The object is not what it must be."""

    def note(self, store: str, level: Level, faults: int, share: float, oldest: str | None) -> None:
        """A check of the store has ended: faults, share of the bytes ever read, time of the oldest proof."""

    def note_locks(self, store: str, protection: str, looked: int, lacking: int) -> None:
        """What the place does against deletion, how many objects' locks were looked at, and how many lack something."""


@dataclass(frozen=True, slots=True)
class Expense:
    """What something costs at a store: requests, and bytes that leave it."""

    url: str
    requests: int = 0
    egress: int = 0

    def plus(self, other: Expense) -> Expense:
        """Both together, at this store."""
        return Expense(self.url, self.requests + other.requests, self.egress + other.egress)


Agree = Callable[[Sequence[Expense]], object]
"""Told what is about to be spent, a store each; it may raise, and then nothing is."""


def cost_of_reading(url: str, refs: Iterable[ObjectRef]) -> Expense:
    """Of reading these objects whole: a look at each, then its pieces."""
    sizes = [ref.size for ref in refs]
    return Expense(url, sum(1 + -(-size // CHUNK) for size in sizes), sum(sizes))


@dataclass(frozen=True, slots=True)
class Plan:
    """A store, the objects it should hold in the order of their treatment, how many of them are read, and what the
    store promises against deletion (None: nothing, or nobody asks)."""

    store: Store
    level: Level
    expected: Sequence[ObjectRef]
    read: int
    guard: Guard | None = None

    @property
    def reads(self) -> Sequence[ObjectRef]:
        """The objects that are read whole."""
        return self.expected[: self.read]

    @property
    def locks(self) -> int:
        """Of how many objects, from the first on, the lock is asked: of those that are looked at one by one anyway."""
        if self.guard is None or not self.guard.promises or self.level is Level.NAMES:
            return 0
        return self.read if self.level is Level.FULL else len(self.expected)

    @property
    def expense(self) -> Expense:
        """What it costs beyond the listing, which is made before."""
        asked = len(self.expected) if self.level is Level.PROVIDER else 0
        asked += REQUESTS * self.locks
        return cost_of_reading(self.store.url, self.reads).plus(Expense(self.store.url, asked))


def plan(
    store: Store,
    inventory: Inventory,
    level: Level,
    budget: int | None,
    proofs: Proofs | None,
    *,
    locks: bool = False,
) -> Plan:
    """Everything the store should hold. What was never read comes first, then what was read longest ago.

    budget: bytes that may be read; one object is read even if it alone has more. Without `proofs` nothing is
    remembered: with a budget the objects are taken at random, so that every one has its turn sooner or later. locks:
    look at their Object Lock as well, where the store promises one.
    """
    if store.url in inventory.failed:
        return Plan(store, level, (), 0)
    expected = sorted(inventory.objects.values(), key=lambda ref: ref.name)
    guard = guard_of(store, standing(inventory.manifests)) if locks else None
    if level is not Level.FULL:
        return Plan(store, level, expected, 0, guard)
    if proofs is not None:
        known = proofs.known(store.url)
        expected.sort(key=lambda ref: _last_read(known, ref))
    elif budget is not None:
        random.shuffle(expected)
    return Plan(store, level, expected, len(expected) if budget is None else _within(budget, expected), guard)


def _last_read(known: Mapping[str, Proof], ref: ObjectRef) -> str:
    found = known.get(ref.name)
    return found.time if found is not None and found.sha256 == ref.sha256 else ""


def _within(budget: int, refs: Sequence[ObjectRef]) -> int:
    """How many of the first ones are within the budget; one at least."""
    read = 0
    for number, ref in enumerate(refs):
        read += ref.size
        if read > budget:
            return max(1, number)
    return len(refs)
