"""mailark check"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from archiver.amounts import parse_size
from archiver.cli.expenses import consent, only_told
from archiver.cli.output import as_json, moment, number, plural, size, store_name, table
from archiver.cli.progress import watcher
from archiver.cli.session import Session, configured, finish
from archiver.config import Settings
from archiver.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from archiver.check import Proven, Verdict
    from archiver.proofs import StateProofs
    from archiver.stores.interface import Store
    from archiver.vault.audit import Audit
    from archiver.vault.inventory import Fault
    from archiver.vault.keys import KeyRing

LEVELS = click.Choice(["names", "provider", "full"])


def as_size(_ctx: click.Context, _param: click.Parameter, text: str | None) -> int | None:
    """An option that is a size, such as 10GB."""
    try:
        return parse_size(text) if text is not None else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.option("--store", "only", multiple=True, metavar="STORE", help="Only this configured store (may be repeated).")
@click.option(
    "--level", type=LEVELS, default="full", show_default=True, help="Names and sizes, checksums, or every byte."
)
@click.option(
    "--budget", callback=as_size, metavar="SIZE", help="Read so much of each store, what was read longest ago first."
)
@click.option("--read-data", is_flag=True, help="Decrypt as well, put every message together and compare its hash.")
@click.option("--yes", is_flag=True, help="Do not ask before reading from stores that may charge for it.")
@click.option("--dry-run", is_flag=True, help="Tell how much would be read; read nothing.")
@click.option("--json", "json_", is_flag=True, help="Print the findings as JSON.")
@click.pass_obj
def command(
    session: Session,
    only: tuple[str, ...],
    level: str,
    budget: int | None,
    read_data: bool,
    yes: bool,
    dry_run: bool,
    json_: bool,
) -> None:
    """Check the archive in every store.

    Compares what every store holds with what the signed manifests say. Changes nothing. Where the configuration names a
    passphrase, what was read is remembered; no passphrase is needed except for --read-data.
    """
    from archiver.check import check
    from archiver.vault.plan import Level

    if budget is not None and level != "full":
        raise click.UsageError(f"--budget is for --level full: --level {level} reads nothing")
    chosen = _chosen(session.settings, only)
    with _opened(session, read_data) as subject:
        verdict = check(
            subject.stores,
            subject.root,
            watcher(),
            level=Level(level),
            only=chosen,
            budget=budget,
            keyring=subject.keyring if read_data else None,
            read_data=read_data,
            heads=subject.heads,
            proofs=subject.proofs,
            agree=only_told(json_) if dry_run else consent(yes=yes or budget is not None),
        )
    if json_:
        click.echo(as_json(_values(verdict, level)))
    else:
        click.echo("\n".join(_lines(verdict, level)))
    click.echo(_told(verdict), err=json_)
    finish(verdict.exit_code)


@dataclass(frozen=True)
class _Subject:
    """What is checked, and with what: without the passphrase there are no proofs, heads and keys."""

    stores: list[Store]
    root: Ed25519PublicKey
    proofs: StateProofs | None = None
    heads: dict[str, int] = field(default_factory=dict)
    keyring: KeyRing | None = None


def _chosen(settings: Settings, only: tuple[str, ...]) -> frozenset[str]:
    """The configured stores that --store names."""
    return frozenset(configured(settings, url) for url in only)


@contextmanager
def _opened(session: Session, read_data: bool) -> Iterator[_Subject]:
    """With the records of this machine where the passphrase is configured or needed; else the stores alone."""
    from archiver.opening import WorkFolder, open_stores
    from archiver.proofs import StateProofs
    from archiver.stores.unavailable import UnavailableStore
    from archiver.vault.inventory import find_root

    settings = session.settings.archive
    work = WorkFolder(settings.work)
    if read_data or (settings.passphrase is not None and work.machine.exists()):
        with session.open(exclusive=True) as archive:
            machine = archive.machine
            heads = {machine.writer: archive.journal.settled()}
            yield _Subject(list(archive.stores), machine.root, StateProofs(archive.state), heads, machine.keyring)
    else:
        with work.locked():
            stores = open_stores(settings.stores)
            if not work.machine.exists() and all(isinstance(store, UnavailableStore) for store in stores):
                hint = "make one with `mailark init`, or see `mailark store list`"
                raise ConfigError(f"there is no archive in {work.path}, and no store can be read", hint)
            yield _Subject(stores, find_root(stores))


def _values(verdict: Verdict, level: str) -> dict[str, Any]:
    return {
        "exit_code": verdict.exit_code,
        "level": level,
        "commits": verdict.commits,
        "messages": verdict.messages,
        "stores": [_store_values(verdict, store) for store in verdict.stores],
        "faults": [fault_values(fault) for fault in verdict.all_faults],
        "unlocked": [fault_values(fault) for fault in verdict.unlocked],
        "unnamed": [{"store": url, "name": name} for url, name in verdict.unnamed],
    }


def _store_values(verdict: Verdict, store: Audit) -> dict[str, Any]:
    proven = verdict.proven.get(store.url)
    return {
        "url": store.url,
        "sound": store.sound,
        "size": store.size,
        "read": store.read,
        "read_size": store.read_size,
        "told": store.told,
        "protection": store.protection or None,
        "locks": store.locks,
        "unlocked": len(store.unlocked),
        "verified": proven.share if proven else None,
        "oldest": proven.oldest if proven else None,
        "faults": len(store.faults),
        "error": str(store.error) if store.error else None,
    }


def fault_values(fault: Fault) -> dict[str, Any]:
    """A fault as plain values for JSON; `store` is null for one that no single store is to blame for."""
    return {"object": fault.name, "store": fault.store or None, "reason": fault.reason}


def _lines(verdict: Verdict, level: str) -> Iterator[str]:
    columns: list[tuple[str, Callable[[Audit], str]]] = [
        ("Store", lambda store: store_name(store.url)),
        ("Sound objects", lambda store: number(store.sound)),
        ("Size", lambda store: size(store.size)),
        ("Read", lambda store: size(store.read_size)),
    ]
    if proven := verdict.proven:
        columns.append(("Ever read", lambda store: share(proven.get(store.url))))
        columns.append(("Oldest reading", lambda store: oldest(proven.get(store.url))))
    if level == "provider":
        columns.append(("Told by the provider", lambda store: number(store.told)))
    if any(store.locks for store in verdict.stores):
        columns.append(("Locks seen", lambda store: number(store.locks)))
        columns.append(("Not as promised", lambda store: number(len(store.unlocked))))
    columns.append(("Faults", lambda store: number(len(store.faults))))
    rows = [[cell(store) for _, cell in columns] for store in verdict.stores]
    words = ("Store", "Oldest reading")
    numbers = [at for at, (title, _) in enumerate(columns) if title not in words]
    yield table([title for title, _ in columns], rows, numbers=numbers)
    for store in verdict.stores:
        if store.protection:
            yield f"{store_name(store.url)}: {store.protection}"
        if level == "provider" and store.told < store.sound and store.error is None:
            rest = plural(store.sound - store.told, "object")
            yield f"{store_name(store.url)}: its provider told no SHA-256 of {rest}: names and sizes only"


def share(proven: Proven | None) -> str:
    """83 %, rounded down: 100 % is everything."""
    return "-" if proven is None else f"{int(proven.share * 100)} %"


def oldest(proven: Proven | None) -> str:
    """When the oldest reading was; "-" when something was never read."""
    return moment(datetime.fromisoformat(proven.oldest)) if proven is not None and proven.oldest else "-"


def _told(verdict: Verdict) -> str:
    faults, unread = verdict.all_faults, sum(store.error is not None for store in verdict.stores)
    parts = [plural(len(verdict.stores), "store"), plural(verdict.commits, "commit"), plural(len(faults), "fault")]
    parts.append(f"{size(sum(store.read_size for store in verdict.stores))} read")
    if verdict.messages is not None:
        parts.append(f"{plural(verdict.messages, 'message')} read")
    if unread:
        parts.append(f"{plural(unread, 'store')} could not be read")
    if verdict.unlocked:
        parts.append(f"{plural(len(verdict.unlocked), 'object')} not locked as promised")
    if verdict.exit_code == 0:
        return f"sound: {', '.join(parts)}"
    return f"NOT sound (exit code {verdict.exit_code}): {', '.join(parts)}" + (
        "; try: mailark repair" if faults else "; try: mailark store lock" if verdict.unlocked else ""
    )
