"""A run in words: what is wrong, line by line, and the verdict in one last line."""

from __future__ import annotations

from collections.abc import Iterator

from archiver.backup.report import AccountReport, FolderReport, RunReport
from archiver.cli.output import number, one_line, plural, size, table


def complaints(report: RunReport) -> Iterator[str]:
    """One line for everything that keeps the run from being complete."""
    for account in report.accounts:
        if account.error is not None:
            yield _with_hint(f"{account.account}: {account.error}", account.error.hint)
        for folder in account.folders:
            if not folder.complete:
                yield f"{account.account}/{folder.folder}: {_incomplete(folder)}"
    for store in report.stores:
        if store.lacks:
            yield f"store {store.url} lacks {plural(store.lacks, 'commit')}: {store.reason}"
    if report.catalog_problem:
        yield f"{report.catalog_problem} (the messages are safe; `mailark reindex` mends it)"
    if report.error is not None:
        yield _with_hint(str(report.error), report.error.hint)


def _with_hint(text: str, hint: str) -> str:
    return f"{text} (try: {hint})" if hint else text


def _incomplete(folder: FolderReport) -> str:
    counts = f"{number(folder.on_server)} on the server, {number(folder.archived)} archived"
    return f"{counts}, {number(len(folder.failed))} failed by name"


def verdict(report: RunReport) -> str:
    """The last line of a run."""
    folders = [folder for account in report.accounts for folder in account.folders]
    parts = [
        plural(len(report.accounts), "account"),
        plural(len(folders), "folder"),
        f"{number(sum(folder.on_server for folder in folders))} on the server",
        f"{number(sum(folder.archived for folder in folders))} archived",
        f"{number(sum(len(folder.failed) for folder in folders))} failed",
        f"{number(sum(folder.new for folder in folders))} new ({size(sum(folder.size for folder in folders))})",
    ]
    seconds = (report.ended - report.started).total_seconds()
    word = "complete" if report.exit_code == 0 else f"NOT complete (exit code {report.exit_code})"
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


def one_lines(lines: Iterator[str]) -> Iterator[str]:
    """Each made harmless for a terminal."""
    return map(one_line, lines)
