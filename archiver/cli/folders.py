"""mailark folders"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

import click

from archiver.cli.output import as_json, number, one_line, plural, table
from archiver.cli.session import Session, finish
from archiver.config import AccountSettings
from archiver.errors import MailarkError


@click.command()
@click.option("--account", "accounts", multiple=True, metavar="NAME", help="Only this account (may be repeated).")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(session: Session, accounts: tuple[str, ...], json_: bool) -> None:
    """List the folders on the servers, and which of them `backup` takes.

    An account that cannot be read is named; the others are listed all the same.
    """
    found: list[dict[str, Any]] = []
    failed: list[MailarkError] = []
    for account in session.accounts(accounts):
        try:
            found.extend(_folders(account))
        except MailarkError as error:
            failed.append(error)
            click.echo(f"{account.name}: FAILED: {one_line(str(error))}", err=True)
    if json_:
        click.echo(as_json({"folders": found}))
    else:
        rows = [(f["account"], f["folder"], _count(f["messages"]), "yes" if f["taken"] else "skipped") for f in found]
        click.echo(table(("Account", "Folder", "Messages", "Taken"), rows, numbers=(2,)))
    taken = sum(row["taken"] for row in found)
    told = f"{plural(len(found), 'folder')}, {number(taken)} taken, {number(len(found) - taken)} skipped"
    click.echo(told + (f"; {plural(len(failed), 'account')} could not be read" if failed else ""), err=json_)
    finish(failed[0].exit_code if failed else 0)


def _count(messages: int | None) -> str:
    return "?" if messages is None else number(messages)


def _folders(account: AccountSettings) -> list[dict[str, Any]]:
    from archiver.sources.imap import ImapSource

    with closing(ImapSource(replace(account, folders=(), skip=()))) as source:  # the skipped ones are shown as well
        return [
            {
                "account": account.name,
                "folder": folder.name,
                "messages": folder.status.messages if folder.status else None,
                "taken": account.wants(folder.name),
            }
            for folder in source.folders()
        ]
