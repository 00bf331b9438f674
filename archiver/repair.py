"""Heals a store from the others, without keys: every object that should be there, and is not or is damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from archiver.errors import MailarkError
from archiver.model import Problem
from archiver.monitor import Monitor
from archiver.stores.abilities import is_local
from archiver.stores.interface import Store
from archiver.vault.audit import Audit, audit
from archiver.vault.copying import copy_object, replace
from archiver.vault.guard import hold_new
from archiver.vault.holds import standing
from archiver.vault.inventory import Fault, Inventory, take
from archiver.vault.manifest import ObjectRef
from archiver.vault.plan import Agree, Expense, Level, Proofs, cost_of_reading, plan


@dataclass(slots=True)
class RepairReport:
    """healed: replaced by a copy with the right bytes (on a dry run: could be) · lost: what no store has undamaged, or
    nobody can judge · failed: stores that could not be read or written, by URL · size: bytes copied."""

    healed: list[Fault] = field(default_factory=list)
    lost: list[Fault] = field(default_factory=list)
    failed: dict[str, MailarkError] = field(default_factory=dict)
    size: int = 0
    dry_run: bool = False

    @property
    def exit_code(self) -> int:
        """7 when something stays damaged, 8 when a store failed, otherwise 0."""
        if self.lost or (self.dry_run and self.healed):
            return 7
        return 8 if self.failed else 0


def repair(
    stores: Sequence[Store],
    root: Ed25519PublicKey,
    monitor: Monitor,
    *,
    level: Level = Level.FULL,
    dry_run: bool = False,
    agree: Agree = len,
    proofs: Proofs | None = None,
) -> RepairReport:
    """Bring every store to hold everything, undamaged; a damaged object is deleted once its replacement is at hand.

    `root` is the archive's root key (see `inventory.find_root`); `level`: how deep to look for damage. Nothing is
    healed in a store, nor from one, that could not be looked at to its end. `agree` is told the expenses before they
    are made: those of looking, then those of healing. `proofs`: where to remember what is read and right now, healed
    objects included, for each is read back. Needs room for the largest object in the temporary folder.
    """
    inventory = take(stores, root)
    plans = [plan(store, inventory, level, None, proofs) for store in stores]
    agree([found.expense for found in plans])
    audits = audit(plans, inventory, monitor, proofs)
    report = RepairReport(lost=list(inventory.faults), dry_run=dry_run)
    report.failed = {found.url: found.error for found in audits if found.error}
    hold_new(stores, lambda _: standing(inventory.manifests), monitor)
    healing = _Healing(stores, inventory, audits, report, proofs)
    if not dry_run:
        agree(healing.expenses())
    healing.run()
    for fault in report.lost:
        monitor.problem(Problem(fault.name, fault.reason))
    for url, error in report.failed.items():
        monitor.problem(Problem(url, str(error)))
    return report


class _Healing:
    """Works through the faults of an audit, objects before the manifests that name them."""

    def __init__(
        self,
        stores: Sequence[Store],
        inventory: Inventory,
        audits: Sequence[Audit],
        report: RepairReport,
        proofs: Proofs | None,
    ) -> None:
        self._inventory = inventory
        self._report = report
        self._proofs = proofs
        self._readable = {store.url: store for store in stores if store.url not in report.failed}
        faults = [fault for found in audits if found.url in self._readable for fault in found.faults]
        self._faults = sorted(faults, key=lambda fault: (fault.name.startswith("manifests/"), fault))
        self._bad = {(fault.store, fault.name) for fault in faults}

    def expenses(self) -> list[Expense]:
        """Each copy is read from its source, and read back where it is written."""
        spent = {url: Expense(url) for url in self._readable}
        for fault in self._faults:
            once = [self._inventory.objects[fault.name]]
            for url in (fault.store, *(store.url for store in self._sources(fault)[:1])):
                spent[url] = spent[url].plus(cost_of_reading(url, once))
        return list(spent.values())

    def run(self) -> None:
        for fault in self._faults:
            if fault.store not in self._report.failed:
                self._heal(fault, self._inventory.objects[fault.name])

    def _heal(self, fault: Fault, ref: ObjectRef) -> None:
        """One object of one store; a store that cannot be written is left out from then on."""
        sources = self._sources(fault)
        target = self._readable[fault.store]
        try:
            if sources and self._report.dry_run:
                self._report.healed.append(fault)
            elif copy_object(ref, sources, lambda path: replace(target, ref, path)):
                self._report.healed.append(fault)
                self._report.size += ref.size
                if self._proofs is not None:
                    self._proofs.keep(target.url, [ref])
            else:
                self._report.lost.append(fault)
        except MailarkError as error:
            self._report.failed[target.url] = error

    def _sources(self, fault: Fault) -> list[Store]:
        """The stores that have it sound, those first that cost nothing to read."""
        sound = [store for url, store in self._readable.items() if (url, fault.name) not in self._bad]
        return sorted(sound, key=lambda store: not is_local(store.url))
