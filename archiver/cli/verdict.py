"""A run in words: what is wrong, line by line, and the verdict in one last line."""

from __future__ import annotations

from collections.abc import Iterator

from archiver.backup.report import AccountReport, FolderReport, RunReport
from archiver.cli.output import number, plural, size, store_name, table

NAMED = 20
"""Failed messages of a folder that are named at the end of a run."""


def complaints(report: RunReport) -> Iterator[str]:
    """One line for everything that keeps the run from being complete."""
    for account in report.accounts:
        if account.error is not None:
            yield _with_hint(f"{account.account}: {account.error}", account.error.hint)
        for folder in account.folders:
            if folder.failed or (not folder.complete and not report.dry_run):
                yield f"{account.account}/{folder.folder}: {_incomplete(folder)}"
                yield from _names(folder)
    for store in report.stores:
        if store.wanting:
            lacks = f" lacks {plural(store.lacks, 'commit')}" if store.lacks else ""
            yield _with_hint(f"store {store_name(store.url)}{lacks}: {store.reason}", store.hint)
    if report.catalog_problem:
        yield f"{report.catalog_problem} (the messages are safe; `mailark reindex` mends it)"
    if report.error is not None:
        yield _with_hint(str(report.error), report.error.hint)


def remarks(report: RunReport) -> Iterator[str]:
    """One line for everything an administrator should know of an account though no message is missing."""
    for account in report.accounts:
        yield from (f"note: {account.account}: {note}" for note in account.notes)


def _names(folder: FolderReport) -> Iterator[str]:
    """The failed messages by name; all of them are in `--json` and in `status`."""
    for problem in folder.failed[:NAMED]:
        yield f"  {f'UID {problem.uid}' if problem.uid else 'the folder'}: {problem.reason}"
    if len(folder.failed) > NAMED:
        yield f"  and {number(len(folder.failed) - NAMED)} more: see `mailark status`"


def _with_hint(text: str, hint: str) -> str:
    return f"{text} (try: {hint})" if hint else text


def _incomplete(folder: FolderReport) -> str:
    counts = f"{number(folder.on_server)} on the server, {number(folder.archived)} archived"
    return f"{counts}, {number(len(folder.failed))} failed by name"


def exit_code(report: RunReport) -> int:
    """The run's own; what a dry run would fetch is no failure."""
    folders = [folder for account in report.accounts for folder in account.folders]
    only_to_fetch = report.dry_run and report.exit_code == 3 and not any(folder.failed for folder in folders)
    return 0 if only_to_fetch else report.exit_code


def verdict(report: RunReport) -> str:
    """The last line of a run."""
    folders = [folder for account in report.accounts for folder in account.folders]
    new, fetched = number(sum(folder.new for folder in folders)), size(sum(folder.size for folder in folders))
    code = exit_code(report)
    count = plural(len(folders), "folder")
    if report.dry_run:
        return f"dry run (exit code {code}): {new} messages ({fetched}) to fetch in {count}"
    stopped = sum(account.error is not None for account in report.accounts)
    parts = [
        plural(len(report.accounts), "account") + (f" ({number(stopped)} of them stopped)" if stopped else ""),
        count,
        f"{number(sum(folder.on_server for folder in folders))} on the server",
        f"{number(sum(folder.archived for folder in folders))} archived",
        f"{number(sum(len(folder.failed) for folder in folders))} failed",
        f"{new} new ({fetched})",
    ]
    if gone := sum(folder.gone for folder in folders):
        parts.append(f"{number(gone)} gone from the server")
    seconds = (report.ended - report.started).total_seconds()
    word = "complete" if code == 0 else f"NOT complete (exit code {code})"
    return f"{word}: {', '.join(parts)} in {seconds:.1f} s"


def plan_table(accounts: tuple[AccountReport, ...]) -> str:
    """What a run would fetch, a folder a line (of `--dry-run`)."""
    rows = [
        (
            account.account,
            folder.folder,
            number(folder.on_server),
            number(folder.new),
            size(folder.size),
            number(folder.gone),
        )
        for account in accounts
        for folder in account.folders
    ]
    return table(("Account", "Folder", "On the server", "To fetch", "Size", "Gone"), rows, numbers=(2, 3, 4, 5))


def result_table(accounts: tuple[AccountReport, ...]) -> str:
    """What a run found complete, a folder a line."""
    rows = [
        (
            account.account,
            folder.folder,
            number(folder.on_server),
            number(folder.archived),
            number(len(folder.failed)),
            number(folder.new),
            number(folder.gone),
        )
        for account in accounts
        for folder in account.folders
    ]
    titles = ("Account", "Folder", "On the server", "Archived", "Failed", "New", "Gone")
    return table(titles, rows, numbers=(2, 3, 4, 5, 6))
