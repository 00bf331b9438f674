"""The walk over one account: list what changed, plan, fetch over several connections, certify each folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime

from archiver.backup.arrivals import Arrivals
from archiver.backup.changes import Changes
from archiver.backup.fetching import Fetchers, units
from archiver.backup.intake import LARGE, Intake
from archiver.backup.linking import Linker
from archiver.backup.progress import Progress
from archiver.backup.report import AccountReport, FolderReport
from archiver.backup.task import Task, Unit
from archiver.config import AccountSettings
from archiver.errors import MailarkError, ProtocolError, QuotaError
from archiver.model import Folder, Problem, Row
from archiver.monitor import Monitor
from archiver.sources.interface import Known, Listing, Source
from archiver.state import FolderState, State
from archiver.walk import Plan, changed, plan, unsure
from archiver.worklist import Worklist

VERIFY_EVERY = 20
"""A folder whose status alone says "unchanged" is listed all the same after this many runs."""


class AccountWalk:
    """One pass over one account. `run` never raises for what is wrong with the account: the report says it."""

    def __init__(
        self,
        settings: AccountSettings,
        state: State,
        intake: Intake,
        monitor: Monitor,
        connect: Callable[[AccountSettings], Source],
        now: Callable[[], datetime],
        wanted: Callable[[str], bool],
        full: bool,
        stop: threading.Event,
    ) -> None:
        self._settings, self._state, self._connect = settings, state, connect
        self._worklist = Worklist(state)
        self._wanted, self._full, self._cancel = wanted, full, stop
        self._progress = Progress(monitor, stop)
        self._changes = Changes(intake, now)
        self._arrivals = Arrivals(state, intake, self._changes, self._progress)
        self._fetchers: Fetchers[Unit] = Fetchers(
            lambda: connect(settings), self._arrivals.fetch, settings.connections - 1, self._progress.stop
        )
        self._linker = Linker(state, self._arrivals.accept)
        self._wishes: dict[str, Folder] = {}
        self._notes: list[str] = []

    def run(self) -> AccountReport:
        """Walk every wanted folder."""
        try:
            if self._cancel.is_set():
                raise QuotaError("the run was stopped before this account's turn", "the next run goes on")
            with closing(self._connect(self._settings)) as source:
                self._walk(source)
                self._notes.extend(source.notes)
        except MailarkError as error:
            self._progress.fail(error)
        finally:
            self._fetchers.dismiss()
        progress = self._progress
        if progress.error is None:
            self._report_unfinished()
        reports = tuple(progress.reports[name] for name in sorted(progress.reports))
        return AccountReport(self._settings.name, reports, progress.error, tuple(dict.fromkeys(self._notes)))

    def _walk(self, source: Source) -> None:
        folders = source.folders()
        states, stale = self._state.folders(self._settings.name)
        present = {folder.name for folder in folders}
        vanished = [s for name, s in states.items() if name not in present and self._settings.wants(name)]
        self._notes += [self._farewell(state) for state in vanished]
        for state in [*stale, *vanished]:
            self._close_epoch(state)
        unchanged = []
        self._wishes = {f.name: f for f in folders if self._settings.wants(f.name) and self._wanted(f.name)}
        for folder in self._wishes.values():
            if self._progress.stopped():
                return
            known = states.get(folder.name)
            if known is not None and self._same(known, folder):
                unchanged.append(known)
            else:
                self._inspect(source, folder, known)
        self._report_unchanged(unchanged)
        self._fetchers.drain(source)

    # -- deciding what to do with a folder

    def _same(self, state: FolderState, folder: Folder) -> bool:
        """The status alone proves that nothing changed, nothing is left over, and it was looked at not long ago."""
        if self._full or state.skipped >= VERIFY_EVERY or self._worklist.of(state.id):
            return False
        return not changed(state.cursor, folder.status, self._state.count_places(state.id))

    def _report_unchanged(self, states: Sequence[FolderState]) -> None:
        self._state.note_skipped([state.id for state in states])
        for state in states:
            count = self._state.count_places(state.id)
            on_server = state.cursor.messages if state.cursor is not None else count
            self._progress.report(FolderReport(state.name, on_server, count, changed=False))

    def _inspect(self, source: Source, folder: Folder, state: FolderState | None) -> None:
        """List the folder, decide, note what needs no bytes, and put the rest on the worklist."""
        known = self._state.known(state) if state is not None else None
        try:
            listing, decided = self._decide(source, folder, state, known)
        except ProtocolError as error:
            self._report_unlisted(folder, state, error)
            return
        if state is not None and decided.new_epoch:
            self._close_epoch(state)
        fresh = state is None or state.cursor is None or decided.new_epoch
        if state is None or decided.new_epoch:
            state = self._state.open_epoch(self._settings.name, folder, listing.status.uidvalidity)
        self._changes.opened(state)
        self._changes.reflagged(state, decided.reflag)
        self._changes.gone(state, decided.gone)
        self._changes.swept(state, listing.sweep)
        self._worklist.plan(state.id, decided.fetch)
        if listing.uids is not None:
            self._drop_vanished_work(state, listing.uids)
        gone = len(decided.gone)
        live = len(known.flags) - gone if known is not None and not decided.new_epoch else 0
        folder = replace(folder, status=listing.status)  # other connections hold the server to this UIDVALIDITY
        listed = frozenset(row.uid for row in decided.fetch)
        task = Task(folder, state, listing.status, live, gone, bool(decided.reflag or gone), listed)
        self._begin(source, task, self._link(source, task, decided.fetch) if fresh else set())

    def _decide(
        self, source: Source, folder: Folder, state: FolderState | None, known: Known | None
    ) -> tuple[Listing, Plan]:
        """List and plan; every UID is asked for when that is due, or when most of the folder is said to be gone."""
        if state is not None and known is not None and (self._full or state.skipped >= VERIFY_EVERY):
            known = unsure(known)
        listing = source.listing(folder, known)
        decided = plan(known, listing)
        if decided.verify and known is not None:
            listing = source.listing(folder, unsure(known))
            decided = plan(unsure(known), listing)
        return listing, decided

    def _link(self, source: Source, task: Task, rows: Sequence[Row]) -> set[int]:
        """Give places to messages that are archived from an epoch that ended. UIDs that need no more work."""
        links, settled = self._linker.links(source, task, rows)
        if links:
            self._changes.linked(task.state, links)
            with self._progress.lock:
                task.linked, task.saved = len(links), sum(link.row.size for link in links)
                task.archived += len(links)
        return settled | {link.row.uid for link in links}

    def _begin(self, source: Source, task: Task, settled: set[int]) -> None:
        """Queue the folder's worklist: what was just planned, what an earlier run left, and what failed before."""
        rows = [row for row in self._worklist.of(task.state.id) if row.uid not in settled]
        cut = list(units(rows, LARGE))
        task.left = len(cut)
        self._progress.monitor.begin(task.name, len(rows), sum(row.size for row in rows))
        if not cut:
            self._arrivals.conclude(source, task)
        for unit in cut:
            self._fetchers.offer(source, (task, unit))

    def _drop_vanished_work(self, state: FolderState, uids: frozenset[int]) -> None:
        vanished = [row.uid for row in self._worklist.of(state.id) if row.uid not in uids]
        if vanished:
            self._worklist.drop(state.id, vanished)

    def _close_epoch(self, state: FolderState) -> None:
        """Its places are no longer on the server; what they held stays archived, and may be found elsewhere."""
        self._linker.ended(state)
        self._changes.closed(state, sorted(self._state.known(state).flags))

    def _farewell(self, state: FolderState) -> str:
        """Said once, in the run that finds the folder gone: nothing else in the report would name it."""
        count = self._state.count_places(state.id)
        stays = "its message stays" if count == 1 else f"its {count} messages stay"
        return f"{state.name} is no longer on the server (deleted, or renamed); {stays} in the archive"

    # -- what was not archived whole

    def _report_unlisted(self, folder: Folder, state: FolderState | None, error: ProtocolError) -> None:
        """The folder could not be read at all."""
        account = self._settings.name
        self._progress.monitor.problem(Problem(f"{account}/{folder.name}", str(error), account, folder.name))
        self._report_lacking(folder, state, str(error))

    def _report_unfinished(self) -> None:
        """Folders that the run was stopped in or before: a report without them would call the account complete."""
        states, _ = self._state.folders(self._settings.name)
        for name, folder in self._wishes.items():
            if name not in self._progress.reports:
                reason = "the run was stopped before all of it was archived"
                self._report_lacking(folder, states.get(name), reason)

    def _report_lacking(self, folder: Folder, state: FolderState | None, reason: str) -> None:
        """What was archived of it before stays."""
        archived = self._state.count_places(state.id) if state is not None else 0
        on_server = folder.status.messages if folder.status is not None else archived
        account = self._settings.name
        problem = Problem(f"{account}/{folder.name}", reason, account, folder.name)
        self._progress.report(FolderReport(folder.name, on_server, archived, (problem,)))
