"""Where `export --to` leads: a folder, or a place that a store could be in; as files, or sealed into one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archiver import __version__
from archiver.cli.forms.interface import Form, Options
from archiver.errors import ConfigError
from archiver.stores.local_shelf import LocalShelf
from archiver.stores.shelf import Shelf
from archiver.stores.table import KINDS, open_shelf

if TYPE_CHECKING:
    from archiver.catalog.interface import Hit
    from archiver.handover.handover import Handover
    from archiver.handover.staging import Kept
    from archiver.opening import Archive
    from archiver.vault.age import Recipient

_URL = re.compile(rf"({'|'.join(KINDS)}):(?://)?(.*)", re.DOTALL)
_NOT_ASKED = ("workers", "signer_password_file")
"""Options that change nothing in what is exported."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A place, and those who can open what is sealed for it; without any the files lie there as they are."""

    shelf: Shelf
    recipients: Sequence[Recipient] = ()

    def __str__(self) -> str:
        """Without options: what a person must read in a verdict is where it is."""
        return self.shelf.url if isinstance(self.shelf, LocalShelf) else self.shelf.url.partition("?")[0]

    @property
    def folder(self) -> Path | None:
        """Where the exporter itself can write; None when its files are carried there."""
        return self.shelf.folder if isinstance(self.shelf, LocalShelf) and not self.recipients else None


def destination(where: str, keys: Sequence[str], files: Sequence[Path]) -> Destination:
    """What --to, --seal and --seal-to say. `drive:Name` is drive://Name, and so with all kinds; a path is a folder.

    Raises ConfigError, and what opening a place raises.
    """
    recipients = recipients_of(keys, files)
    found = _URL.fullmatch(where)
    return Destination(open_shelf(f"{found[1]}://{found[2]}" if found else where), recipients)


def recipients_of(keys: Sequence[str], files: Sequence[Path]) -> list[Recipient]:
    """age recipients from the command line and from files of them (a line each, # for remarks). ConfigError.

    What is no recipient is not repeated: it may be a secret key.
    """
    from archiver.vault.age import Writer, parse_recipient

    given = [("--seal", key) for key in keys]
    for file in files:
        lines = enumerate(file.read_text("utf-8", "replace").splitlines(), 1)
        found = [(f"{file}, line {n}", line.strip()) for n, line in lines if line.strip() and line.strip()[0] != "#"]
        if not found:
            raise ConfigError(f"{file} names no age recipient", "a line each: age1…")
        given += found
    recipients: dict[str, Recipient] = {}
    for source, text in given:
        try:
            recipients.setdefault(text, parse_recipient(text))
        except ConfigError:
            hint = "it begins with age1; `age-keygen -y KEY-FILE` prints that of a key"
            raise ConfigError(f"{source}: not an age recipient", hint) from None
    if recipients:
        Writer(BytesIO(), list(recipients.values()))  # raises when they cannot share a file
    return list(recipients.values())


def description(form: Form, options: Options, query: str, hits: Iterable[Hit]) -> list[str]:
    """Everything that decides what is in the export, for `sealed_name`. What is produced in volumes tells no flags:
    that somebody has read a message since makes it no other one.
    """
    told = [f"{name}={_value(value)}" for name, value in sorted(options.items()) if name not in _NOT_ASKED]
    return [form.name, query, *told, *(repr((hit.id, _places(hit, flags=not form.volumes))) for hit in hits)]


def _places(hit: Hit, *, flags: bool) -> list[tuple[object, ...]]:
    return [
        (place.account, place.folder, *((place.flags,) if flags else (place.epoch, place.uid)), str(place.date))
        for place in hit.places
    ]


@contextmanager
def handed_to(place: Destination, archive: Archive, form: Form, asked: Sequence[str]) -> Iterator[Handover | None]:
    """What leads there; None when this very export lies there, sealed, already.

    Nothing plain is left behind, but of a form in volumes that was cut: that one is gone on with by the same export.
    """
    from archiver.handover.carriers import FileByFile
    from archiver.handover.handover import Handover, make_usable
    from archiver.handover.sealing import Sealed
    from archiver.handover.staging import staging

    if isinstance(place.shelf, LocalShelf):
        _refuse_work(place.shelf, archive.work.path)
    if place.folder is not None:
        yield Handover(place.folder, volumes=bool(form.volumes))
        return
    if isinstance(place.shelf, LocalShelf):
        make_usable(place.shelf.folder)
    known = [*asked, *sorted(str(recipient) for recipient in place.recipients)]
    volumes, root = bool(form.volumes), archive.work.handover
    with ExitStack() as stack:
        if not (volumes or place.recipients):
            folder = stack.enter_context(staging(root)) / "export"
            yield Handover(folder, FileByFile(place.shelf))
            return
        work = stack.enter_context(_kept(root, [place.shelf.url, __version__, *known], plain=volumes))
        folder = (work.folder if volumes else stack.enter_context(staging(root))) / "export"
        if not place.recipients:
            carrier: FileByFile | Sealed = FileByFile(place.shelf, form.volumes)
        else:
            receipts = archive.work.receipts
            carrier = Sealed(place.shelf, place.recipients, known, work.folder, volumes=volumes, receipts=receipts)
        there = isinstance(carrier, Sealed) and carrier.there()
        yield None if there else Handover(folder, carrier, volumes=volumes)
        carried = carrier.carried
        work.done = not carried.failed or not (carried.sent or carried.there)  # else a part of it lies there


def _refuse_work(shelf: LocalShelf, work: Path) -> None:
    """What lies in the work folder may be removed by any command, and with it."""
    if shelf.folder.resolve().is_relative_to(work.resolve()):
        raise ConfigError(f"{shelf.url} is, or lies in, the work folder", "export to a folder beside it")


@contextmanager
def _kept(root: Path, names: Sequence[str], *, plain: bool) -> Iterator[Kept]:
    """The work folder of this very export. plain: its mail lies there unencrypted; when it stays, the user is told."""
    from archiver.handover.digest import digest
    from archiver.handover.staging import KEPT, kept

    with kept(root, digest(list(names))) as work:
        if work.found:
            click.echo(f"going on with what an earlier try left in {work.folder}", err=True)
        try:
            yield work
        finally:
            if not (work.done or work.empty):
                what = "unencrypted" if plain else "sealed"
                told = f"kept, {what}, for {KEPT / 86400:.0f} days in {work.folder}"
                click.echo(f"{told}: the same command goes on with it", err=True)


def _value(value: object) -> str:
    """A file counts by what is in it."""
    return hashlib.sha256(value.read_bytes()).hexdigest() if isinstance(value, Path) else repr(value)


def place_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that are made into a `destination`."""
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    for option in (
        click.option(
            "--seal-to",
            "key_files",
            type=file,
            multiple=True,
            help="As --seal, with recipients from a file, a line each.",
        ),
        click.option(
            "--seal",
            "keys",
            metavar="RECIPIENT",
            multiple=True,
            help="Make one file that only this age key opens. May be repeated.",
        ),
        click.option("--to", "where", metavar="PLACE", required=True, help="A folder, or s3://, drive://, rclone:// …"),
    ):
        command = option(command)
    return command
