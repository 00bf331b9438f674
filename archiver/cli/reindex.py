"""mailark reindex"""

from __future__ import annotations

import click

from archiver.cli.output import as_json
from archiver.cli.progress import watcher
from archiver.cli.recovered import as_values, summary
from archiver.cli.session import Session, finish


@click.command()
@click.option("--json", "json_", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def command(session: Session, json_: bool) -> None:
    """Make the catalog again from a store.

    The catalog is what `search` reads; it holds nothing that the stores do not hold.
    """
    from archiver.recover import reindex

    with session.open(exclusive=True) as archive:
        report = reindex(archive.catalog, archive.machine, archive.stores, watcher())
    if json_:
        click.echo(as_json(as_values(report)))
    click.echo(summary(report), err=json_)
    finish(report.exit_code)
