"""The walk over one account: list what changed, plan, fetch over several connections, certify each folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from datetime import datetime

from archiver.backup.fetching import Fetchers, units
from archiver.backup.intake import LARGE, Intake
from archiver.backup.linking import Linker
from archiver.backup.report import AccountReport, FolderReport
from archiver.backup.task import Task, Unit
from archiver.config import AccountSettings
from archiver.errors import MailarkError, ProtocolError, QuotaError
from archiver.model import (
    CertificateEntry,
    Fetched,
    FlagsEntry,
    Folder,
    FolderEntry,
    GoneEntry,
    Problem,
    Refused,
    Row,
)
from archiver.monitor import Monitor
from archiver.sources.interface import GONE, Known, Listing, Source
from archiver.state import Batch, FolderState, State
from archiver.walk import Plan, changed, plan, unsure

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
        self._settings, self._state, self._intake, self._monitor = settings, state, intake, monitor
        self._connect, self._now, self._wanted, self._full, self._cancel = connect, now, wanted, full, stop
        self._stop = threading.Event()
        self._lock, self._large = threading.Lock(), threading.Lock()
        self._fetchers: Fetchers[Unit] = Fetchers(
            lambda: connect(settings), self._fetch, settings.connections - 1, self._stop
        )
        self._linker = Linker(state, self._accept)
        self._wishes: dict[str, Folder] = {}
        self._reports: dict[str, FolderReport] = {}
        self._notes: list[str] = []
        self._error: MailarkError | None = None

    def run(self) -> AccountReport:
        """Walk every wanted folder."""
        try:
            if self._cancel.is_set():
                raise QuotaError("the run was stopped before this account's turn", "the next run goes on")
            with closing(self._connect(self._settings)) as source:
                self._walk(source)
                self._notes.extend(source.notes)
        except MailarkError as error:
            self._fail(error)
        finally:
            self._fetchers.dismiss()
        if self._error is None:
            self._report_unfinished()
        reports = tuple(self._reports[name] for name in sorted(self._reports))
        return AccountReport(self._settings.name, reports, self._error, tuple(dict.fromkeys(self._notes)))

    def _walk(self, source: Source) -> None:
        folders = source.folders()
        states, stale = self._state.folders(self._settings.name)
        present = {folder.name for folder in folders}
        vanished = [s for name, s in states.items() if name not in present and self._settings.wants(name)]
        for state in [*stale, *vanished]:
            self._close_epoch(state)
        unchanged = []
        self._wishes = {f.name: f for f in folders if self._settings.wants(f.name) and self._wanted(f.name)}
        for folder in self._wishes.values():
            if self._stopped():
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
        if self._full or state.skipped >= VERIFY_EVERY or self._state.work(state.id):
            return False
        return not changed(state.cursor, folder.status, self._state.count_places(state.id))

    def _report_unchanged(self, states: Sequence[FolderState]) -> None:
        self._state.note_skipped([state.id for state in states])
        for state in states:
            count = self._state.count_places(state.id)
            on_server = state.cursor.messages if state.cursor is not None else count
            self._reports[state.name] = FolderReport(state.name, on_server, count, changed=False)

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
        self._announce(state)
        self._note_changes(state, decided.reflag, decided.gone)
        self._note_sweep(state, listing.sweep)
        self._state.plan(state.id, decided.fetch)
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
            self._intake.link(task.state, links)
            with self._lock:
                task.linked, task.saved = len(links), sum(link.row.size for link in links)
                task.archived += len(links)
        return settled | {link.row.uid for link in links}

    def _begin(self, source: Source, task: Task, settled: set[int]) -> None:
        """Queue the folder's worklist: what was just planned, what an earlier run left, and what failed before."""
        rows = [row for row in self._state.work(task.state.id) if row.uid not in settled]
        cut = list(units(rows, LARGE))
        task.left = len(cut)
        self._monitor.begin(task.name, len(rows), sum(row.size for row in rows))
        if not cut:
            self._conclude(source, task)
        for unit in cut:
            self._fetchers.offer(source, (task, unit))

    def _drop_vanished_work(self, state: FolderState, uids: frozenset[int]) -> None:
        vanished = [row.uid for row in self._state.work(state.id) if row.uid not in uids]
        if vanished:
            self._state.drop_work(state.id, vanished)

    def _announce(self, state: FolderState) -> None:
        if not state.announced:
            entry = FolderEntry(state.account, state.name, state.epoch, state.uidvalidity, self._now())
            self._intake.note([entry], lambda batch: batch.opened.append(state.id))

    def _note_changes(
        self, state: FolderState, reflag: Sequence[Row], gone: Sequence[int], *, closed: bool = False
    ) -> None:
        now, where = self._now(), (state.account, state.name, state.epoch)
        flags = [FlagsEntry(*where, row.uid, row.flags, now) for row in reflag]
        ended = [GoneEntry(*where, uid, now) for uid in gone]

        def record(batch: Batch) -> None:
            batch.reflagged.extend((state.id, row.uid, row.flags) for row in reflag)
            batch.gone.extend((state.id, uid) for uid in gone)
            batch.closed.extend([state.id] if closed else [])

        if flags or ended or closed:
            self._intake.note([*flags, *ended], record)

    def _note_sweep(self, state: FolderState, sweep: int | None) -> None:
        """Where the comparison of a large folder's flags goes on, durable together with what this window brought."""
        if sweep is not None:
            self._intake.note((), lambda batch: batch.swept.append((state.id, sweep)))

    def _close_epoch(self, state: FolderState) -> None:
        """Its places are no longer on the server; what they held stays archived, and may be found elsewhere."""
        self._linker.ended(state)
        self._note_changes(state, (), sorted(self._state.known(state).flags), closed=True)

    # -- fetching, in any of the account's threads

    def _fetch(self, source: Source, unit: Unit) -> None:
        task, rows = unit
        try:
            with self._large if rows[0].size >= LARGE else nullcontext():  # one of an account's connections at a time
                for item in source.fetch(task.folder, rows):
                    self._accept(task, item)
                    if self._stopped():
                        task.broken = True
                        return
        except ProtocolError as error:
            task.failed.append(Problem(task.name, str(error), task.state.account, task.state.name))
        except MailarkError as error:
            task.broken = True
            self._fail(error)
            return
        with self._lock:
            task.left -= 1
            over = task.left == 0 and not task.broken
        if over:
            self._conclude(source, task)

    def _accept(self, task: Task, item: Fetched | Refused) -> None:
        if isinstance(item, Refused):
            self._refuse(task, item)
            return
        self._intake.take(task.state, item)
        with self._lock:
            task.archived += 1
            task.new += 1
            task.size += len(item.body)
        self._monitor.advance(task.name, 1, len(item.body))

    def _refuse(self, task: Task, refused: Refused) -> None:
        """Quarantine by name; the folder goes on. What the server has removed since the listing is no failure."""
        state = task.state
        if refused.reason == GONE:
            with self._lock:
                task.vanished.add(refused.uid)
            return
        self._state.quarantine(state.id, refused.uid, refused.reason)
        problem = Problem(f"{task.name} UID {refused.uid}", refused.reason, state.account, state.name, refused.uid)
        with self._lock:
            task.failed.append(problem)
        self._monitor.problem(problem)

    def _conclude(self, source: Source, task: Task) -> None:
        """The last unit is done: prove what is said to be gone, and finish."""
        try:
            self._prove_gone(source, task)
        except ProtocolError as error:
            task.failed.append(Problem(task.name, str(error), task.state.account, task.state.name))
        except MailarkError as error:
            task.broken = True
            self._fail(error)
            return
        self._finish(task)

    def _prove_gone(self, source: Source, task: Task) -> None:
        """Some servers leave messages out of their answers: gone is only what a new listing does not have either."""
        if not task.vanished:
            return
        uids = source.listing(task.folder, unsure(self._state.known(task.state))).uids or frozenset()
        for uid in sorted(task.vanished & uids):
            self._refuse(task, Refused(uid, "the server lists it, and says that it is gone when asked for it"))
        removed = task.vanished - uids
        self._state.drop_work(task.state.id, removed)
        task.removed = len(removed & task.listed)

    def _finish(self, task: Task) -> None:
        """All of the folder's work is done or failed by name: certify it and let its cursor move."""
        state, failed = task.state, task.unaccounted()
        if task.dirty or task.new or task.linked or failed or not state.announced:
            names = tuple(f"{problem.uid}: {problem.reason}" for problem in failed)
            entry = CertificateEntry(
                state.account, state.name, state.epoch, task.on_server, task.archived, names, self._now()
            )
            self._intake.note([entry], lambda batch: None)
        self._intake.complete(state, task.status)
        with self._lock:
            self._reports[state.name] = task.report(failed)
        self._monitor.end(task.name, task.summary(len(failed)))

    def _report_unlisted(self, folder: Folder, state: FolderState | None, error: ProtocolError) -> None:
        """The folder could not be read at all; whatever was archived of it before stays."""
        problem = Problem(f"{self._settings.name}/{folder.name}", str(error), self._settings.name, folder.name)
        self._monitor.problem(problem)
        archived = self._state.count_places(state.id) if state is not None else 0
        on_server = folder.status.messages if folder.status is not None else archived
        self._reports[folder.name] = FolderReport(folder.name, on_server, archived, (problem,))

    def _report_unfinished(self) -> None:
        """Folders that the run was stopped in or before: a report without them would call the account complete."""
        states, _ = self._state.folders(self._settings.name)
        for name, folder in self._wishes.items():
            if name not in self._reports:
                archived = self._state.count_places(states[name].id) if name in states else 0
                on_server = folder.status.messages if folder.status is not None else archived
                problem = Problem(
                    f"{self._settings.name}/{name}",
                    "the run was stopped before all of it was archived",
                    self._settings.name,
                    name,
                )
                self._reports[name] = FolderReport(name, on_server, archived, (problem,))

    def _stopped(self) -> bool:
        return self._stop.is_set() or self._cancel.is_set()

    def _fail(self, error: MailarkError) -> None:
        with self._lock:
            self._error = self._error or error
        self._stop.set()
