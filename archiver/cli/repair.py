"""mailark repair"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.check import LEVELS, fault_values
from archiver.cli.expenses import consent
from archiver.cli.output import as_json, number, plural, size, store_name
from archiver.cli.progress import watcher
from archiver.cli.session import Session, finish
from archiver.config import Settings
from archiver.errors import ConfigError, MailarkError

if TYPE_CHECKING:
    from archiver.repair import RepairReport
    from archiver.stores.interface import Store
    from archiver.vault.plan import Proofs


@click.command()
@click.option(
    "--new", "new", multiple=True, metavar="STORE", help="This configured store is new and empty: make and fill it."
)
@click.option("--level", type=LEVELS, default="full", show_default=True, help="How deep to look for damage.")
@click.option("--yes", is_flag=True, help="Do not ask before reading from stores that may charge for it.")
@click.option("--dry-run", is_flag=True, help="Tell what would be healed; change nothing.")
@click.option("--json", "json_", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def command(session: Session, new: tuple[str, ...], level: str, yes: bool, dry_run: bool, json_: bool) -> None:
    """Heal damaged or missing objects from a good store; the passphrase is not needed.

    Where the configuration names one, what was read and is right is remembered, as by `check`.

    A store whose place is empty is not filled unless --new names it: it may be a disk that is not mounted.
    """
    from archiver.opening import WorkFolder
    from archiver.repair import repair
    from archiver.vault.inventory import find_root
    from archiver.vault.plan import Level

    settings = session.settings
    with WorkFolder(settings.archive.work).locked():
        empty = _empty(settings, new)
        stores = _stores(settings, empty, dry_run)
        monitor = watcher(hidden=tuple(f"{url} " for url in empty))  # that a new store has nothing is no problem
        root, agree = find_root(stores), consent(yes=yes)
        with proofs_of(settings) as proofs:
            report = repair(stores, root, monitor, level=Level(level), dry_run=dry_run, agree=agree, proofs=proofs)
    if json_:
        click.echo(as_json(_values(report)))
    for url in report.failed:
        name = store_name(url)
        click.echo(f"store {name} failed; if its folder is new or was wiped: mailark repair --new {name}", err=True)
    click.echo(_told(report), err=json_)
    finish(report.exit_code)


@contextmanager
def proofs_of(settings: Settings) -> Iterator[Proofs | None]:
    """Where this machine remembers what was read; None without the passphrase. Damage there must not stop a repair."""
    from archiver.opening import WorkFolder, open_state
    from archiver.proofs import StateProofs

    work = WorkFolder(settings.archive.work)
    with ExitStack() as stack:
        proofs = None
        if settings.archive.passphrase is not None and work.machine.exists():
            try:
                proofs = StateProofs(stack.enter_context(open_state(work, settings.archive.passphrase.reveal())))
            except MailarkError as error:
                click.echo(f"what is read is not remembered: {error}", err=True)
        yield proofs


def _empty(settings: Settings, new: tuple[str, ...]) -> set[str]:
    """The configured stores that --new names."""
    empty = {url: settings.archive.store(url, Path.cwd()) for url in new}
    if unknown := [url for url, found in empty.items() if found is None]:
        raise ConfigError(f"{', '.join(unknown)}: not a store of {settings.path}", "add it to stores there first")
    return set(filter(None, empty.values()))


def _stores(settings: Settings, empty: set[str], dry_run: bool) -> list[Store]:
    """The configured stores, the empty ones made first (not in a dry run) as stores of the others' archive."""
    from archiver.opening import open_stores
    from archiver.stores.table import create_store
    from archiver.vault.inventory import find_root
    from archiver.vault.signing import archive_id

    urls = settings.archive.stores
    if empty and not dry_run:
        archive = archive_id(find_root(open_stores([url for url in urls if url not in empty])))
        for url in sorted(empty):
            create_store(url, archive)
    return open_stores(urls)


def _values(report: RepairReport) -> dict[str, Any]:
    return {
        "exit_code": report.exit_code,
        "dry_run": report.dry_run,
        "healed": [fault_values(fault) for fault in report.healed],
        "lost": [fault_values(fault) for fault in report.lost],
        "failed": [{"store": url, "error": str(error)} for url, error in report.failed.items()],
        "size": report.size,
    }


def _told(report: RepairReport) -> str:
    if report.dry_run:
        return f"dry run: {plural(len(report.healed), 'object')} could be healed, {number(len(report.lost))} not"
    parts = [f"{plural(len(report.healed), 'object')} healed ({size(report.size)})"]
    parts.append(f"{number(len(report.lost))} could not be healed")
    if report.failed:
        parts.append(f"{plural(len(report.failed), 'store')} failed")
    word = "sound" if report.exit_code == 0 else f"NOT sound (exit code {report.exit_code})"
    return f"{word}: {', '.join(parts)}"
