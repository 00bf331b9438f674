"""mailark folders"""

from __future__ import annotations

from contextlib import closing
from typing import Any

import click

from archiver.cli.output import as_json, number, plural, table
from archiver.cli.session import Session
from archiver.config import AccountSettings


@click.command()
@click.option("--account", "accounts", multiple=True, metavar="NAME", help="Only this account (may be repeated).")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(session: Session, accounts: tuple[str, ...], json_: bool) -> None:
    """List the folders on the servers, and which of them are archived."""
    found = [row for account in session.accounts(accounts) for row in _folders(account)]
    if json_:
        click.echo(as_json({"folders": found}))
    else:
        rows = [
            (f["account"], f["folder"], _count(f["messages"]), "yes" if f["archived"] else "skipped") for f in found
        ]
        click.echo(table(("Account", "Folder", "Messages", "Archived"), rows, numbers=(2,)))
    taken = sum(row["archived"] for row in found)
    click.echo(f"{plural(len(found), 'folder')}, {number(taken)} archived", err=json_)


def _count(messages: int | None) -> str:
    return "?" if messages is None else number(messages)


def _folders(account: AccountSettings) -> list[dict[str, Any]]:
    from archiver.sources.imap import ImapSource

    with closing(ImapSource(account)) as source:
        return [
            {
                "account": account.name,
                "folder": folder.name,
                "messages": folder.status.messages if folder.status else None,
                "archived": account.wants(folder.name),
            }
            for folder in source.folders()
        ]
