"""Opens an archive that `init` or `recover` made on this machine: work folder, keys, databases, stores."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from archiver.catalog.sqlite import SqliteCatalog
from archiver.config import Settings
from archiver.errors import ConfigError, LockedError, QuotaError, StoreError
from archiver.handover.staging import clear
from archiver.journal import CommitJournal
from archiver.state import State
from archiver.stores.abilities import refuse_doubles
from archiver.stores.interface import Store
from archiver.stores.table import open_store
from archiver.stores.unavailable import UnavailableStore
from archiver.vault.files import usable
from archiver.vault.keys import Machine
from archiver.vault.vault import Vault

OPENING = 600.0
"""Seconds in which a store must have opened: longer than a client's own time-outs and retries together take."""


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """The places of the files of one machine. Everything but the lock and the receipts is encrypted."""

    path: Path

    @property
    def machine(self) -> Path:
        return self.path / "machine.age"

    @property
    def state(self) -> Path:
        return self.path / "state.db"

    @property
    def catalog(self) -> Path:
        return self.path / "catalog.db"

    @property
    def spool(self) -> Path:
        return self.path / "spool"

    @property
    def handover(self) -> Path:
        """Where exports wait for a moment before they are carried elsewhere."""
        return self.path / "handover"

    @property
    def receipts(self) -> Path:
        """Of sealed exports: which files, of how many bytes, lie where they were carried to."""
        return self.path / "receipts"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the work folder for a run that writes; LockedError if another run does. Ends with the process."""
        with usable(self.path):
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise LockedError(f"another run is using {self.path}", "wait for it to end") from error
            yield
        finally:
            os.close(descriptor)


@dataclass(slots=True)
class Archive:
    """Everything a command works with. `vault` reads; on a write-only machine it can read nothing."""

    settings: Settings
    work: WorkFolder
    machine: Machine
    stores: Sequence[Store]
    state: State
    journal: CommitJournal
    catalog: SqliteCatalog
    vault: Vault


@contextmanager
def open_archive(
    settings: Settings, passphrase: str, *, exclusive: bool = True, offline: bool = False
) -> Iterator[Archive]:
    """Open the archive; `exclusive` takes the lock that commands which change something need.

    offline: no store is opened or asked, and `stores` is empty: for what this machine's own records answer.

    Raises AuthError for a wrong passphrase, ConfigError when there is no archive here yet, LockedError, QuotaError.
    """
    work = WorkFolder(settings.archive.work)
    if not work.machine.exists():
        raise ConfigError(
            f"there is no archive in {work.path}",
            "make one with `mailark init`, or bring one back with `mailark recover --store URL`",
        )
    clear(work.handover)
    with ExitStack() as stack:
        if exclusive:
            stack.enter_context(work.locked())
        machine = Machine.load(work.machine, passphrase)
        state = State.open(work.state, machine.database_key)
        stack.callback(state.close)
        catalog = SqliteCatalog.open(work.catalog, machine.database_key)
        stack.callback(catalog.close)
        stores = [] if offline else open_stores(settings.archive.stores)
        vault = Vault(stores, machine.root, machine.keyring)
        yield Archive(settings, work, machine, stores, state, CommitJournal(state), catalog, vault)


@contextmanager
def open_state(work: WorkFolder, passphrase: str) -> Iterator[State]:
    """The records of this machine alone. Raises as `open_archive`; whoever writes holds the lock."""
    state = State.open(work.state, Machine.load(work.machine, passphrase).database_key)
    try:
        yield state
    finally:
        state.close()


def open_stores(urls: Sequence[str], patience: float = OPENING) -> list[Store]:
    """Open the stores side by side; one that cannot be opened, or does not answer within `patience` seconds, is there
    and fails, so that the others are used.

    ConfigError when two of them turn out to be one place.
    """
    opened: dict[str, Store] = {}
    failures: list[BaseException] = []

    def open_one(url: str) -> None:
        try:
            opened[url] = open_store(url)
        except (StoreError, QuotaError) as error:
            opened[url] = UnavailableStore(url, StoreError(str(error), error.hint))
        except BaseException as error:
            failures.append(error)

    names = list(dict.fromkeys(urls))
    threads = [threading.Thread(target=open_one, args=(url,), name=f"open {url}", daemon=True) for url in names]
    end = time.monotonic() + patience
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    if failures:
        raise failures[0]
    there = dict(opened)  # one that wakes up later is not let in any more
    stores = [there.get(url) or _silent(url, patience) for url in urls]
    refuse_doubles(stores)
    return stores


def _silent(url: str, patience: float) -> Store:
    text = f"{url} did not answer within {patience:.0f} s"
    return UnavailableStore(url, StoreError(text, "Is its server up, its share mounted? The next run tries again."))
