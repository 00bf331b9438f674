"""Makes a new archive: keys, the first objects of every store, the work folder, the recovery sheet."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files

from archiver.config import Settings
from archiver.errors import ConfigError, MailarkError
from archiver.opening import WorkFolder
from archiver.stores.abilities import protection, refuse_doubles
from archiver.stores.interface import Store
from archiver.stores.locks import Protection
from archiver.stores.shelf import is_a_store
from archiver.stores.table import create_store, open_shelf, open_store
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

    Raises ConfigError when there is one, StoreError, QuotaError or AuthError when a store cannot be written: all must
    be.
    """
    work = WorkFolder(settings.archive.work)
    with work.locked():
        if work.machine.exists():
            raise ConfigError(f"there is an archive in {work.path} already", "nothing was changed")
        made = keys.create(passphrase, classic=classic, generated=generated, first_year=datetime.now(UTC).year)
        objects = {**documents(), **made.objects}
        stores = _places(settings.archive.stores, made.archive)
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


def _places(urls: Sequence[str], archive: str) -> list[Store]:
    """Make each place a store of the new archive, after those elsewhere were seen to answer: a store that was made
    before another failed has a marker, which is in the way of the next attempt. Folders come last: they fail least.
    """
    elsewhere = [url for url in urls if not url.startswith("file:")]
    for url in elsewhere:
        _refuse_silent(url)
    made = {url: create_store(url, archive) for url in (*elsewhere, *(url for url in urls if url not in elsewhere))}
    return [made[url] for url in urls]


def _refuse_silent(url: str) -> None:
    """Raise what is in the way of a store at this place, as far as it can be told without writing."""
    try:
        open_shelf(url)
    except ConfigError as error:
        with suppress(MailarkError):
            open_store(url)
            return  # a store lies there: whose it is, and what to do, is told when it is to be made this archive's
        if str(error) == str(is_a_store(url)):
            raise ConfigError(str(error), "give the archive a place of its own") from None
        raise


def _refuse_used(stores: Sequence[Store]) -> None:
    for store in stores:
        if next(iter(store.list("keys/")), None) is not None:
            raise ConfigError(
                f"{store.url} holds an archive already",
                "bring it back with `mailark recover --store URL`, or give a new place",
            )
