"""Sets and lifts legal holds: a signed record in every store, and Object Lock's hold on the objects where there is one.

A hold is set record first and lifted record last: at every moment in between it counts as standing. Both may be begun
again after a cut, and then do what is left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from archiver.errors import ConfigError, StoreError
from archiver.journal import Pending
from archiver.known_holds import KnownHolds
from archiver.locking import Locked, bring, expenses, failures, guards_of
from archiver.monitor import Monitor
from archiver.opening import Archive
from archiver.stores.locks import Lock
from archiver.vault import merkle
from archiver.vault.commit import Commit, Outcome, Staged
from archiver.vault.delivery import Delivery
from archiver.vault.guard import Guard, hold_new
from archiver.vault.holds import ALL, Hold, covered, end_note, era_of, hold_note, holds_of, standing
from archiver.vault.inventory import Inventory, foundation, take
from archiver.vault.manifest import FIRST_PREV, Manifest, Note, ObjectRef, sign
from archiver.vault.plan import Agree, Expense

NOTHING = Pending((), (), (), 0, 0, 0)


def utc_now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Holding:
    """What was done.

    holds: those that were set or lifted now · stores: the locks of the objects, of stores that have Object Lock, and
    stores that could not be listed · outcome: how far the record came, None when nothing was new · empty: eras to be
    held of which no store has a pack.
    """

    holds: list[Hold] = field(default_factory=list)
    stores: list[Locked] = field(default_factory=list)
    outcome: Outcome | None = None
    empty: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """8 when a store could not be read or changed, or too few have the record; otherwise 0. Then run it again."""
        unsettled = self.outcome is not None and self.outcome.unsettled
        return StoreError.exit_code if unsettled or any(store.error for store in self.stores) else 0


def holds_in(archive: Archive) -> list[Hold]:
    """Every hold that the stores' manifests speak of, lifted ones included."""
    return holds_of(_inventory(archive).manifests)


def hold(
    archive: Archive,
    name: str,
    eras: Sequence[str],
    monitor: Monitor,
    agree: Agree = len,
    now: Callable[[], datetime] = utc_now,
) -> Holding:
    """Set a hold of this name on the eras, on everything when none are given. One that stands already stays.

    `agree` is told the requests before anything is done. ConfigError: a name or era that cannot be written.
    """
    inventory = _up_to_date(archive, monitor)
    holds = standing(inventory.manifests)
    there = {(found.name, found.era) for found in holds}
    wanted = [era for era in dict.fromkeys(eras or [ALL]) if (name.strip(), era) not in there]
    notes = [hold_note(name, era) for era in wanted]
    mine = [Hold(name.strip(), era, "", now()) for era in eras or [ALL]]
    hold_new(archive.stores, lambda _: [*holds, *mine], monitor)
    names = _covered(inventory, mine)
    guards = guards_of(archive.stores, inventory)
    agree([*expenses(guards, len(names) + 1), *_records(archive, notes)])
    done = Holding(stores=failures(archive.stores, inventory), empty=_empty(inventory, eras))
    if notes:
        manifest, done.outcome = _record(archive, notes, monitor, now())
        done.holds = holds_of([manifest])
        names.append(manifest.name)
    done.stores += [bring(guard, names, _held, monitor) for guard in guards]
    return done


def release(
    archive: Archive, name: str, monitor: Monitor, agree: Agree = len, now: Callable[[], datetime] = utc_now
) -> Holding:
    """Lift every hold of this name. What another hold covers stays held; a store that fails keeps the hold standing.

    ConfigError when no hold of this name stands.
    """
    inventory = _up_to_date(archive, monitor)
    holds = standing(inventory.manifests)
    mine = [found for found in holds if found.name == name.strip()]
    if not mine:
        lifted = [found.ended for found in holds_of(inventory.manifests) if found.name == name.strip() and found.ended]
        if lifted:
            raise ConfigError(
                f'the hold "{name.strip()}" was lifted on {max(lifted):%Y-%m-%d}', "nothing is left to do"
            )
        raise ConfigError(f'no hold is named "{name.strip()}"', "see `mailark hold list`")
    others = [found for found in holds if found not in mine]
    hold_new(archive.stores, lambda _: others, monitor)
    names = [found for found in _covered(inventory, mine) if not covered(others, found)]
    guards = guards_of(archive.stores, inventory)
    notes = [end_note(found) for found in mine]
    agree([*expenses(guards, len(names)), *_records(archive, notes)])
    done = Holding(stores=failures(archive.stores, inventory))
    done.stores += [bring(guard, names, _free, monitor) for guard in guards]
    if not any(store.error for store in done.stores):
        _, done.outcome = _record(archive, notes, monitor, now())
        done.holds = mine
    return done


def _held(_guard: Guard, _name: str, found: Lock) -> Lock:
    return replace(found, held=True)


def _free(_guard: Guard, _name: str, found: Lock) -> Lock:
    return replace(found, held=False)


def _empty(inventory: Inventory, eras: Sequence[str]) -> list[str]:
    """A typing error names an era that nothing lies in, and leaves the one that was meant without its hold."""
    having = {era_of(name) for name in inventory.objects if name.startswith("packs/")}
    return [era for era in dict.fromkeys(eras) if era not in having]


def _covered(inventory: Inventory, holds: Sequence[Hold]) -> list[str]:
    return [name for name in sorted(inventory.objects) if covered(holds, name)]


def _up_to_date(archive: Archive, monitor: Monitor) -> Inventory:
    """The inventory, after everything that is recorded was brought to the stores."""
    hold_new(archive.stores, KnownHolds(archive.state, archive.machine.root).in_store, monitor)
    _finish(archive, monitor)
    inventory = _inventory(archive)
    _learn(archive, inventory.manifests)
    return inventory


def _inventory(archive: Archive) -> Inventory:
    """StoreError when no store answers, or damage hides what the manifests say: then nobody knows which holds stand."""
    heads = {archive.machine.writer: archive.journal.settled()}
    inventory = take(archive.stores, archive.machine.root, heads)
    if not inventory.listed:
        raise next(iter(inventory.failed.values()), StoreError("no store answers"))
    if lost := [fault for fault in inventory.faults if fault.name.startswith("manifests/")]:
        raise StoreError(f"{lost[0].name}: {lost[0].reason}", "mailark check")
    return inventory


def _records(archive: Archive, notes: Sequence[Note]) -> list[Expense]:
    return [Expense(store.url, 2) for store in archive.stores] if notes else []


def _record(archive: Archive, notes: Sequence[Note], monitor: Monitor, when: datetime) -> tuple[Manifest, Outcome]:
    """A commit of its own with nothing but the notes."""
    machine, (seq, prev) = archive.machine, archive.journal.head()
    refs = foundation(archive.stores, machine.root) if seq == 0 else []
    manifest = Manifest(
        archive=machine.archive,
        writer=machine.writer,
        seq=seq + 1,
        prev=prev or FIRST_PREV,
        time=when,
        messages=0,
        root=merkle.root([]),
        objects=tuple(ObjectRef(ref.sha256, ref.size, ref.name) for ref in refs),
        notes=tuple(notes),
    )
    signed = sign(manifest, machine.signing_key)
    staged = tuple(Staged(ref.name, ref.size, ref.sha256) for ref in refs)
    commit = Commit(manifest.seq, manifest.name, signed, staged)
    archive.journal.record(commit, hashlib.sha256(signed).hexdigest(), NOTHING, when)
    _learn(archive, [manifest])
    outcome = _finish(archive, monitor)
    if archive.catalog.sealed().get(machine.writer, 0) == seq and not outcome.unsettled:
        archive.catalog.seal(machine.writer, manifest.seq)  # it has no lines: nothing is to be looked for
    return manifest, outcome


def _learn(archive: Archive, manifests: Iterable[Manifest]) -> None:
    """The next `backup` puts what is covered with its hold, into a store that lacks the record as well."""
    KnownHolds(archive.state, archive.machine.root).learn(manifests)


def _finish(archive: Archive, monitor: Monitor) -> Outcome:
    """Bring the stores everything that is recorded."""
    settings = archive.settings.archive
    delivery = Delivery(archive.stores, settings.copies, archive.journal, monitor)
    try:
        delivery.refresh()
        return delivery.wait(settings.straggler_wait)
    finally:
        delivery.end()
