"""What stores elsewhere will charge for, said and agreed to before it is spent."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from archiver.cli.output import as_json, number, plural, size, store_name, table
from archiver.cli.session import finish
from archiver.errors import ConfigError
from archiver.stores.abilities import is_local

if TYPE_CHECKING:
    from archiver.vault.plan import Agree, Expense


def consent(*, yes: bool) -> Agree:
    """Tell the expenses at stores that are not on this machine; ask, unless `yes`, where bytes are to leave one.

    ConfigError without a terminal to ask at.
    """

    def agree(expenses: Sequence[Expense]) -> None:
        charged = [found for found in expenses if found.requests and not is_local(found.url)]
        for found in charged:
            told = f"{plural(found.requests, 'request')}, {size(found.egress)} to read"
            click.echo(f"{store_name(found.url)}: {told}", err=True)
        egress = sum(found.egress for found in charged)
        if yes or not egress:
            return
        if not sys.stdin.isatty():
            raise ConfigError(f"this reads {size(egress)} from stores elsewhere, which may cost money", "add --yes")
        click.confirm("Go on?", abort=True, err=True)

    return agree


def only_told(json_: bool) -> Agree:
    """Print the expenses at all stores, and end the program with 0 before anything is spent."""

    def agree(expenses: Sequence[Expense]) -> None:
        if json_:
            values = [{"url": e.url, "requests": e.requests, "egress": e.egress} for e in expenses]
            click.echo(as_json({"dry_run": True, "expenses": values}))
        else:
            rows = [(store_name(e.url), number(e.requests), size(e.egress)) for e in expenses]
            click.echo(table(("Store", "Requests", "To read"), rows, numbers=(1, 2)))
        total = sum(e.requests for e in expenses), sum(e.egress for e in expenses)
        click.echo(f"dry run: {plural(total[0], 'request')}, {size(total[1])} to read", err=json_)
        finish(0)

    return agree
