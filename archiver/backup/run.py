"""One pass of archiving, as one readable function."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial

from archiver.authenticity.checker import Checker
from archiver.authenticity.lookup import DnsFinder
from archiver.backup.account import AccountWalk
from archiver.backup.commits import Committer
from archiver.backup.feed import CatalogFeed, Indexer
from archiver.backup.intake import Intake
from archiver.backup.pacing import Pacing
from archiver.backup.preview import preview
from archiver.backup.report import AccountReport, RunReport, StoreReport
from archiver.backup.understanding import ReaderProcess
from archiver.catalog.process import CatalogProcess
from archiver.config import AccountSettings, ArchiveSettings
from archiver.errors import ConfigError, MailarkError, QuotaError
from archiver.model import Problem
from archiver.monitor import Monitor
from archiver.opening import Archive
from archiver.run_log import RunLog
from archiver.sources.imap import ImapSource
from archiver.sources.interface import Source
from archiver.sources.limits import Limits
from archiver.vault.commit import StoreOutcome
from archiver.vault.files import usable

ACCOUNTS_AT_ONCE = 4

Connect = Callable[[AccountSettings], Source]


def utc_now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Options:
    """Accounts by name and folders by glob (none means all); full: list every folder, whatever its status says ·
    any_time: go on outside the hours that the configuration gives."""

    accounts: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    full: bool = False
    dry_run: bool = False
    any_time: bool = False

    def wants(self, folder: str) -> bool:
        return not self.folders or any(fnmatchcase(folder, pattern) for pattern in self.folders)


def backup(
    archive: Archive,
    options: Options,
    monitor: Monitor,
    *,
    connect: Connect | None = None,
    indexer: Indexer | None = None,
    now: Callable[[], datetime] = utc_now,
) -> RunReport:
    """Archive what is new in every account, and commit it to the stores.

    What fails is in the report, by name; a run that was cut, even by a kill, is finished by the next one. Raises
    ConfigError for an account that is not configured. `indexer` takes the catalog lines; without one a process of its
    own does.
    """
    accounts = _chosen(archive, options)
    connect = connect or (lambda settings: ImapSource(settings, Limits(spool=archive.work.spool)))
    if options.dry_run:
        return preview(archive.state, accounts, options.wants, connect, now)
    started = now()
    number = RunLog(archive.state).begin(started)
    with usable(archive.work.spool):
        archive.work.spool.mkdir(exist_ok=True, mode=0o700)
    process = CatalogProcess(archive.work.catalog, archive.machine.database_key)
    feed = CatalogFeed(indexer or process, archive.machine.writer)
    run = _Run(archive, options, monitor, connect, feed, now)
    try:
        walked, failure = run.over(accounts)
    finally:
        run.close()
    feed.close(process)
    report = _report(run.committer, feed, run.pacing, tuple(walked), failure, started, now())
    return _kept(archive, number, _with_shortfall(report, run.checker, monitor))


class _Run:
    """What works in a run between its beginning and its report; `close` it in any case."""

    def __init__(
        self,
        archive: Archive,
        options: Options,
        monitor: Monitor,
        connect: Connect,
        feed: CatalogFeed,
        now: Callable[[], datetime],
    ) -> None:
        self._archive, self._options, self._monitor = archive, options, monitor
        self._connect, self._feed, self._now = connect, feed, now
        self.pacing = Pacing(archive.settings.archive, now, any_time=options.any_time)
        self.committer = Committer(archive, self.pacing.stores(archive.stores), feed, monitor, now)
        self.checker, self._reader = _checker(archive.settings.archive, now), ReaderProcess()

    def over(self, accounts: list[AccountSettings]) -> tuple[list[AccountReport], MailarkError | None]:
        """Archive them all; what fails as a whole is returned beside what was walked."""
        walked: list[AccountReport] = []
        stop = threading.Event()
        try:
            self.pacing.check()
            self.committer.resume()
            intake = self._intake()
            with self.pacing.stopping(stop):
                walked = _side_by_side(partial(self._walk, intake), accounts, stop)
            intake.flush()
            self.committer.finish()
            if stop.is_set():
                self.pacing.check()
        except MailarkError as error:
            return walked, error
        return walked, None

    def close(self) -> None:
        """Nothing is read, sent or recorded any more."""
        self._reader.close()
        self.committer.close()
        if self.checker is not None:
            self.checker.close()

    def _intake(self) -> Intake:
        archive, batch, ahead = self._archive, self.committer.batch, self._feed.ahead
        machine, state, spool = archive.machine, archive.state, archive.work.spool
        return Intake(machine, state, spool, batch, self._now, self.checker, self._reader, ahead)

    def _walk(self, intake: Intake, settings: AccountSettings, stop: threading.Event) -> AccountReport:
        state, monitor, connect = self._archive.state, self._monitor, self._connect
        wants, full = self._options.wants, self._options.full
        return AccountWalk(settings, state, intake, monitor, connect, self._now, wants, full, stop).run()


def _with_shortfall(report: RunReport, checker: Checker | None, monitor: Monitor) -> RunReport:
    """The report, which says why signatures were not verified if that is so."""
    shortfall = checker.shortfall() if checker is not None else ""
    if not shortfall:
        return report
    monitor.problem(Problem("signatures", shortfall))
    return replace(report, notes=(shortfall,))


def _kept(archive: Archive, number: int, report: RunReport) -> RunReport:
    """Record the report for `status`; that this fails (a full disk) must not hide what the report says."""
    try:
        RunLog(archive.state).end(
            number, report.ended, report.exit_code, json.dumps(report.as_json(), ensure_ascii=False)
        )
    except MailarkError as error:
        return replace(report, error=report.error or error)
    return report


def _checker(settings: ArchiveSettings, now: Callable[[], datetime]) -> Checker | None:
    return Checker(DnsFinder(settings.dns), now) if settings.dkim else None


def _side_by_side(
    walk: Callable[[AccountSettings, threading.Event], AccountReport],
    accounts: list[AccountSettings],
    stop: threading.Event,
) -> list[AccountReport]:
    """Several accounts at once; on `stop` or Ctrl-C they end at the next message, and what is sealed so far stays."""
    with ThreadPoolExecutor(min(len(accounts), ACCOUNTS_AT_ONCE), "account") as pool:
        walks = [pool.submit(walk, settings, stop) for settings in accounts]
        try:
            return [done.result() for done in walks]
        except BaseException:
            stop.set()
            raise


def _chosen(archive: Archive, options: Options) -> list[AccountSettings]:
    known = {account.name: account for account in archive.settings.accounts}
    unknown = sorted(set(options.accounts) - set(known))
    if unknown or not known:
        what = f"no account is named {', '.join(unknown)}" if unknown else "no account is configured"
        raise ConfigError(what, "see `mailark account list`")
    return [account for name, account in known.items() if not options.accounts or name in options.accounts]


def _report(
    committer: Committer,
    feed: CatalogFeed,
    pacing: Pacing,
    walked: tuple[AccountReport, ...],
    failure: MailarkError | None,
    started: datetime,
    ended: datetime,
) -> RunReport:
    outcome, closed = committer.outcome, pacing.closed
    return RunReport(
        started=started,
        ended=ended,
        accounts=walked,
        stores=tuple(_store(store, closed) for store in (outcome.stores if outcome is not None else ())),
        settled=not outcome.unsettled if outcome is not None else closed,
        error=failure,
        catalog_problem=feed.problem,
    )


def _store(store: StoreOutcome, closed: bool) -> StoreReport:
    """`closed`: it is outside the hours, which is the reason of what the pacing refused."""
    if store.error is None:
        return StoreReport(store.url, len(store.lacks))
    limited = isinstance(store.error, QuotaError)
    reason, hint = str(store.error), store.error.hint
    return StoreReport(store.url, len(store.lacks), reason, limited and closed, limited and not closed, hint)
