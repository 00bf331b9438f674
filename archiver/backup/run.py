"""One pass of archiving, as one readable function."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from archiver.backup.account import AccountWalk
from archiver.backup.commits import Committer
from archiver.backup.feed import CatalogFeed
from archiver.backup.intake import Intake
from archiver.backup.preview import preview
from archiver.backup.report import AccountReport, RunReport, StoreReport
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
    now: Callable[[], datetime] = utc_now,
) -> RunReport:
    """Archive what is new in every account, and commit it to the stores.

    What fails is in the report, by name; a run that was cut, even by a kill, is finished by the next one. Raises
    ConfigError for an account that is not configured, IntegrityError when a store contradicts this writer's chain.
    """
    accounts = _chosen(archive, options)
    connect = connect or (lambda settings: ImapSource(settings, Limits(spool=archive.work.spool)))
    if options.dry_run:
        return preview(archive.state, accounts, options.wants, connect, now)
    started = now()
    number = archive.state.begin_run(started)
    report = _run(archive, accounts, options, monitor, connect, now, started)
    archive.state.end_run(number, report.ended, report.exit_code, json.dumps(report.as_json(), ensure_ascii=False))
    return report


def _run(
    archive: Archive,
    accounts: list[AccountSettings],
    options: Options,
    monitor: Monitor,
    connect: Connect,
    now: Callable[[], datetime],
    started: datetime,
) -> RunReport:
    archive.work.spool.mkdir(exist_ok=True, mode=0o700)
    feed = CatalogFeed(archive.catalog, archive.machine.writer)
    committer = Committer(archive, feed, monitor, now)
    walked: list[AccountReport] = []
    failure: MailarkError | None = None
    try:
        committer.resume()
        intake = Intake(archive.machine, archive.state, archive.work.spool, committer.batch, now)

        def walk(settings: AccountSettings, stop: threading.Event) -> AccountReport:
            return AccountWalk(
                settings, archive.state, intake, monitor, connect, now, options.wants, options.full, stop
            ).run()

        walked = _side_by_side(walk, accounts)
        intake.flush()
        committer.finish()
    except MailarkError as error:
        failure = error
    finally:
        feed.close()
    return _report(committer, feed, tuple(walked), failure, started, now())


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
