"""What a run says in words: all that is in its report and that an administrator must not miss."""

from __future__ import annotations

from datetime import UTC, datetime

from archiver.backup.report import AccountReport, FolderReport, RunReport
from archiver.cli.verdict import remarks, result_table, verdict
from archiver.errors import AuthError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _run(*folders: FolderReport, notes: tuple[str, ...] = ()) -> RunReport:
    return RunReport(NOON, NOON, (AccountReport("sales", folders, notes=notes),))


def test_messages_that_disappeared_from_the_server_are_told() -> None:
    report = _run(FolderReport("INBOX", 10, 10, gone=4_990), FolderReport("Sent", 7, 7))
    assert "4,990 gone from the server" in verdict(report)
    title, inbox, sent = result_table(report.accounts).splitlines()
    assert [line.split()[-1] for line in (title, inbox, sent)] == ["Gone", "4,990", "0"]


def test_a_run_in_which_nothing_disappeared_says_nothing_of_it() -> None:
    assert "gone" not in verdict(_run(FolderReport("INBOX", 10, 10)))


def test_accounts_that_stopped_are_counted() -> None:
    refused = AccountReport("buying", (), AuthError("the login was refused", ""))
    report = RunReport(NOON, NOON, (AccountReport("sales", ()), refused))
    assert verdict(report).startswith("NOT complete (exit code 4): 2 accounts (1 of them stopped), 0 folders")


def test_the_remarks_of_an_account_are_told() -> None:
    assert list(remarks(_run(notes=("All Mail is hidden",)))) == ["note: sales: All Mail is hidden"]
