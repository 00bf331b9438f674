"""A small archive for tests: real keys, state, catalog and vault; stores in memory unless others are given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from functools import cache
from pathlib import Path

from archiver.catalog.sqlite import SqliteCatalog
from archiver.config import AccountSettings, ArchiveSettings, Settings
from archiver.journal import CommitJournal
from archiver.opening import Archive, WorkFolder
from archiver.state import State
from archiver.stores.interface import Store
from archiver.stores.memory import MemoryStore
from archiver.vault import keys
from archiver.vault.commit import furnish
from archiver.vault.vault import Vault

PASSPHRASE = "correct horse battery staple"
YEARS = max(3, date.today().year - 2024)
"""Of keys from 2026 on: two more than have begun."""


@cache
def new_archive() -> keys.NewArchive:
    """Keys, made once: classic and hardly stretched, for tests are many."""
    return keys.create(PASSPHRASE, classic=True, generated=False, first_year=2026, years=YEARS, log_n=2)


def memory_stores(number: int = 2) -> list[Store]:
    """Stores that hold the keys already."""
    stores: list[Store] = [MemoryStore(f"store-{at}") for at in range(number)]
    assert not furnish(stores, new_archive().objects)
    return stores


def settings_of(folder: Path, stores: Sequence[Store], accounts: Sequence[AccountSettings], copies: int) -> Settings:
    archive = ArchiveSettings(tuple(store.url for store in stores), copies, folder / "work", None, dkim=False)
    return Settings(folder / "mailark.toml", archive, tuple(accounts))


@contextmanager
def archive_in(
    folder: Path, stores: Sequence[Store], accounts: Sequence[AccountSettings] = (), copies: int = 2
) -> Iterator[Archive]:
    """Open the archive in `folder`, making its databases if they are missing; opened again after a "crash"."""
    machine = new_archive().machine
    settings = settings_of(folder, stores, accounts, copies)
    work = WorkFolder(settings.archive.work)
    with ExitStack() as stack:
        stack.enter_context(work.locked())
        state = State.open(work.state, machine.database_key)
        stack.callback(state.close)
        catalog = SqliteCatalog.open(work.catalog, machine.database_key)
        stack.callback(catalog.close)
        vault = Vault(stores, machine.root, machine.keyring)
        yield Archive(settings, work, machine, stores, state, CommitJournal(state), catalog, vault)
