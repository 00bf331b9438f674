"""Looks at every object of every store, as deep as planned, and compares with what is expected. No keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from archiver.errors import MailarkError, ObjectMissingError, StoreError
from archiver.model import Problem
from archiver.monitor import Monitor
from archiver.stores.abilities import checksum
from archiver.stores.interface import Data, Stat, Store
from archiver.vault.copying import fault_of, size_fault_of
from archiver.vault.inventory import STORES_AT_ONCE, Fault, Inventory
from archiver.vault.manifest import ObjectRef
from archiver.vault.plan import Level, Plan, Proofs

GIVE_UP = 20
"""Failures in a row after which a store is taken for gone."""

REMEMBER_AT = 32
"""Objects that were read and are then remembered together: about 1 GiB of packs."""


@dataclass(slots=True)
class Audit:
    """One store: how many objects and bytes are sound as far as was looked, its faults, and why it could not be read
    to its end.

    read, read_size: objects and bytes that were read whole now · told: objects whose SHA-256 the provider told ·
    protection: what the place does against deletion, in words, "" where it can do nothing · locks: objects whose lock
    was looked at · unlocked: those that lack something of what is promised; their bytes may be right.
    """

    url: str
    sound: int = 0
    size: int = 0
    faults: list[Fault] = field(default_factory=list)
    error: MailarkError | None = None
    read: int = 0
    read_size: int = 0
    told: int = 0
    protection: str = ""
    locks: int = 0
    unlocked: list[Fault] = field(default_factory=list)


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


def audit(plans: Sequence[Plan], inventory: Inventory, monitor: Monitor, proofs: Proofs | None = None) -> list[Audit]:
    """Every store as planned, side by side, in the order of `plans`. Faults go to the monitor as well."""
    audits = [_StoreAudit(plan, inventory, monitor, proofs) for plan in plans]
    with ThreadPoolExecutor(STORES_AT_ONCE, "audit") as pool:
        return list(pool.map(lambda found: found.run(), audits))


class _StoreAudit:
    """Works through the plan of one store."""

    def __init__(self, plan: Plan, inventory: Inventory, monitor: Monitor, proofs: Proofs | None) -> None:
        self._plan, self._store, self._monitor, self._proofs = plan, plan.store, monitor, proofs
        self._listed = inventory.listed.get(plan.store.url, {})
        self._found = Audit(plan.store.url, error=inventory.failed.get(plan.store.url))
        if plan.guard is not None:
            self._found.protection = str(plan.guard.protection)
        self._proven: list[ObjectRef] = []

    def run(self) -> Audit:
        plan, found, url = self._plan, self._found, self._store.url
        self._monitor.begin(url, len(plan.expected), sum(ref.size for ref in plan.reads))
        failures = 0
        for number, ref in enumerate(plan.expected):
            try:
                reason = self._read(ref) if number < plan.read else self._look(ref)
                failures = 0
            except MailarkError as error:
                reason = f"cannot be read: {error}"
                failures += 1
            self._note(ref, reason)
            if not reason and number < plan.locks:
                self._see_lock(ref)
            self._monitor.advance(url, 1, ref.size if number < plan.read else 0)
            if failures == GIVE_UP:
                found.error = StoreError(f"{url}: {GIVE_UP} objects in a row could not be read", "Mend the store.")
                break
        self._remember()
        if found.error:
            self._monitor.problem(Problem(url, str(found.error)))
        self._monitor.end(url, f"{found.sound} of {len(plan.expected)} objects sound")
        return found

    def _read(self, ref: ObjectRef) -> str:
        """Read it whole, and remember it as proven."""
        if reason := fault_of(self._store, ref):
            return reason
        self._found.read += 1
        self._found.read_size += ref.size
        self._proven.append(ref)
        if len(self._proven) >= REMEMBER_AT:
            self._remember()
        return ""

    def _look(self, ref: ObjectRef) -> str:
        """By the listing; by the object itself where that says no, for some stores list late; by the provider's sum."""
        if self._listed.get(ref.name) != ref.size and (reason := size_fault_of(self._store, ref)):
            return reason
        told = checksum(self._store, ref.name) if self._plan.level is Level.PROVIDER else None
        self._found.told += told is not None
        return "" if told in (None, ref.sha256) else "wrong bytes (the provider's SHA-256 differs)"

    def _see_lock(self, ref: ObjectRef) -> None:
        if self._plan.guard is None:
            return
        try:
            reason = self._plan.guard.shortfall(ref.name)
        except MailarkError as error:
            reason = f"its lock cannot be told: {error}"
        self._found.locks += 1
        if reason:
            self._found.unlocked.append(Fault(ref.name, self._store.url, reason))
            self._monitor.problem(Problem(f"{self._store.url} {ref.name}", reason))

    def _note(self, ref: ObjectRef, reason: str) -> None:
        if not reason:
            self._found.sound += 1
            self._found.size += ref.size
            return
        self._found.faults.append(Fault(ref.name, self._store.url, reason))
        self._monitor.problem(Problem(f"{self._store.url} {ref.name}", reason))
        if self._proofs is not None:
            self._proofs.drop(self._store.url, ref.name)

    def _remember(self) -> None:
        """Often enough that little is read again after a cut."""
        if self._proofs is not None and self._proven:
            self._proofs.keep(self._store.url, self._proven)
        self._proven = []
