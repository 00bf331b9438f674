"""Brings the objects of stores with Object Lock to what they should carry: retention and legal hold. No keys.

Every object is looked at before it is changed, so a pass that was cut is simply begun again: what carries its lock
already costs the look only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from archiver.errors import MailarkError, ObjectMissingError
from archiver.model import Problem
from archiver.monitor import Monitor
from archiver.stores.abilities import Locks
from archiver.stores.interface import Store
from archiver.stores.locks import Lock, shortfall
from archiver.threads import side_by_side
from archiver.vault.guard import Guard, guard_of
from archiver.vault.holds import standing
from archiver.vault.inventory import Inventory, take
from archiver.vault.plan import Agree, Expense

MOST_REQUESTS = 4
"""Of an object: up to two to see its lock, one for the retention, one for the hold."""


@dataclass(slots=True)
class Locked:
    """One store after a pass. looked: objects whose lock was seen · changed: those that got another · missing: those
    that are not there, which is for `repair` · error: what ended the pass early."""

    url: str
    looked: int = 0
    changed: int = 0
    missing: int = 0
    error: MailarkError | None = None


Wanted = Callable[[Guard, str, Lock], Lock]
"""Given the store's guard, an object's name and the lock it carries: the lock it should carry."""


def lock(
    stores: Sequence[Store],
    root: Ed25519PublicKey,
    monitor: Monitor,
    agree: Agree = len,
    only: Collection[str] = (),
) -> list[Locked]:
    """Give every object the retention its store promises, and the legal hold if a hold covers it. Lifts nothing.

    only: URLs of the stores to treat (none means all); the others still help to tell what there should be · agree: told
    the number of requests before they are made.
    """
    inventory = take(stores, root)
    chosen = [store for store in stores if not only or store.url in only]
    guards = [guard for guard in guards_of(chosen, inventory) if guard.promises]
    names = sorted(inventory.objects)
    agree(expenses(guards, len(names)))
    return [bring(guard, names, _promised, monitor) for guard in guards] + failures(chosen, inventory)


def guards_of(stores: Sequence[Store], inventory: Inventory) -> list[Guard]:
    """The stores in places with Object Lock that could be listed."""
    holds = standing(inventory.manifests)
    found = (guard_of(store, holds) for store in stores if store.url in inventory.listed)
    return [guard for guard in found if guard is not None and guard.protection.lockable]


def failures(stores: Sequence[Store], inventory: Inventory) -> list[Locked]:
    """The stores that could not be listed: nobody knows whether they lock."""
    return [Locked(s.url, error=inventory.failed[s.url]) for s in stores if s.url in inventory.failed]


def expenses(guards: Iterable[Guard], objects: int) -> list[Expense]:
    """The requests of a pass over so many objects, at most."""
    return [Expense(guard.store.url, MOST_REQUESTS * objects) for guard in guards]


def bring(guard: Guard, names: Sequence[str], wanted: Wanted, monitor: Monitor) -> Locked:
    """Give the objects of one store the locks that are `wanted`; a store that fails is left at its first failure."""
    done, counting, url = Locked(guard.store.url), threading.Lock(), guard.store.url

    def one(name: str) -> None:
        try:
            changed = _change(guard.store, name, partial(wanted, guard, name))
        except ObjectMissingError:
            changed = None
        with counting:
            done.looked += changed is not None
            done.missing += changed is None
            done.changed += changed is True
        monitor.advance(url, 1, 0)

    monitor.begin(url, len(names), 0)
    try:
        side_by_side([partial(one, name) for name in names], guard.at_once, "lock")
    except MailarkError as error:
        done.error = error
        monitor.problem(Problem(url, str(error)))
    monitor.end(url, f"{done.changed} of {done.looked} locks changed")
    return done


def _change(store: Locks, name: str, wanted: Callable[[Lock], Lock]) -> bool:
    """Whether something had to be changed."""
    found = store.lock(name)
    goal = wanted(found)
    lacks = bool(shortfall(replace(goal, held=False), found))
    retention = lacks and goal.until is not None and goal.until > datetime.now(UTC)
    if retention:
        store.retain(name, goal)
    if goal.held != found.held:
        store.hold(name, on=goal.held)
    return retention or goal.held != found.held


def _promised(guard: Guard, name: str, found: Lock) -> Lock:
    """What the store promises; a hold that no record of Mailark's speaks of stays.

    A default of the bucket that is younger than the object counts from when the object was written.
    """
    goal = guard.wanted(name, found)
    if goal.mode and goal.until is None and not found.mode and found.written is not None:
        goal = replace(goal, until=found.written + timedelta(days=guard.protection.days))
    return replace(goal, held=goal.held or found.held)
