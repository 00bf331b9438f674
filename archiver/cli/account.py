"""mailark account list, mailark account test"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import click

from archiver.cli.output import as_json, number, one_line, plural, table
from archiver.cli.session import Session, finish
from archiver.config import AccountSettings
from archiver.errors import MailarkError

AT_ONCE = 8


@click.group()
def command() -> None:
    """List the configured accounts, or try their logins."""


@command.command("list")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_accounts(session: Session, json_: bool) -> None:
    """List the configured accounts; no server is asked."""
    found = [_shown(account) for account in session.accounts()]
    if json_:
        click.echo(as_json({"accounts": found}))
        return
    rows = [
        (a["account"], a["user"], f"{a['host']}:{a['port']}", a["security"], a["provider"] or "-", a["password"])
        for a in found
    ]
    click.echo(table(("Account", "User", "Server", "Security", "Provider", "Password from"), rows))
    click.echo(plural(len(found), "account"))


@command.command("test")
@click.argument("names", nargs=-1, metavar="[ACCOUNT]...")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.pass_obj
def test_accounts(session: Session, names: tuple[str, ...], json_: bool) -> None:
    """Log in and list the folders; nothing is fetched. Ends with the code of the first failure."""
    accounts = session.accounts(names)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(_try, accounts))
    if json_:
        click.echo(as_json({"accounts": results}))
    for result in () if json_ else results:
        click.echo(one_line(_told(result)))
    failed = [result["exit_code"] for result in results if result["exit_code"]]
    click.echo(f"{len(results) - len(failed)} of {plural(len(results), 'account')} can be read", err=json_)
    finish(failed[0] if failed else 0)


def _shown(account: AccountSettings) -> dict[str, Any]:
    return {
        "account": account.name,
        "user": account.user,
        "host": account.host,
        "port": account.port,
        "security": account.security,
        "provider": account.provider,
        "password": account.password.kind,
        "folders": list(account.folders),
        "skip": list(account.skip),
        "connections": account.connections,
    }


def _try(account: AccountSettings) -> dict[str, Any]:
    from archiver.sources.imap import ImapSource

    result: dict[str, Any] = {"account": account.name, "exit_code": 0, "error": None, "hint": None}
    begin = time.monotonic()
    try:
        with closing(ImapSource(account)) as source:
            folders = source.folders()
    except MailarkError as error:
        return {**result, "exit_code": error.exit_code, "error": str(error), "hint": error.hint or None}
    wanted = [folder for folder in folders if account.wants(folder.name)]
    messages = sum(folder.status.messages for folder in wanted if folder.status)
    seconds = round(time.monotonic() - begin, 2)
    return {**result, "folders": len(wanted), "messages": messages, "seconds": seconds, "notes": source.notes}


def _told(result: dict[str, Any]) -> str:
    if result["error"] is not None:
        hint = f" (try: {result['hint']})" if result["hint"] else ""
        return f"{result['account']}: FAILED: {result['error']}{hint}"
    counts = f"{plural(result['folders'], 'folder')}, {number(result['messages'])} messages"
    return "; ".join([f"{result['account']}: ok, {counts}, {result['seconds']:.1f} s", *result["notes"]])
