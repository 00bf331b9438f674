"""mailark purge"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.expenses import consent
from archiver.cli.output import as_json, moment, number, plural, size, store_name, table
from archiver.cli.progress import watcher
from archiver.cli.session import Session, finish
from archiver.errors import ConfigError

if TYPE_CHECKING:
    from archiver.purging import PurgePlan


@click.command()
@click.argument("era", metavar="ERA")
@click.option("--plan", "planned", is_flag=True, help="Print what would go, and what stands against it.")
@click.option("--json", "json_", is_flag=True, help="Print the plan as JSON.")
@click.pass_obj
def command(session: Session, era: str, planned: bool, json_: bool) -> None:
    """Tell what the destruction of an era would take away. This version destroys nothing.

    The passphrase is not needed. Ends with 2 when a hold, a retention or a store that cannot be read stands against.
    """
    from archiver.opening import open_stores
    from archiver.purging import plan
    from archiver.vault.inventory import find_root

    if not planned:
        raise ConfigError("this version destroys nothing", f"see what would go: mailark purge --plan {era}")
    stores = open_stores(session.settings.archive.stores)
    found = plan(stores, find_root(stores), era, watcher(), datetime.now(UTC), consent(yes=True))
    if json_:
        click.echo(as_json(_values(found)))
    else:
        click.echo(_table(found))
        click.echo("\n".join(ref.name for ref in found.objects))
    for reason in found.against:
        click.echo(f"against it: {reason}", err=True)
    click.echo(_told(found), err=json_)
    finish(found.exit_code)


def _table(found: PurgePlan) -> str:
    titles = ("Store", "Would go", "Size", "Retained", "Held", "Until")
    rows = [
        (store_name(s.url), number(s.objects), size(s.size), number(s.locked), number(s.held), moment(s.until))
        for s in found.stores
    ]
    return table(titles, rows, numbers=(1, 2, 3, 4))


def _values(found: PurgePlan) -> dict[str, Any]:
    return {
        "exit_code": found.exit_code,
        "era": found.era,
        "objects": [{"name": ref.name, "size": ref.size, "sha256": ref.sha256 or None} for ref in found.objects],
        "commits": found.commits,
        "stores": [
            {"url": s.url, "objects": s.objects, "size": s.size, "retained": s.locked, "held": s.held, "until": s.until}
            for s in found.stores
        ],
        "against": found.against,
    }


def _told(found: PurgePlan) -> str:
    told = (
        f"{plural(len(found.objects), 'object')} of {plural(found.commits, 'commit')} would go; nothing was destroyed"
    )
    reasons = plural(len(found.against), "reason")
    return f"refused (exit code 2): {reasons} against it; {told}" if found.against else f"plan: {told}"
