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

from archiver.backup.account import AccountWalk
from archiver.backup.commits import Committer
from archiver.backup.feed import CatalogFeed, Indexer
from archiver.backup.intake import Intake
from archiver.backup.preview import preview
from archiver.backup.report import AccountReport, RunReport, StoreReport
from archiver.catalog.process import CatalogProcess
from archiver.config import AccountSettings
from archiver.errors import ConfigError, MailarkError
from archiver.monitor import Monitor
from archiver.opening import Archive
from archiver.sources.imap import ImapSource
from archiver.sources.interface import Source
from archiver.sources.limits import Limits

ACCOUNTS_AT_ONCE = 4

Connect = Callable[[AccountSettings], Source]


def utc_now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Options:
    """Accounts by name and folders by glob (none means all); full: list every folder, whatever its status says."""

    accounts: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    full: bool = False
    dry_run: bool = False

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
    number = archive.state.begin_run(started)
    archive.work.spool.mkdir(exist_ok=True, mode=0o700)
    process = CatalogProcess(archive.work.catalog, archive.machine.database_key)
    feed = CatalogFeed(indexer or process, archive.machine.writer)
    committer = Committer(archive, feed, monitor, now)

    def walk(intake: Intake, settings: AccountSettings, stop: threading.Event) -> AccountReport:
        wants, full = options.wants, options.full
        return AccountWalk(settings, archive.state, intake, monitor, connect, now, wants, full, stop).run()

    walked, failure = _run(archive, accounts, committer, walk, now)
    feed.close(process)
    report = _report(committer, feed, tuple(walked), failure, started, now())
    return _kept(archive, number, report)


def _kept(archive: Archive, number: int, report: RunReport) -> RunReport:
    """Record the report for `status`; that this fails (a full disk) must not hide what the report says."""
    try:
        archive.state.end_run(number, report.ended, report.exit_code, json.dumps(report.as_json(), ensure_ascii=False))
    except MailarkError as error:
        return replace(report, error=report.error or error)
    return report


def _run(
    archive: Archive,
    accounts: list[AccountSettings],
    committer: Committer,
    walk: Callable[[Intake, AccountSettings, threading.Event], AccountReport],
    now: Callable[[], datetime],
) -> tuple[list[AccountReport], MailarkError | None]:
    """Everything between begin and report; what fails as a whole is returned beside what was walked."""
    walked: list[AccountReport] = []
    try:
        committer.resume()
        intake = Intake(archive.machine, archive.state, archive.work.spool, committer.batch, now)
        walked = _side_by_side(partial(walk, intake), accounts)
        intake.flush()
        committer.finish()
    except MailarkError as error:
        return walked, error
    return walked, None


def _side_by_side(
    walk: Callable[[AccountSettings, threading.Event], AccountReport], accounts: list[AccountSettings]
) -> list[AccountReport]:
    """Several accounts at once; on Ctrl-C they stop at the next message, and what is sealed so far stays."""
    stop = threading.Event()
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
    walked: tuple[AccountReport, ...],
    failure: MailarkError | None,
    started: datetime,
    ended: datetime,
) -> RunReport:
    outcome = committer.outcome
    stores = outcome.stores if outcome is not None else ()
    return RunReport(
        started=started,
        ended=ended,
        accounts=walked,
        stores=tuple(StoreReport(s.url, len(s.lacks), str(s.error) if s.error else "") for s in stores),
        settled=outcome is not None and not outcome.unsettled,
        error=failure,
        catalog_problem=feed.problem,
    )
