"""What the destruction of an era would take away, and what stands against it. Nothing is destroyed here. No keys.

An era ends in all stores or in none: as long as one copy of its key file is left anywhere, its packs can be read. So
the plan counts every store, and one that cannot be asked stands against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from archiver.errors import ConfigError, MailarkError, ObjectMissingError
from archiver.monitor import Monitor
from archiver.stores.interface import Store
from archiver.vault.guard import REQUESTS, Guard, guard_of
from archiver.vault.holds import ALL, era_of, is_era, standing
from archiver.vault.inventory import Inventory, take
from archiver.vault.manifest import ObjectRef
from archiver.vault.plan import Agree, Expense


@dataclass(slots=True)
class Doomed:
    """One store. objects, size: what would go there · locked, held: those that Object Lock keeps, and those under its
    legal hold · until: the last day of these retentions."""

    url: str
    objects: int = 0
    size: int = 0
    locked: int = 0
    held: int = 0
    until: datetime | None = None


@dataclass(slots=True)
class PurgePlan:
    """objects: everything of the era that any store should hold or holds; of what no manifest names, without a hash ·
    commits: how many manifests name some of it; they stay · against: why it must not be done now, a line each; empty
    when nothing stands against it."""

    era: str
    objects: list[ObjectRef] = field(default_factory=list)
    commits: int = 0
    stores: list[Doomed] = field(default_factory=list)
    against: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """2 when something stands against it: it could not be done as asked; otherwise 0."""
        return ConfigError.exit_code if self.against else 0


def plan(
    stores: Sequence[Store], root: Ed25519PublicKey, era: str, monitor: Monitor, now: datetime, agree: Agree = len
) -> PurgePlan:
    """Look at everything of the era in every store. `agree` is told the number of requests before they are made.

    ConfigError when this is no era, or nothing of it is in any store.
    """
    if not is_era(era):
        raise ConfigError(f"{era} is no era", "eras are written as mail-2026")
    inventory = take(stores, root)
    found = PurgePlan(era, _objects(inventory, era))
    if not found.objects:
        raise ConfigError(f"no store that answers has anything of {era}")
    found.commits = sum(any(era_of(ref.name) == era for ref in m.objects) for m in inventory.manifests)
    found.against = list(_reasons(inventory, stores, era, now))
    guards = [guard for store in stores if (guard := _guard(store, inventory)) is not None]
    agree([Expense(guard.store.url, REQUESTS * len(found.objects)) for guard in guards])
    locking = {guard.store.url: guard for guard in guards}
    for store in stores:
        if store.url in inventory.listed:
            doomed = _doomed(store, inventory, era)
            found.stores.append(doomed)
            if store.url in locking:
                found.against += _locks(locking[store.url], doomed, found.objects, monitor, now)
    return found


def _objects(inventory: Inventory, era: str) -> list[ObjectRef]:
    """Everything of the era: what manifests name, and what else lies under its names in some store (without a hash)."""
    refs = {name: ObjectRef("", size, name) for names in inventory.listed.values() for name, size in names.items()}
    return [ref for name, ref in sorted({**refs, **inventory.objects}.items()) if era_of(name) == era]


def _guard(store: Store, inventory: Inventory) -> Guard | None:
    guard = guard_of(store, standing(inventory.manifests)) if store.url in inventory.listed else None
    return guard if guard is not None and guard.protection.lockable else None


def _reasons(inventory: Inventory, stores: Sequence[Store], era: str, now: datetime) -> list[str]:
    """What can be told from the listings and the manifests."""
    against = []
    if int(era[-4:]) >= now.astimezone(UTC).year:
        against.append(f"{era} is not over: messages are still archived into it")
    holds = [hold for hold in standing(inventory.manifests) if hold.era in (era, ALL)]
    against += [f"the hold {hold.name} of {hold.since:%Y-%m-%d} covers {hold.era}" for hold in holds]
    against += [f"{store.url} cannot be read" for store in stores if store.url in inventory.failed]
    against += [f"{fault.name}: {fault.reason}; what the holds are cannot be told" for fault in inventory.faults]
    return against


def _doomed(store: Store, inventory: Inventory, era: str) -> Doomed:
    """By the listing: what lies there, named by a manifest or not."""
    sizes = [size for name, size in inventory.listed[store.url].items() if era_of(name) == era]
    return Doomed(store.url, len(sizes), sum(sizes))


def _locks(guard: Guard, doomed: Doomed, objects: Sequence[ObjectRef], monitor: Monitor, now: datetime) -> list[str]:
    """Ask for the lock of each object; what Object Lock keeps stands against it."""
    url = guard.store.url
    monitor.begin(url, len(objects), 0)

    def look(ref: ObjectRef) -> None:
        try:
            lock = guard.store.lock(ref.name)
        except ObjectMissingError:
            return
        doomed.held += lock.held
        if lock.until is not None and lock.until > now:
            doomed.locked += 1
            doomed.until = max(doomed.until or lock.until, lock.until)
        monitor.advance(url, 1, 0)

    try:
        for ref in objects:
            look(ref)
    except MailarkError as error:
        return [f"{url} does not tell its locks: {error}"]
    finally:
        monitor.end(url, f"{doomed.locked} locked, {doomed.held} held")
    against = [f"{url}: {doomed.held} objects are under a legal hold"] if doomed.held else []
    if doomed.until is not None:
        against.append(f"{url}: {doomed.locked} objects are retained, the last until {doomed.until:%Y-%m-%d}")
    return against
