"""A writer that crashes and stores that fail, around the real push: every schedule of few faults is tried.

A night archives one message: it is sealed and recorded, and everything recorded is pushed. A fault strikes one
operation of a store or of the journal. After a crash the night begins again from what is durable. After the last night,
and a night without a fault, nothing may be missing, half there, or there twice.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from archiver.errors import IntegrityError, MailarkError
from archiver.monitor import Silent
from archiver.stores.faulty import Fault, FaultyStore, When
from archiver.stores.interface import Store
from archiver.stores.memory import MemoryStore
from archiver.vault.commit import Commit, Outcome, Push, Staged
from archiver.vault.delivery import Delivery

STORES = ("a", "b", "c")
COPIES = 2
NIGHTS = 2


class CrashError(BaseException):
    """The process dies here."""


class BrokenError(AssertionError):
    """An invariant of the protocol does not hold."""


STORE_FAULTS = (
    Fault(When.BEFORE),
    Fault(When.AFTER),
    Fault(When.BEFORE, CrashError()),
    Fault(When.AFTER, CrashError()),
)
JOURNAL_FAULTS = STORE_FAULTS[2:]
Schedule = tuple[tuple[int, Fault], ...]
"""Faults of one night: (number of the operation within the night, what happens there)."""


@dataclass
class Disk:
    """All that survives a crash: the stores and the journal's rows."""

    stores: dict[str, dict[str, bytes]] = field(default_factory=lambda: {name: {} for name in STORES})
    commits: dict[int, Commit] = field(default_factory=dict)
    confirmed: frozenset[tuple[int, str]] = frozenset()
    cursor: int = 0
    released: frozenset[int] = frozenset()
    seals: int = 0
    spool: dict[int, Commit] = field(default_factory=dict)
    """Sealed, its packs recorded, and in no commit yet."""

    def copy(self) -> Disk:
        stores = {name: dict(objects) for name, objects in self.stores.items()}
        return Disk(
            stores, dict(self.commits), self.confirmed, self.cursor, self.released, self.seals, dict(self.spool)
        )

    def key(self) -> object:
        stores = tuple(frozenset(objects.items()) for objects in self.stores.values())
        spool = frozenset(self.spool.items())
        return stores, frozenset(self.commits.items()), self.confirmed, self.cursor, self.released, spool


class Clock:
    """Counts the operations of a night and strikes the planned ones; `kinds` is what could strike each."""

    def __init__(self, plan: Schedule = ()) -> None:
        self.plan = dict(plan)
        self.kinds: list[tuple[Fault, ...]] = []

    def strike(self, kinds: tuple[Fault, ...]) -> Fault | None:
        self.kinds.append(kinds)
        return self.plan.get(len(self.kinds) - 1)


class ModelJournal:
    """The product's Journal over a `Disk`; every change is atomic and may be the last thing the process does."""

    def __init__(self, disk: Disk, clock: Clock) -> None:
        self.disk = disk
        self.clock = clock
        self._lock = threading.Lock()

    def _durably(self, change: Callable[[], None]) -> None:
        with self._lock:
            fault = self.clock.strike(JOURNAL_FAULTS)
            if fault and fault.when is When.BEFORE:
                raise CrashError
            change()
            if fault:
                raise CrashError

    def record(self, commit: Commit) -> None:
        self._durably(lambda: self.disk.commits.__setitem__(commit.seq, commit))

    def seal(self, commit: Commit) -> None:
        self._durably(lambda: self.disk.spool.__setitem__(commit.seq, commit))

    def unfinished(self) -> list[Commit]:
        return [commit for seq, commit in sorted(self.disk.commits.items()) if seq not in self.disk.released]

    def confirmations(self, seq: int) -> frozenset[str]:
        return frozenset(url for number, url in self.disk.confirmed if number == seq)

    def confirm(self, seq: int, store_url: str) -> None:
        self._durably(lambda: setattr(self.disk, "confirmed", self.disk.confirmed | {(seq, store_url)}))

    def settle(self, seq: int) -> None:
        if seq > self.disk.cursor:
            self._durably(lambda: setattr(self.disk, "cursor", seq))

    def release(self, seq: int) -> None:
        self._durably(lambda: setattr(self.disk, "released", self.disk.released | {seq}))


class Run(Protocol):
    """A push from its beginning to its end."""

    def run(self) -> Outcome: ...


Pushes = Callable[[Sequence[Store], int, ModelJournal, Silent], Run]


class OneAfterAnother(Push):
    """The real push, its stores in order instead of in threads."""

    def run(self) -> Outcome:
        self.reload()
        self.side_by_side([store for store in self.stores if self.waiting(store)])
        return self.outcome()

    def side_by_side(self, stores: Sequence[Store]) -> None:
        for store in stores:
            for _ in self.steps(store):
                pass


class InTurn(OneAfterAnother):
    """The real push, one step of each store in turn."""

    def side_by_side(self, stores: Sequence[Store]) -> None:
        running: list[Iterator[None]] = [self.steps(store) for store in stores]
        while running:
            running = [steps for steps in running if next(steps, self) is not self]


class AllAtOnce(OneAfterAnother):
    """Several objects of a commit under way at once: the last may be the first there, and one's failure stops none."""

    def put_objects(self, store: Store, objects: Sequence[Staged]) -> Iterator[None]:
        failures: list[MailarkError] = []
        for staged in reversed(objects):
            try:
                self.put_object(store, staged)
            except MailarkError as error:
                failures.append(error)
            yield
        if failures:
            raise failures[0]


class SentAhead(OneAfterAnother):
    """Packs are sent when they are sealed, before a commit that names them is recorded."""

    journal: ModelJournal

    def run(self) -> Outcome:
        self.reload()
        waiting = [one for seq, one in sorted(self.journal.disk.spool.items()) if seq not in self.journal.disk.commits]
        self.ahead.add(staged for commit in waiting for staged in commit.objects)
        self.side_by_side(self.stores)
        for commit in waiting:
            self.journal.record(commit)
        return super().run()


class Threads:
    """The product's own delivery, a thread a store; with `parallel` stores, threads for their objects too."""

    def __init__(self, stores: Sequence[Store], copies: int, journal: ModelJournal, monitor: Silent) -> None:
        self.delivery = Delivery(stores, copies, journal, monitor)

    def run(self) -> Outcome:
        try:
            self.delivery.refresh()
            return self.delivery.wait()
        finally:
            self.delivery.end()


class ParallelThreads(Threads):
    """The same over stores that take three objects at once."""

    def __init__(self, stores: Sequence[Store], copies: int, journal: ModelJournal, monitor: Silent) -> None:
        super().__init__([Wide(store) for store in stores], copies, journal, monitor)


class Wide(FaultyStore):
    """A store that gains by several objects at once."""

    parallel = 3

    def __init__(self, inner: Store) -> None:
        super().__init__(inner, lambda operation, name: None)


def object_of(body: bytes) -> Staged:
    digest = hashlib.sha256(body).hexdigest()
    return Staged(f"packs/mail-2026/{digest}.age", len(body), digest, data=body)


def seal(disk: Disk, seq: int) -> Commit:
    """Seal message `seq`: like encryption, never the same bytes twice. The first commit has two objects."""
    disk.seals += 1
    bodies = [b"message %d sealed %d part %d" % (seq, disk.seals, part) for part in range(1 + seq % 2)]
    objects = tuple(object_of(body) for body in bodies)
    lines = "".join(f"object {o.sha256} {o.size} {o.name}\n" for o in objects)
    return Commit(seq, f"manifests/w/{seq:010d}", f"seq {seq}\n{lines}".encode(), objects)


Night = Callable[[Disk, int, ModelJournal], None]


def record_tonight(disk: Disk, night: int, journal: ModelJournal) -> None:
    """What a run does before it pushes: seal and record tonight's message, unless a run before the crash did."""
    if night not in disk.commits:
        journal.record(seal(disk, night))


def seal_tonight(disk: Disk, night: int, journal: ModelJournal) -> None:
    """The same for packs that are sent ahead: they are recorded, their commit is not."""
    if night not in disk.spool:
        journal.seal(seal(disk, night))


def run_night(
    disk: Disk, night: int, plan: Schedule, push: Pushes, record: Night = record_tonight
) -> tuple[Clock, bool]:
    """One night with these faults, changing `disk`; its clock, and whether it ended without a crash."""
    clock = Clock(plan)
    journal = ModelJournal(disk, clock)
    stores = [
        FaultyStore(MemoryStore(name, disk.stores[name]), lambda operation, name: clock.strike(STORE_FAULTS))
        for name in STORES
    ]
    try:
        record(disk, night, journal)
        push(stores, COPIES, journal, Silent()).run()
    except CrashError:
        return clock, False
    except IntegrityError as error:
        raise BrokenError(f"a manifest was written twice: {error}") from error
    return clock, True


def holds(objects: dict[str, bytes], manifest: bytes) -> bool:
    """Whether everything the manifest names is there, with the right bytes."""
    named = [line.split() for line in manifest.decode().splitlines() if line.startswith("object")]
    return all(name in objects and hashlib.sha256(objects[name]).hexdigest() == sha for _, sha, _, name in named)


def check_always(disk: Disk) -> None:
    """What must hold at every moment, in the middle of a crash too."""
    manifests = [{n: b for n, b in objects.items() if n.startswith("manifests/")} for objects in disk.stores.values()]
    for name, objects, visible in zip(disk.stores, disk.stores.values(), manifests, strict=True):
        if not all(holds(objects, manifest) for manifest in visible.values()):
            raise BrokenError(f"store {name} shows a manifest without its objects")
        if sorted(visible) != [f"manifests/w/{seq:010d}" for seq in range(1, len(visible) + 1)]:
            raise BrokenError(f"store {name} has a gap in its chain")
    for seq in range(1, disk.cursor + 1):
        if sum(f"manifests/w/{seq:010d}" in visible for visible in manifests) < COPIES:
            raise BrokenError(f"the cursor moved to {disk.cursor} before {COPIES} stores held commit {seq}")


def check_in_the_end(disk: Disk, nights: int) -> None:
    """What must hold once nights without faults have passed."""
    check_always(disk)
    first, *others = disk.stores.values()
    if any(objects != first for objects in others):
        raise BrokenError("the stores differ")
    if disk.cursor != nights or disk.released != frozenset(range(1, nights + 1)):
        raise BrokenError(f"cursor {disk.cursor}, released {sorted(disk.released)} after {nights} nights")
    packs = [body for name, body in first.items() if name.startswith("packs/")]
    expected = [(seq, part) for seq in range(1, nights + 1) for part in range(1 + seq % 2)]
    if sorted((int(body.split()[1]), int(body.split()[5])) for body in packs) != expected:
        raise BrokenError(f"{len(packs)} objects for {len(expected)}: lost, or sealed and kept twice")


class Explorer:
    """Tries every schedule of at most so many faults; a durable state met before is counted, not run, again."""

    def __init__(self, push: Pushes, record: Night = record_tonight) -> None:
        self.push = push
        self.record = record
        self.runs = 0
        self._counted: dict[object, int] = {}

    def explore(self, faults: int) -> int:
        """How many schedules there are; raises BrokenError at the first that breaks an invariant."""
        return self._from(Disk(), 1, faults)

    def _from(self, disk: Disk, night: int, faults: int) -> int:
        key = (disk.key(), night, faults)
        if key not in self._counted:
            self._counted[key] = self._night(disk, night, (), faults) if night <= NIGHTS else self._converge(disk)
        return self._counted[key]

    def _night(self, disk: Disk, night: int, plan: Schedule, faults: int) -> int:
        """Schedules that begin with this plan tonight: those with no further fault tonight, and those with one more."""
        after, clock, survived = self._run(disk, night, plan)
        count = self._from(after, night + survived, faults)
        for number in range(plan[-1][0] + 1 if plan else 0, len(clock.kinds)) if faults else ():
            for fault in clock.kinds[number]:
                count += self._night(disk, night, (*plan, (number, fault)), faults - 1)
        return count

    def _converge(self, disk: Disk) -> int:
        after, _, _ = self._run(disk, NIGHTS, ())
        check_in_the_end(after, NIGHTS)
        return 1

    def _run(self, disk: Disk, night: int, plan: Schedule) -> tuple[Disk, Clock, bool]:
        self.runs += 1
        after = disk.copy()
        clock, survived = run_night(after, night, plan, self.push, self.record)
        check_always(after)
        return after, clock, survived
