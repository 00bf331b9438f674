"""Makes a new archive: keys, the first objects of every store, the work folder, the recovery sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files

from archiver.config import Settings
from archiver.errors import ConfigError
from archiver.opening import WorkFolder
from archiver.stores.abilities import protection, refuse_doubles
from archiver.stores.interface import Store
from archiver.stores.locks import Protection
from archiver.stores.table import create_store
from archiver.vault import keys, sheet
from archiver.vault.commit import furnish
from archiver.vault.sheet import Sheet


@dataclass(frozen=True, slots=True)
class Created:
    """A new archive: its id, the fingerprint of its root key, its first writer, and the recovery sheet."""

    archive: str
    fingerprint: str
    writer: str
    sheet_text: str
    sheet_html: str
    protections: tuple[tuple[str, Protection], ...] = ()
    """URL and protection against deletion of each store that can tell."""


def create_archive(settings: Settings, passphrase: str, *, classic: bool, generated: bool) -> Created:
    """Make the archive in the configured stores and the work folder. Nothing is made where an archive already is.

    Raises ConfigError when there is one, StoreError or QuotaError when a store cannot be written: all of them must be.
    """
    work = WorkFolder(settings.archive.work)
    with work.locked():
        if work.machine.exists():
            raise ConfigError(f"there is an archive in {work.path} already", "nothing was changed")
        made = keys.create(passphrase, classic=classic, generated=generated, first_year=datetime.now(UTC).year)
        objects = {**documents(), **made.objects}
        stores = [create_store(url, made.archive) for url in settings.archive.stores]
        refuse_doubles(stores)
        _refuse_used(stores)
        for error in furnish(stores, objects).values():
            raise error
        made.machine.save(work.machine, passphrase)
    page = Sheet(
        archive=made.archive,
        fingerprint=made.fingerprint,
        stores=settings.archive.stores,
        made=datetime.now(UTC).date(),
        passphrase=passphrase if generated else None,
        classic=classic,
    )
    protections = tuple((store.url, found) for store in stores if (found := protection(store)) is not None)
    return Created(made.archive, made.fingerprint, made.machine.writer, sheet.text(page), sheet.html(page), protections)


def documents() -> dict[str, bytes]:
    """What lies in every store for a reader who has nothing else: the specification, and a program that reads."""
    folder = files("archiver.vault") / "documents"
    return {name: (folder / name).read_bytes() for name in ("FORMAT.txt", "reader.py")}


def _refuse_used(stores: Sequence[Store]) -> None:
    for store in stores:
        if next(iter(store.list("keys/")), None) is not None:
            raise ConfigError(
                f"{store.url} holds an archive already",
                "bring it back with `mailark recover --store URL`, or give a new place",
            )
