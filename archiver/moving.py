"""Moving house: fills a new store from the others, and tells whether a store can be done without. No keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from archiver.errors import StoreError
from archiver.model import Problem
from archiver.monitor import Monitor
from archiver.stores.abilities import is_local, parallel
from archiver.stores.interface import Store
from archiver.threads import side_by_side
from archiver.vault.copying import copy_object, fault_of, replace
from archiver.vault.guard import hold_new
from archiver.vault.holds import standing
from archiver.vault.inventory import Fault, Inventory, take
from archiver.vault.manifest import ObjectRef
from archiver.vault.plan import Agree, Expense, cost_of_reading


@dataclass(slots=True)
class Filled:
    """there: objects it held already · copied, size: objects and bytes written now · lost: what no store has undamaged,
    or nobody can judge."""

    there: int = 0
    copied: int = 0
    size: int = 0
    lost: list[Fault] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """7 when something is lost, otherwise 0."""
        return 7 if self.lost else 0


def fill(new: Store, others: Sequence[Store], root: Ed25519PublicKey, monitor: Monitor, agree: Agree = len) -> Filled:
    """Copy everything the others hold into the new store, objects before manifests, and manifests in their order.

    Every copy has the right SHA-256 when it is sent. What the store lists with its size is there: a fill that was cut
    goes on where it was. `agree` is told the expenses before they are made. Runs beside `backup`: what is archived
    meanwhile the next run brings. Raises what the new store raises; StoreError when none of the others can be read.
    """
    inventory = take(others, root)
    sources = [store for store in others if store.url not in inventory.failed]
    if not sources:
        raise next(iter(inventory.failed.values()), StoreError("there is no store to fill it from"))
    hold_new([new], lambda _: standing(inventory.manifests), monitor)
    return _Filling(new, sorted(sources, key=lambda store: not is_local(store.url)), inventory, monitor).run(agree)


class _Filling:
    """One fill. Objects go side by side where the new store gains by it."""

    def __init__(self, new: Store, sources: Sequence[Store], inventory: Inventory, monitor: Monitor) -> None:
        self._new, self._sources, self._monitor = new, sources, monitor
        self._expected = sorted(inventory.objects.values(), key=lambda ref: ref.name)
        self._listed = {stat.name: stat.size for stat in new.list()}
        self.filled = Filled(lost=list(inventory.faults))

    def run(self, agree: Agree) -> Filled:
        missing = [ref for ref in self._expected if self._listed.get(ref.name) != ref.size]
        self.filled.there = len(self._expected) - len(missing)
        agree([cost_of_reading(self._sources[0].url, missing), Expense(self._new.url, len(missing))])
        self._monitor.begin(self._new.url, len(missing), sum(ref.size for ref in missing))
        manifests = [ref for ref in missing if ref.name.startswith("manifests/")]
        objects = [ref for ref in missing if not ref.name.startswith("manifests/")]
        side_by_side([partial(self._copy, ref) for ref in objects], parallel(self._new), "fill")
        for ref in manifests:
            self._copy(ref)
        self._monitor.end(self._new.url, f"{self.filled.copied} of {len(missing)} objects copied")
        for fault in self.filled.lost:
            self._monitor.problem(Problem(fault.name, fault.reason))
        return self.filled

    def _copy(self, ref: ObjectRef) -> None:
        if not copy_object(ref, self._sources, partial(self._put, ref)):
            self.filled.lost.append(Fault(ref.name, "", "no store has it undamaged"))
            return
        self.filled.copied += 1
        self.filled.size += ref.size
        self._monitor.advance(self._new.url, 1, ref.size)

    def _put(self, ref: ObjectRef, path: Path) -> None:
        """Where something else lies under the name, such as half an object of a fill that was cut, it is replaced."""
        if not self._new.put_if_absent(ref.name, path) and fault_of(self._new, ref):
            replace(self._new, ref, path)


def short_without(leaving: str, stores: Sequence[Store], root: Ed25519PublicKey, copies: int) -> list[str]:
    """The objects that fewer than `copies` of the other stores list with their size, sorted by name."""
    inventory = take(stores, root)
    listings = [names for url, names in inventory.listed.items() if url != leaving]
    return [
        name
        for name, ref in sorted(inventory.objects.items())
        if sum(names.get(name) == ref.size for names in listings) < copies
    ]
