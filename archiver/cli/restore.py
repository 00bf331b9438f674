"""mailark restore"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.output import as_json, number, plural, size
from archiver.cli.progress import watcher
from archiver.cli.session import Session, finish

if TYPE_CHECKING:
    from archiver.restore import RestoreReport


@click.command()
@click.argument("query", nargs=-1, required=True)
@click.option(
    "--to", "account", required=True, metavar="ACCOUNT", help="The configured account that gets the messages."
)
@click.option("--folder", metavar="NAME", help="Put everything into this folder.  [default: where it was]")
@click.option("--dry-run", is_flag=True, help="Read and check the messages, append nothing, ask no server.")
@click.option("--json", "json_", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def command(
    session: Session, query: tuple[str, ...], account: str, folder: str | None, dry_run: bool, json_: bool
) -> None:
    """Put messages back into an account, with their flags, dates and folders.

    A message that the folder holds already is not appended again.
    """
    from archiver.restore import copies, restore
    from archiver.sources.target import ImapTarget

    (settings,) = session.accounts((account,))
    with session.open(exclusive=False) as archive:
        wanted = copies(archive.catalog.search(" ".join(query)), folder)
        if dry_run or not wanted:
            report = restore(archive.vault, wanted, None, watcher())
        else:
            with closing(ImapTarget(settings)) as target:
                report = restore(archive.vault, wanted, target, watcher())
    if json_:
        click.echo(as_json(_values(report, dry_run)))
    click.echo(_verdict(report, dry_run), err=json_)
    finish(report.exit_code)


def _values(report: RestoreReport, dry_run: bool) -> dict[str, Any]:
    failed = [{"subject": problem.subject, "reason": problem.reason} for problem in report.failed]
    counts = {"appended": report.appended, "already_there": report.already_there, "size": report.size}
    return {"dry_run": dry_run, **counts, "failed": failed, "exit_code": report.exit_code}


def _verdict(report: RestoreReport, dry_run: bool) -> str:
    word = "complete" if report.exit_code == 0 else f"NOT complete (exit code {report.exit_code})"
    done = f"{plural(report.appended, 'message')} ({size(report.size)})"
    if dry_run:
        return f"dry run: {done} could be restored, {number(len(report.failed))} could not; nothing was changed"
    return f"{word}: {done} appended, {number(report.already_there)} already there, {number(len(report.failed))} failed"
