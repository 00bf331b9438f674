"""mailark backup"""

from __future__ import annotations

import click

from archiver.cli.output import as_json, one_line
from archiver.cli.progress import watcher
from archiver.cli.session import Session, finish


@click.command()
@click.option("--account", "accounts", multiple=True, metavar="NAME", help="Only this account (may be repeated).")
@click.option("--folder", "folders", multiple=True, metavar="GLOB", help="Only folders that match (may be repeated).")
@click.option("--dry-run", is_flag=True, help="List what would be fetched; fetch and change nothing.")
@click.option("--full", is_flag=True, help="List every folder again, also those the server calls unchanged.")
@click.option("--any-time", is_flag=True, help="Go on outside the hours of `window` in the configuration.")
@click.option("--json", "json_", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def command(
    session: Session,
    accounts: tuple[str, ...],
    folders: tuple[str, ...],
    dry_run: bool,
    full: bool,
    any_time: bool,
    json_: bool,
) -> None:
    """Archive what is new on the servers.

    Ends with 0 only when every message on every server is archived in enough stores.
    """
    from archiver.backup import Options, backup
    from archiver.cli.verdict import complaints, exit_code, plan_table, remarks, result_table, verdict

    session.accounts(accounts)
    with session.open(exclusive=True) as archive:
        options = Options(accounts, folders, dry_run=dry_run, full=full, any_time=any_time)
        report = backup(archive, options, watcher())
    if json_:
        click.echo(as_json(report.as_json()))
    else:
        click.echo((plan_table if dry_run else result_table)(report.accounts))
    for line in (*remarks(report), *complaints(report)):
        click.echo(one_line(line), err=True)
    click.echo(verdict(report), err=json_)
    finish(exit_code(report))
