"""mailark store"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.expenses import consent, only_told
from archiver.cli.output import as_json, number, one_line, plural, size, store_name, table
from archiver.cli.progress import watcher
from archiver.cli.protection import protection_lines
from archiver.cli.session import Session, configured, finish
from archiver.config import Settings, store_url
from archiver.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from archiver.moving import Filled
    from archiver.stores.interface import Store


@click.group()
def command() -> None:
    """List the stores, add one, take one out, log in to one."""


@command.command("list")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_stores(session: Session, json_: bool) -> None:
    """List the configured stores, and whether each answers."""
    from archiver.opening import open_stores
    from archiver.stores.abilities import absence, protection

    settings = session.settings.archive
    stores = open_stores(settings.stores)
    protections = [protection(store) for store in stores]
    errors = [_reason(store.url, why) if (why := absence(store)) else None for store in stores]
    if json_:
        values = [
            {"url": url, "error": error, "protection": str(found) if found else None}
            for url, error, found in zip(settings.stores, errors, protections, strict=True)
        ]
        click.echo(as_json({"copies": settings.copies, "stores": values}))
    else:
        rows = [
            (store_name(url), error or "ready", str(found) if found else "-")
            for url, error, found in zip(settings.stores, errors, protections, strict=True)
        ]
        click.echo(table(("Store", "State", "Protection"), rows))
    dead = sum(error is not None for error in errors)
    click.echo(f"{plural(len(stores), 'store')}, {number(dead)} not ready, {settings.copies} copies wanted", err=json_)
    finish(StoreError.exit_code if dead else 0)


def _reason(url: str, error: StoreError) -> str:
    """Why it could not be opened, without its URL, which stands beside."""
    return str(error).removeprefix(url).lstrip(": ")


@command.command("login")
@click.argument("url", metavar="STORE")
@click.option("--device", is_flag=True, help="There is no browser on this machine: show a code to type elsewhere.")
def login_store(url: str, device: bool) -> None:
    """Let Mailark keep its own files in your Google Drive (a drive:// store)."""
    from archiver.stores.drive_login import login

    if not url.startswith("drive:"):
        raise ConfigError(f"{store_name(url)} needs no login", "its credentials are set up outside Mailark")
    login(url, lambda line: click.echo(one_line(line), err=True), device=device)
    click.echo("complete: logged in")


@command.command("add")
@click.argument("url", metavar="STORE")
@click.option("--yes", is_flag=True, help="Do not ask before reading from stores that may charge for it.")
@click.option("--dry-run", is_flag=True, help="Tell how much would be copied; make and change nothing.")
@click.option("--json", "json_", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def add_store(session: Session, url: str, yes: bool, dry_run: bool, json_: bool) -> None:
    """Make STORE a store of the archive, fill it from the others, and add it to the configuration.

    Goes on where it was when it is started again. No passphrase is needed, and `backup` may run meanwhile.
    """
    settings, place = session.settings, store_url(url, Path.cwd())
    if (known := settings.archive.store(url, Path.cwd())) is not None:
        raise ConfigError(
            f"{url} is a store already, as {store_name(known)}", f"to fill it again: mailark repair --new {url}"
        )
    filled = _filled(settings, place, yes, dry_run, json_)
    changed = _configured(settings, store_name(place))
    if json_:
        values: dict[str, Any] = {"url": place, "configured": changed, "there": filled.there, "copied": filled.copied}
        click.echo(as_json({**values, "size": filled.size, "lost": len(filled.lost), "exit_code": filled.exit_code}))
    told = f"{plural(filled.copied, 'object')} copied ({size(filled.size)}), {number(filled.there)} there already"
    lost = f", {number(len(filled.lost))} damaged in every store" if filled.lost else ""
    click.echo(f"{'NOT sound (exit code 7)' if filled.lost else 'complete'}: {told}{lost}", err=json_)
    finish(filled.exit_code)


def _filled(settings: Settings, place: str, yes: bool, dry_run: bool, json_: bool) -> Filled:
    from archiver.moving import fill
    from archiver.opening import open_stores
    from archiver.stores.abilities import protection
    from archiver.stores.table import create_store
    from archiver.vault.inventory import find_root
    from archiver.vault.signing import archive_id

    others = open_stores(settings.archive.stores)
    root = find_root(others)
    if dry_run:
        return fill(_as_it_is(place), others, root, watcher(), only_told(json_))
    new = create_store(place, archive_id(root))
    if (found := protection(new)) is not None:
        for line in protection_lines([(new.url, found)]):
            click.echo(line, err=True)
    return fill(new, others, root, watcher(), consent(yes=yes))


def _as_it_is(place: str) -> Store:
    """What lies at the place already: a store that was begun, or nothing."""
    from archiver.stores.memory import MemoryStore
    from archiver.stores.table import open_store

    try:
        return open_store(place)
    except StoreError:
        nothing = MemoryStore()
        nothing.url = place
        return nothing


def _configured(settings: Settings, store: str) -> bool:
    """Add the store to the file, or say what to write where that cannot be done."""
    from archiver.toml_edit import with_store, write_over

    changed = with_store(settings.path.read_bytes().decode("utf-8"), store)
    if changed is not None and write_over(settings.path, changed):
        click.echo(f"added to stores in {settings.path}", err=True)
        return True
    stores = ", ".join(f'"{one}"' for one in (*map(store_name, settings.archive.stores), store))
    click.echo(f"write into [archive] of {settings.path}:\nstores = [{stores}]", err=True)
    return False


@command.command("remove")
@click.argument("url", metavar="STORE")
@click.pass_obj
def remove_store(session: Session, url: str) -> None:
    """Take STORE out of the configuration. Nothing is deleted there.

    Refuses where the other stores do not hold everything in as many copies as the configuration wants.
    """
    from archiver.moving import short_without
    from archiver.opening import WorkFolder, open_stores
    from archiver.toml_edit import without_store, write_over
    from archiver.vault.inventory import find_root

    settings, archive = session.settings, session.settings.archive
    place = configured(settings, url)
    if len(archive.stores) - 1 < archive.copies:
        left = plural(len(archive.stores) - 1, "store")
        raise ConfigError(f"{archive.copies} copies cannot be kept in {left}", "add another store first")
    with WorkFolder(archive.work).locked():
        stores = open_stores(archive.stores)
        if short := short_without(place, stores, find_root(stores), archive.copies):
            text = f"{plural(len(short), 'object')} would be in fewer than {archive.copies} stores, such as {short[0]}"
            raise StoreError(text, "mailark repair")
        text = settings.path.read_bytes().decode("utf-8")
        changed = without_store(text, lambda one: store_url(one, settings.path.parent) == place)
        if changed is None or not write_over(settings.path, changed):
            raise ConfigError(f"cannot change {settings.path}", f"take {url} out of stores there")
    click.echo(f"complete: {store_name(place)} is no store any more; what lies there was not touched")


@command.command("lock")
@click.argument("urls", metavar="[STORE]...", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Tell how many requests it takes; change nothing.")
@click.option("--json", "json_", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def lock_objects(session: Session, urls: tuple[str, ...], dry_run: bool, json_: bool) -> None:
    """Give every object in buckets with Object Lock the retention and the legal hold that it should carry.

    For what was stored before the URL asked for retention, or since a hold was set. Lifts and shortens nothing.
    """
    from archiver.cli.hold import lock_values, locks, verdict
    from archiver.locking import lock
    from archiver.opening import open_stores
    from archiver.vault.inventory import find_root

    chosen = [configured(session.settings, url) for url in urls] or list(session.settings.archive.stores)
    stores = open_stores(session.settings.archive.stores)
    agree = only_told(json_) if dry_run else consent(yes=True)
    done = lock(stores, find_root(stores), watcher(), agree, only=chosen)
    code = StoreError.exit_code if any(store.error for store in done) else 0
    if json_:
        click.echo(as_json({"exit_code": code, "stores": lock_values(done)}))
    told = locks(done) if done else "no store promises a lock"
    click.echo(f"{verdict(code)}: {told}", err=json_)
    finish(code)


@command.command("policy")
@click.argument("url", metavar="URL")
@click.option("--locks", is_flag=True, help="For whoever runs `store lock` and `hold`: may change locks as well.")
def show_policy(url: str, locks: bool) -> None:
    """Print the least IAM policy for the machine that archives into the s3:// store URL.

    It may look, read and add; it may not delete. `init` and `repair` want more: run them with other credentials.
    """
    from archiver.stores.s3_place import EXAMPLE, parse_place
    from archiver.stores.s3_policy import policy

    if not url.startswith("s3://"):
        raise ConfigError(f"{url}: only s3:// stores have such a policy", f"Example: {EXAMPLE}")
    click.echo(as_json(policy(parse_place(url), locks=locks)))
