"""The commit protocol: what is recorded reaches every store, each in order; cursors move when enough stores hold it.

In each store, for each commit, oldest first: its objects unless they are there, in any order and several at once where
the store gains by it; then, when all of them are there, its manifest unless it is there. So a manifest that can be
seen has all its objects, and a store that holds commit N holds every commit before it. As soon as `copies` stores hold
a commit the journal settles it; when all hold it the journal releases its spool copies. Whatever happens in between,
the next push goes on with the same ciphertext: nothing is sealed twice.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from archiver.errors import ConfigError, IntegrityError, MailarkError, QuotaError, StoreError
from archiver.model import Problem
from archiver.monitor import Monitor
from archiver.stores.abilities import absence, parallel
from archiver.stores.interface import Data, Store
from archiver.stores.table import identity
from archiver.threads import side_by_side
from archiver.vault import manifest
from archiver.vault.ahead import Ahead
from archiver.vault.catchup import Commit, Staged, missing_before
from archiver.vault.copying import copy_object, fault_of, file_is, replace

__all__ = ["Commit", "Journal", "Outcome", "Push", "Staged", "StoreOutcome", "furnish"]


class Journal(Protocol):
    """What outlives a crash. Every method is one transaction, and thread-safe."""

    def unfinished(self) -> list[Commit]:
        """Commits recorded and not yet released, oldest first."""

    def confirmations(self, seq: int) -> frozenset[str]:
        """Identities of the stores known to hold the commit (`archiver.stores.table.identity`)."""

    def confirm(self, seq: int, store_url: str) -> None:
        """The store holds the commit; repeating it changes nothing."""

    def settle(self, seq: int) -> None:
        """Enough stores hold the commit: move the cursors it carries. Repeating it changes nothing."""

    def release(self, seq: int) -> None:
        """All stores hold the commit: its spool copies may go. Repeating it changes nothing."""


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """One store after a push: the numbers of the commits it holds and lacks, and what is wrong with it."""

    url: str
    holds: tuple[int, ...]
    lacks: tuple[int, ...]
    error: MailarkError | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """After a push: every store, and which commits enough stores hold. `unsettled` not empty means exit code 8."""

    stores: tuple[StoreOutcome, ...]
    settled: tuple[int, ...]
    unsettled: tuple[int, ...]


def furnish(stores: Sequence[Store], objects: Mapping[str, bytes]) -> dict[str, MailarkError]:
    """Put small write-once objects (keys/, FORMAT.txt) into every store; the errors of those that failed, by URL.

    IntegrityError when a store holds other bytes under one of the names.
    """
    failed: dict[str, MailarkError] = {}
    for store in stores:
        try:
            different = [n for n, data in objects.items() if not store.put_if_absent(n, data) and store.get(n) != data]
        except MailarkError as error:
            failed[store.url] = error
            continue
        if different:
            raise IntegrityError(
                f"{store.url} holds other bytes under {different[0]}", "Is it another archive's store?"
            )
    return failed


def _is_manifest(data: bytes) -> bool:
    try:
        manifest.parse(data)
    except IntegrityError:
        return False
    return True


class Push:
    """The protocol, step by step. `steps` of a store pauses after each thing done, so that whoever takes them decides
    what runs beside what: `archiver.vault.delivery` gives each store a thread.

    IntegrityError when a store holds a different manifest under a commit's name: another machine has written with this
    writer's keys, or the state is an old copy. ConfigError when there are fewer stores than `copies`.
    """

    def __init__(self, stores: Sequence[Store], copies: int, journal: Journal, monitor: Monitor) -> None:
        self._ids = frozenset(identity(store.url) for store in stores)
        if not 1 <= copies <= len(self._ids):
            raise ConfigError(f"{copies} copies cannot be kept in {len(stores)} different stores")
        self.stores = stores
        self.copies = copies
        self.journal = journal
        self.monitor = monitor
        self.errors: dict[str, MailarkError] = {}
        self.commits: list[Commit] = []
        self.stop = threading.Event()
        """Set when the run is over for all stores: no object is begun any more."""
        self._by_seq: dict[int, Commit] = {}
        self.ahead = Ahead(store.url for store in stores)
        self._sound: dict[str, bool] = {}
        self._lock = threading.Lock()

    def reload(self) -> None:
        """Take in what was recorded (`Push` knows no commit before), and finish what needs no store."""
        self.commits = self.journal.unfinished()
        self._by_seq = {commit.seq: commit for commit in self.commits}
        for commit in self.commits:
            self.close(commit)

    def waiting(self, store: Store) -> list[Commit]:
        """The commits the store is not known to hold, oldest first."""
        return [commit for commit in self.commits if identity(store.url) not in self.journal.confirmations(commit.seq)]

    def steps(self, store: Store) -> Iterator[None]:
        """Bring the store everything it lacks. A failure of the store ends its steps and is kept in `errors`."""
        self.errors.pop(store.url, None)
        if commits := self.waiting(store):
            size = sum(staged.size for commit in commits for staged in commit.objects)
            self.monitor.begin(store.url, len(commits), size)
            done = yield from self.put_commits(store, commits)
            if self.stop.is_set():
                return
            self.monitor.end(store.url, f"{len(commits)} commit{'s' * (len(commits) != 1)}" if done else "failed")
            if not done:
                return
        yield from self.put_ahead(store)

    def put_commits(self, store: Store, commits: Sequence[Commit]) -> Generator[None, None, bool]:
        """The commits in their order; False when the store failed."""
        for commit in commits:
            try:
                yield from self.deliver(store, commit)
            except IntegrityError:
                self.stop.set()
                raise
            except MailarkError as error:
                if not self.stop.is_set():
                    self.errors[store.url] = error
                    self.monitor.problem(Problem(store.url, str(error), details={"commit": str(commit.seq)}))
                return False
            self.journal.confirm(commit.seq, store.url)
            yield
            self.close(commit)
            self.monitor.advance(store.url, 1, 0)
        return True

    def begun(self, store: Store, size: int) -> None:
        """So many bytes are on their way to the store from now on; for whoever watches whether it moves."""

    def deliver(self, store: Store, commit: Commit) -> Iterator[None]:
        """Whatever comes before it and is missing, then the commit."""
        for earlier in missing_before(commit, self._by_seq, store, self._others(store)):
            yield from self.put_commit(store, earlier)
        yield from self.put_commit(store, commit)

    def put_commit(self, store: Store, commit: Commit) -> Iterator[None]:
        """Objects first, the manifest last. The manifest, if it is there whole, already proves its objects."""
        if not _holds(store, commit):
            yield from self.put_objects(store, commit.objects)
        self.put_manifest(store, commit)
        yield

    def put_objects(self, store: Store, objects: Sequence[Staged]) -> Iterator[None]:
        """Put all of them, or raise the first failure; several at once where the store gains by it."""
        at_once = parallel(store)
        if at_once > 1:
            side_by_side([partial(self.put_object, store, staged) for staged in objects], at_once, "put")
            yield
            return
        for staged in objects:
            self.put_object(store, staged)
            yield

    def put_ahead(self, store: Store) -> Iterator[None]:
        """What a later commit will name, until there is one to bring. What fails here fails, and is told, with it."""
        with suppress(StoreError, QuotaError):
            while (objects := self.ahead.waiting(store.url)) and not self.waiting(store):
                yield from self.put_objects(store, objects[: parallel(store)])

    def put_object(self, store: Store, staged: Staged) -> None:
        """Put the object if absent, from memory or the spool, else from another store; other bytes there are replaced.

        StoreError if nobody has the right bytes any more.
        """
        if self.stop.is_set():
            raise StoreError("the run is over")
        if self.ahead.has(store.url, staged.name):
            return
        self.begun(store, staged.size)
        data = self._at_hand(staged)
        written = self._copy(store, staged) if data is None else store.put_if_absent(staged.name, data)
        if not written and (fault := fault_of(store, staged)):
            if data is None:
                raise StoreError(f"{store.url}: {staged.name}: {fault}", "Run `mailark repair`.")
            replace(store, staged, data)
        self.ahead.brought(store.url, staged.name)
        self.monitor.advance(store.url, 0, staged.size)

    def put_manifest(self, store: Store, commit: Commit) -> None:
        """Put the manifest if absent; IntegrityError if a different one is there, rubbish is replaced."""
        self.begun(store, len(commit.manifest))
        if store.put_if_absent(commit.name, commit.manifest) or _holds(store, commit):
            return
        sha256 = hashlib.sha256(commit.manifest).hexdigest()
        replace(store, Staged(commit.name, len(commit.manifest), sha256), commit.manifest)

    def close(self, commit: Commit) -> None:
        """Settle the commit when enough stores hold it, release it when all do."""
        with self._lock:
            held = self.holding(commit)
            if len(held) >= self.copies:
                self.journal.settle(commit.seq)
            if held == self._ids:
                self.journal.release(commit.seq)

    def holding(self, commit: Commit) -> frozenset[str]:
        """Identities of the present stores that are known to hold the commit."""
        return self.journal.confirmations(commit.seq) & self._ids

    def outcome(self) -> Outcome:
        """What is known now."""
        held = {commit.seq: self.holding(commit) for commit in self.commits}
        return Outcome(
            stores=tuple(
                StoreOutcome(
                    store.url,
                    tuple(seq for seq, ids in held.items() if identity(store.url) in ids),
                    tuple(seq for seq, ids in held.items() if identity(store.url) not in ids),
                    self.errors.get(store.url) or absence(store),
                )
                for store in self.stores
            ),
            settled=tuple(seq for seq, ids in held.items() if len(ids) >= self.copies),
            unsettled=tuple(seq for seq, ids in held.items() if len(ids) < self.copies),
        )

    def _at_hand(self, staged: Staged) -> Data | None:
        """The object in memory, or its spool file while that has the bytes that were sealed."""
        if staged.data is not None:
            return staged.data
        return staged.path if staged.path is not None and self._spool_is_sound(staged, staged.path) else None

    def _copy(self, store: Store, staged: Staged) -> bool:
        """From another store; False when the name is taken already."""
        if store.stat(staged.name) is not None:
            return False
        if not copy_object(staged, self._others(store), lambda path: store.put_if_absent(staged.name, path)):
            raise StoreError(f"{staged.name} is neither in the spool nor sound in another store")
        return True

    def _others(self, store: Store) -> list[Store]:
        return [other for other in self.stores if other.url != store.url]

    def _spool_is_sound(self, staged: Staged, path: Path) -> bool:
        """Whether the spool file still has the bytes that were sealed; read once a push."""
        if staged.name not in self._sound:
            self._sound[staged.name] = file_is(path, staged)
        return self._sound[staged.name]


def _holds(store: Store, commit: Commit) -> bool:
    """Whether the store has the commit's manifest, whole; IntegrityError if it has another one. Rubbish is none."""
    if store.stat(commit.name) is None:
        return False
    found = store.get(commit.name)
    if found != commit.manifest and _is_manifest(found):
        raise IntegrityError(
            f"{store.url} holds another manifest as {commit.name}",
            "The machine was cloned or its state is an old copy: enrol a new writer before going on.",
        )
    return found == commit.manifest
