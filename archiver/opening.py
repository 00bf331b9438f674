"""Opens an archive that `init` or `recover` made on this machine: work folder, keys, databases, stores."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from archiver.catalog.sqlite import SqliteCatalog
from archiver.config import Settings
from archiver.errors import ConfigError, LockedError, QuotaError, StoreError
from archiver.journal import CommitJournal
from archiver.state import State
from archiver.stores.interface import Store
from archiver.stores.table import open_store
from archiver.stores.unavailable import UnavailableStore
from archiver.threads import side_by_side
from archiver.vault.files import usable
from archiver.vault.keys import Machine
from archiver.vault.vault import Vault

STORES_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """The places of the files of one machine. Everything but the lock is encrypted."""

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
def open_archive(settings: Settings, passphrase: str, *, exclusive: bool = True) -> Iterator[Archive]:
    """Open the archive; `exclusive` takes the lock that commands which change something need.

    Raises AuthError for a wrong passphrase, ConfigError when there is no archive here yet, LockedError, QuotaError.
    """
    work = WorkFolder(settings.archive.work)
    if not work.machine.exists():
        raise ConfigError(
            f"there is no archive in {work.path}",
            "make one with `mailark init`, or bring one back with `mailark recover --store URL`",
        )
    with ExitStack() as stack:
        if exclusive:
            stack.enter_context(work.locked())
        machine = Machine.load(work.machine, passphrase)
        state = State.open(work.state, machine.database_key)
        stack.callback(state.close)
        catalog = SqliteCatalog.open(work.catalog, machine.database_key)
        stack.callback(catalog.close)
        stores = open_stores(settings.archive.stores)
        vault = Vault(stores, machine.root, machine.keyring)
        yield Archive(settings, work, machine, stores, state, CommitJournal(state), catalog, vault)


def open_stores(urls: Sequence[str]) -> list[Store]:
    """Open the stores side by side; one that cannot be opened is there and fails, so that the others are used."""
    opened: dict[str, Store] = {}

    def open_one(url: str) -> None:
        try:
            opened[url] = open_store(url)
        except (StoreError, QuotaError) as error:
            opened[url] = UnavailableStore(url, StoreError(str(error), error.hint))

    side_by_side([partial(open_one, url) for url in dict.fromkeys(urls)], STORES_AT_ONCE, "open")
    return [opened[url] for url in urls]
