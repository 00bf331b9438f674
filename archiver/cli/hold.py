"""mailark hold: add, list, release"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.expenses import consent, only_told
from archiver.cli.output import as_json, moment, number, one_line, plural, store_name, table
from archiver.cli.progress import watcher
from archiver.cli.session import Session, finish
from archiver.errors import ConfigError

if TYPE_CHECKING:
    from archiver.holding import Holding
    from archiver.locking import Locked
    from archiver.vault.holds import Hold


@click.group()
def command() -> None:
    """Keep an era, or everything, from being deleted until a case is over."""


@command.command("add")
@click.argument("name", metavar="CASE")
@click.option("--era", "eras", multiple=True, metavar="ERA", help="Hold this era, as mail-2026 (may be repeated).")
@click.option("--dry-run", is_flag=True, help="Tell how many requests it takes; change nothing.")
@click.option("--json", "json_", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def add(session: Session, name: str, eras: tuple[str, ...], dry_run: bool, json_: bool) -> None:
    """Set the hold CASE on eras, or on everything when none is given.

    A signed record goes to every store; objects in buckets with Object Lock get its legal hold as well. The same
    command again does what is left, and covers what was archived since.
    """
    from archiver.holding import hold

    with session.open(exclusive=True) as archive:
        done = hold(archive, name, eras, watcher(), only_told(json_) if dry_run else consent(yes=True))
    for era in done.empty:
        click.echo(f"note: no store has any mail of {era} yet", err=True)
    _end(done, "held", json_)


@command.command("release")
@click.argument("name", metavar="CASE")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Tell how many requests it takes; change nothing.")
@click.option("--json", "json_", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def release_(session: Session, name: str, yes: bool, dry_run: bool, json_: bool) -> None:
    """Lift the hold CASE. What another hold covers stays held. Nothing is deleted."""
    from archiver.holding import release

    if not yes and not dry_run:
        if not sys.stdin.isatty():
            raise ConfigError(f"this lifts the hold {name}", "add --yes")
        click.confirm(f"Lift the hold {one_line(name)}?", abort=True, err=True)
    with session.open(exclusive=True) as archive:
        done = release(archive, name, watcher(), only_told(json_) if dry_run else consent(yes=True))
    _end(done, "lifted", json_)


@command.command("list")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(session: Session, json_: bool) -> None:
    """List every hold that was ever set, as the signed records in the stores tell."""
    from archiver.holding import holds_in

    with session.open(exclusive=False) as archive:
        holds = holds_in(archive)
    if json_:
        click.echo(as_json({"holds": [_hold(found) for found in holds]}))
    else:
        rows = [(h.name, h.era, moment(h.since), moment(h.ended) if h.ended else "stands", h.set_by) for h in holds]
        click.echo(table(("Hold", "Covers", "Since", "Lifted", "Set by commit"), rows))
    click.echo(f"{plural(sum(h.ended is None for h in holds), 'hold stands', 'holds stand')}", err=json_)


def _end(done: Holding, word: str, json_: bool) -> None:
    if json_:
        values: dict[str, Any] = {
            "exit_code": done.exit_code,
            "holds": [_hold(found) for found in done.holds],
            "recorded": done.outcome is not None and not done.outcome.unsettled,
        }
        click.echo(as_json({**values, "stores": lock_values(done.stores)}))
    told = f"{plural(len(done.holds), 'hold')} {word}"
    if word == "held" and not done.holds and done.outcome is None:
        told = "the hold stood already"
    click.echo(f"{verdict(done.exit_code)}: {told}, {locks(done.stores)}", err=json_)
    finish(done.exit_code)


def verdict(code: int) -> str:
    """The first words of the last line."""
    return "complete" if code == 0 else f"NOT complete (exit code {code}), run it again"


def locks(stores: list[Locked]) -> str:
    """What happened to the locks of objects, and each store that failed."""
    failed = "".join(f"; {store_name(store.url)}: {store.error}" for store in stores if store.error)
    if not stores:
        return "no store has Object Lock: the record alone keeps Mailark from deleting"
    changed, looked = sum(store.changed for store in stores), sum(store.looked for store in stores)
    return f"locks of {number(changed)} of {plural(looked, 'object')} changed{failed}"


def lock_values(stores: list[Locked]) -> list[dict[str, Any]]:
    """The stores with Object Lock as plain values for JSON."""
    return [
        {
            "url": store.url,
            "looked": store.looked,
            "changed": store.changed,
            "missing": store.missing,
            "error": str(store.error) if store.error else None,
        }
        for store in stores
    ]


def _hold(found: Hold) -> dict[str, Any]:
    return {"name": found.name, "era": found.era, "set_by": found.set_by, "since": found.since, "ended": found.ended}
