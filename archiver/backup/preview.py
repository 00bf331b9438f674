"""What a run would do, without doing it: lists every folder, fetches no body, changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime

from archiver.backup.report import AccountReport, FolderReport, RunReport
from archiver.config import AccountSettings
from archiver.errors import MailarkError, ProtocolError
from archiver.model import Folder, Problem
from archiver.sources.interface import Source
from archiver.state import FolderState, State
from archiver.walk import plan
from archiver.worklist import Worklist


def preview(
    state: State,
    accounts: Sequence[AccountSettings],
    wanted: Callable[[str], bool],
    connect: Callable[[AccountSettings], Source],
    now: Callable[[], datetime],
) -> RunReport:
    """For each folder, `new` messages and `size` bytes that would be fetched, and `gone` places."""
    started = now()
    reports = tuple(_account(state, settings, wanted, connect) for settings in accounts)
    return RunReport(started, now(), reports, dry_run=True)


def _account(
    state: State, settings: AccountSettings, wanted: Callable[[str], bool], connect: Callable[[AccountSettings], Source]
) -> AccountReport:
    reports: list[FolderReport] = []
    try:
        with closing(connect(settings)) as source:
            states, _ = state.folders(settings.name)
            chosen = [f for f in source.folders() if settings.wants(f.name) and wanted(f.name)]
            reports.extend(_folder(state, source, f, states.get(f.name), settings.name) for f in chosen)
    except MailarkError as error:
        return AccountReport(settings.name, tuple(reports), error)
    return AccountReport(settings.name, tuple(reports))


def _folder(state: State, source: Source, folder: Folder, kept: FolderState | None, account: str) -> FolderReport:
    known = state.known(kept) if kept is not None else None
    try:
        listing = source.listing(folder, known)
    except ProtocolError as error:
        return FolderReport(folder.name, 0, 0, (Problem(f"{account}/{folder.name}", str(error), account),))
    decided = plan(known, listing)
    work = {row.uid: row for row in decided.fetch}
    if kept is not None and not decided.new_epoch:
        work.update((row.uid, row) for row in Worklist(state).of(kept.id))
    on_server = listing.status.messages
    return FolderReport(
        folder.name,
        on_server,
        on_server - len(work),
        new=len(work),
        size=sum(row.size for row in work.values()),
        gone=len(decided.gone),
        changed=bool(work or decided.gone or decided.reflag),
    )
