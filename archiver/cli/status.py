"""mailark status"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from archiver.cli.output import as_json, moment, number, one_line, plural, store_name, table
from archiver.cli.session import Session, finish

if TYPE_CHECKING:
    from archiver.opening import Archive
    from archiver.proofs import StateProofs

STALE = 3

SKEW = timedelta(hours=1)
"""How far a clock may have been put back since a run without anybody having to look."""


@click.command()
@click.option(
    "--max-age", type=click.FloatRange(0), metavar="HOURS", help="End with 3 when no run was complete in this time."
)
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(session: Session, max_age: float | None, json_: bool) -> None:
    """Tell how complete, how old and how well copied the archive is.

    Reads this machine's records only: no server and no store is asked.
    """
    with session.open(exclusive=False, offline=True) as archive:
        facts = _facts(archive)
    click.echo(as_json(facts) if json_ else "\n".join(_lines(facts)))
    last = facts["last_complete"] and datetime.fromisoformat(facts["last_complete"])
    click.echo(_verdict(facts, last), err=json_)
    finish(STALE if max_age is not None and not is_fresh(last, max_age) else 0)


def is_fresh(last: datetime | None, hours: float) -> bool:
    """Whether a run was complete in these hours. One of the future proves a wrong clock, and nothing about tonight."""
    return last is not None and -SKEW <= datetime.now(UTC) - last <= timedelta(hours=hours)


def _facts(archive: Archive) -> dict[str, Any]:
    from archiver.proofs import StateProofs
    from archiver.run_log import RunLog
    from archiver.worklist import Worklist

    runs: list[dict[str, Any]] = [
        {"started": run.started, "ended": run.ended, "exit_code": run.exit_code, "accounts": run.codes}
        for run in RunLog(archive.state).latest()
    ]
    names = [account.name for account in archive.settings.accounts]
    complete = [run for run in runs if run["exit_code"] == 0 and set(names) <= set(run["accounts"])]
    proofs = StateProofs(archive.state)
    lacking = archive.journal.lacking(archive.settings.archive.stores)
    return {
        "archive": archive.machine.archive,
        "writer": archive.machine.writer,
        "work": str(archive.work.path),
        "copies": archive.settings.archive.copies,
        "last_run": runs[0] if runs else None,
        "last_complete": complete[0]["ended"] if complete else None,
        "accounts": [_account(archive, name, runs) for name in names],
        "stores": [_store(proofs, url, seqs) for url, seqs in lacking.items()],
        "failed": [
            {"account": q.account, "folder": q.folder, "uid": q.uid, "attempts": q.attempts, "reason": q.reason}
            for q in Worklist(archive.state).quarantined()
        ],
    }


def _store(proofs: StateProofs, url: str, lacks: list[tuple[int, str]]) -> dict[str, Any]:
    """read: when an object was last read and right · verified: share of the bytes ever read, as of the last check ·
    protection, locks, unlocked: Object Lock, how many objects' locks were looked at, and how many lack something."""
    last, locked = proofs.last(url), proofs.locked(url)
    return {
        "url": url,
        "lacks": len(lacks),
        "since": lacks[0][1] if lacks else None,
        "checked": last.time if last else None,
        "faults": last.faults if last else None,
        "read": last.read if last else None,
        "verified": last.share if last else None,
        "oldest": last.oldest if last else None,
        "protection": locked.protection if locked else None,
        "locks": locked.looked if locked else None,
        "unlocked": locked.lacking if locked else None,
    }


def _account(archive: Archive, name: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    from archiver.worklist import Worklist

    folders, _ = archive.state.folders(name)
    complete = (run["ended"] for run in runs if run["accounts"].get(name) == 0)
    return {
        "account": name,
        "folders": len(folders),
        "on_server": sum(folder.cursor.messages for folder in folders.values() if folder.cursor),
        "archived": sum(archive.state.count_places(folder.id) for folder in folders.values()),
        "failed": len(Worklist(archive.state).quarantined(name)),
        "last_complete": next(complete, None),
    }


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    rows = [
        (
            a["account"],
            number(a["folders"]),
            number(a["on_server"]),
            number(a["archived"]),
            number(a["failed"]),
            _when(a["last_complete"]),
        )
        for a in facts["accounts"]
    ]
    titles = ("Account", "Folders", "On the server", "Archived", "Failed", "Last complete")
    yield table(titles, rows, numbers=(1, 2, 3, 4))
    yield ""
    stores = ("Store", "Lacks", "Since", "Checked", "Faults", "Last read", "Ever read", "Oldest reading")
    yield table(stores, [_store_row(store) for store in facts["stores"]], numbers=(4, 6))
    yield from (_protection(store) for store in facts["stores"] if store["protection"])
    for failed in facts["failed"]:
        place = f"{failed['account']}/{failed['folder']} UID {failed['uid']}"
        yield one_line(f"failed: {place}: {failed['reason']} ({plural(failed['attempts'], 'attempt')})")
    yield ""


def _store_row(store: dict[str, Any]) -> tuple[str, ...]:
    return (
        store_name(store["url"]),
        _lacks(store),
        _when(store["since"]),
        _when(store["checked"]),
        "-" if store["faults"] is None else number(store["faults"]),
        _when(store["read"]),
        "-" if store["verified"] is None else f"{int(store['verified'] * 100)} %",
        _when(store["oldest"]),
    )


def _protection(store: dict[str, Any]) -> str:
    seen = f"{number(store['locks'])} locks seen, {number(store['unlocked'])} not as promised"
    return f"{store_name(store['url'])}: {store['protection']}" + (f"; {seen}" if store["locks"] else "")


def _lacks(store: dict[str, Any]) -> str:
    return plural(store["lacks"], "commit") if store["lacks"] else "nothing"


def _when(text: str | None) -> str:
    return moment(datetime.fromisoformat(text)) if text else "-"


def _verdict(facts: dict[str, Any], last: datetime | None) -> str:
    run = facts["last_run"]
    if run is None:
        return "no run yet"
    told = f"last complete run: {_age(last)}" if last else "no run was complete yet"
    if run["ended"] is None:
        return f"{told}; the latest, of {_when(run['started'])}, is running or was killed"
    return (
        told
        if run["exit_code"] == 0
        else f"{told}; the latest, of {_when(run['started'])}, ended with {run['exit_code']}"
    )


def _age(when: datetime) -> str:
    hours = (datetime.now(UTC) - when).total_seconds() / 3600
    if timedelta(hours=hours) < -SKEW:
        return f"{moment(when)}, which is in the future: was this machine's clock wrong?"
    minutes = max(0.0, hours * 60)
    ago = f"{minutes:.0f} min" if hours < 2 else f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.0f} days"
    return f"{moment(when)}, {ago} ago"
