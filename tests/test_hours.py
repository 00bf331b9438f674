"""Runs that may send at certain hours only, and runs that leave a slow store behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from archiver.amounts import parse_window
from archiver.backup import Options, RunReport, backup
from archiver.config import AccountSettings
from archiver.monitor import Silent
from archiver.sources.imap import ImapSource
from archiver.sources.limits import Limits
from archiver.stores.faulty import Fault, FaultyStore, When
from archiver.stores.interface import Store
from archiver.stores.memory import MemoryStore
from tests.kit import archive_in, memory_stores
from tests.servers.scripted import QRESYNC, ScriptedServer

NIGHT, MORNING = (datetime(2026, 11, 20, hour).astimezone() for hour in (23, 7))


class Company:
    """One account with 20 messages; `now` is the time of day."""

    def __init__(self, folder: Path, server: ScriptedServer) -> None:
        self.folder, self.server, self.now = folder, server, NIGHT
        for number in range(20):
            server.mailbox.append("INBOX", b"Subject: %d\r\n\r\ntext\r\n" % number)
        self.account = server.settings(name="a")

    def connect(self, account: AccountSettings) -> ImapSource:
        return ImapSource(account, Limits(attempts=1, sleep=lambda seconds: None))

    def run(self, stores: Sequence[Store], copies: int = 2, wait: int = 60, any_time: bool = False) -> RunReport:
        with archive_in(self.folder, stores, [self.account], copies) as archive:
            settings = archive.settings.archive
            hours = replace(settings, window=parse_window("22:00-06:00"), straggler_wait=wait, upload_limit=10**9)
            archive.settings = replace(archive.settings, archive=hours)
            options = Options(any_time=any_time)
            indexer = archive.catalog
            return backup(archive, options, Silent(), connect=self.connect, indexer=indexer, now=lambda: self.now)


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    server = ScriptedServer(QRESYNC)
    yield Company(tmp_path, server)
    server.stop()


def archived(report: RunReport) -> int:
    return sum(folder.archived for account in report.accounts for folder in account.folders)


def test_outside_its_hours_a_run_ends_with_6_and_does_nothing(company: Company) -> None:
    stores = memory_stores()
    before = [len(list(store.list())) for store in stores]
    company.now = MORNING
    report = company.run(stores)
    assert (report.exit_code, report.accounts) == (6, ())
    assert "22:00-06:00" in str(report.error)
    assert "--any-time" in report.error.hint if report.error else ""
    assert [len(list(store.list())) for store in stores] == before
    assert company.server.commands == []
    assert company.run(stores, any_time=True).exit_code == 0


def test_when_the_hours_end_no_object_is_begun_and_the_next_run_goes_on(company: Company) -> None:
    def morning_after_the_first(operation: str, name: str) -> Fault | None:
        if operation == "put_if_absent" and name.startswith("packs/"):
            company.now = MORNING
        return None

    one, two = memory_stores()
    late = FaultyStore(two, morning_after_the_first)
    report = company.run([late], copies=1)
    assert report.exit_code == 6
    assert [(store.lacks, store.waits) for store in report.stores] == [(1, True)]
    assert not list(two.list("manifests/"))
    assert len(list(two.list("packs/"))) == 1, "what was under way is finished"
    company.now = NIGHT
    report = company.run([two], copies=1)
    assert (report.exit_code, archived(report)) == (0, 20)
    assert len(list(two.list("manifests/"))) == 1
    assert one.url != two.url


def test_a_store_that_failed_before_the_hours_ended_is_8(company: Company) -> None:
    one, two = memory_stores()

    def fail(operation: str, name: str) -> Fault | None:
        company.now = MORNING
        return Fault(When.BEFORE)

    assert company.run([one, FaultyStore(two, fail)], copies=1).exit_code == 8


def test_the_walk_ends_with_the_hours(company: Company) -> None:
    """A tenth of a second before six: the account is reached after it."""
    company.now = datetime(2026, 11, 20, 5, 59, 59, 900_000).astimezone()
    usual, ended = company.connect, threading.Event()

    def late(account: AccountSettings) -> ImapSource:
        ended.wait(0.5)
        company.now = MORNING
        return usual(account)

    company.connect = late  # type: ignore[method-assign]
    stores = memory_stores()
    report = company.run(stores)
    assert (report.exit_code, archived(report)) == (6, 0)
    company.now, company.connect = NIGHT, usual  # type: ignore[method-assign]
    report = company.run(stores)
    assert (report.exit_code, archived(report)) == (0, 20)


def test_a_store_that_hangs_is_left_behind_with_8_and_complete_the_next_night(company: Company) -> None:
    waking = threading.Event()

    def hang(operation: str, name: str) -> Fault | None:
        if operation == "put_if_absent":
            waking.wait(20)
        return None

    one, two, three = memory_stores(3)
    report = company.run([one, FaultyStore(two, hang), three], wait=0)
    assert (report.exit_code, report.settled, archived(report)) == (8, True, 20)
    assert [store.lacks for store in report.stores] == [0, 1, 0]
    assert "slow" in report.stores[1].reason
    waking.set()
    report = company.run([one, two, three])
    assert report.exit_code == 0
    assert isinstance(one, MemoryStore) and isinstance(two, MemoryStore) and isinstance(three, MemoryStore)
    assert one.objects == two.objects == three.objects
