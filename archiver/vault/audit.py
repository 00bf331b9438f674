"""Reads every object of every store and compares its hash with what is expected. No keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from archiver.errors import MailarkError, ObjectMissingError, StoreError
from archiver.model import Problem
from archiver.monitor import Monitor
from archiver.stores.interface import Data, Stat, Store
from archiver.vault.copying import fault_of
from archiver.vault.inventory import STORES_AT_ONCE, Fault, Inventory

GIVE_UP = 20
"""Failures in a row after which a store is taken for gone."""


@dataclass(slots=True)
class Audit:
    """One store: how many objects and bytes are sound, its faults, and why it could not be read to its end."""

    url: str
    sound: int = 0
    size: int = 0
    faults: list[Fault] = field(default_factory=list)
    error: MailarkError | None = None


class SoundStore:
    """Reads each object from the first store whose copy an audit found sound; it cannot be written.

    Raises ObjectMissingError where there is no sound copy.
    """

    url = "sound:"

    def __init__(self, stores: Sequence[Store], audits: Sequence[Audit]) -> None:
        self._stores = [store for store, found in zip(stores, audits, strict=True) if found.error is None]
        self._bad = {(fault.store, fault.name) for found in audits for fault in found.faults}

    def put_if_absent(self, name: str, data: Data) -> bool:
        """Raises StoreError."""
        raise StoreError("only for reading")

    def get(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        return self._holder(name).get(name, start, size)

    def list(self, prefix: str = "") -> Iterator[Stat]:
        found = {stat.name: stat for store in self._stores for stat in store.list(prefix)}
        return iter(sorted(found.values(), key=lambda stat: stat.name))

    def stat(self, name: str) -> Stat | None:
        return self._holder(name).stat(name)

    def delete(self, name: str) -> None:
        """Raises StoreError."""
        raise StoreError("only for reading")

    def _holder(self, name: str) -> Store:
        for store in self._stores:
            if (store.url, name) not in self._bad:
                return store
        raise ObjectMissingError(f"no store has {name} undamaged")


def audit(stores: Sequence[Store], inventory: Inventory, monitor: Monitor) -> list[Audit]:
    """Every store against the inventory, side by side, in the order of `stores`. Faults go to the monitor as well."""
    with ThreadPoolExecutor(STORES_AT_ONCE, "audit") as pool:
        return list(pool.map(lambda store: _audit(store, inventory, monitor), stores))


def _audit(store: Store, inventory: Inventory, monitor: Monitor) -> Audit:
    found = Audit(store.url, error=inventory.failed.get(store.url))
    expected = [] if found.error else sorted(inventory.objects.values(), key=lambda ref: ref.name)
    monitor.begin(store.url, len(expected), sum(ref.size for ref in expected))
    failures = 0
    for ref in expected:
        try:
            reason = fault_of(store, ref)
            failures = 0
        except MailarkError as error:
            reason = f"cannot be read: {error}"
            failures += 1
        if reason:
            found.faults.append(Fault(ref.name, store.url, reason))
            monitor.problem(Problem(f"{store.url} {ref.name}", reason))
        else:
            found.sound += 1
            found.size += ref.size
        monitor.advance(store.url, 1, ref.size)
        if failures == GIVE_UP:
            found.error = StoreError(f"{store.url}: {GIVE_UP} objects in a row could not be read", "Mend the store.")
            break
    if found.error:
        monitor.problem(Problem(store.url, str(found.error)))
    monitor.end(store.url, f"{found.sound} of {len(expected)} objects sound")
    return found
