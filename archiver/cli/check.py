"""mailark check"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.output import as_json, number, plural, size, store_name, table
from archiver.cli.progress import watcher
from archiver.cli.session import Session, finish

if TYPE_CHECKING:
    from archiver.check import Verdict
    from archiver.vault.inventory import Fault


@click.command()
@click.option("--read-data", is_flag=True, help="Decrypt as well, put every message together and compare its hash.")
@click.option("--json", "json_", is_flag=True, help="Print the findings as JSON.")
@click.pass_obj
def command(session: Session, read_data: bool, json_: bool) -> None:
    """Check the archive in every store.

    Reads every object of every store and compares it with what the signed manifests say. Changes nothing.
    """
    from archiver.check import check

    with session.open(exclusive=True) as archive:
        machine = archive.machine
        verdict = check(
            archive.stores,
            machine.root,
            watcher(),
            keyring=machine.keyring if read_data else None,
            read_data=read_data,
            heads={machine.writer: archive.journal.settled()},
        )
    if json_:
        click.echo(as_json(_values(verdict)))
    else:
        click.echo("\n".join(_lines(verdict)))
    click.echo(_told(verdict), err=json_)
    finish(verdict.exit_code)


def _values(verdict: Verdict) -> dict[str, Any]:
    return {
        "exit_code": verdict.exit_code,
        "commits": verdict.commits,
        "messages": verdict.messages,
        "stores": [
            {
                "url": store.url,
                "sound": store.sound,
                "size": store.size,
                "faults": len(store.faults),
                "error": str(store.error) if store.error else None,
            }
            for store in verdict.stores
        ],
        "faults": [fault_values(fault) for fault in verdict.all_faults],
        "unnamed": [{"store": url, "name": name} for url, name in verdict.unnamed],
    }


def fault_values(fault: Fault) -> dict[str, Any]:
    """A fault as plain values for JSON; `store` is null for one that no single store is to blame for."""
    return {"object": fault.name, "store": fault.store or None, "reason": fault.reason}


def _lines(verdict: Verdict) -> Iterator[str]:
    rows = [(store_name(s.url), number(s.sound), size(s.size), number(len(s.faults))) for s in verdict.stores]
    yield table(("Store", "Sound objects", "Size", "Faults"), rows, numbers=(1, 2, 3))


def _told(verdict: Verdict) -> str:
    faults, unread = verdict.all_faults, sum(store.error is not None for store in verdict.stores)
    parts = [plural(len(verdict.stores), "store"), plural(verdict.commits, "commit"), plural(len(faults), "fault")]
    if verdict.messages is not None:
        parts.append(f"{plural(verdict.messages, 'message')} read")
    if unread:
        parts.append(f"{plural(unread, 'store')} could not be read")
    if verdict.exit_code == 0:
        return f"sound: {', '.join(parts)}"
    return f"NOT sound (exit code {verdict.exit_code}): {', '.join(parts)}" + (
        "; try: mailark repair" if faults else ""
    )
