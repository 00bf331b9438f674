"""What must never happen in a run: a message that is counted and not kept, and 0 for a run that left something out."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archiver.amounts import parse_window
from archiver.backup import Options, backup
from archiver.backup.account import AccountWalk
from archiver.backup.feed import BatchLines, CatalogFeed
from archiver.backup.intake import Intake
from archiver.catalog.process import CatalogProcess
from archiver.errors import ConfigError
from archiver.model import Fetched, Folder, MessageId, Refused, Row, Verdict
from archiver.monitor import Silent
from archiver.opening import open_archive
from archiver.recover import recover
from archiver.sources.imap import ImapSource
from archiver.sources.limits import Limits
from archiver.stores.faulty import Fault as StoreFault
from archiver.stores.faulty import FaultyStore, When
from archiver.stores.local import LocalStore
from archiver.vault.commit import furnish
from examples.imap_grammar import Command
from tests.kit import PASSPHRASE, archive_in, memory_stores, new_archive, settings_of
from tests.review.world import FOLDERS, World
from tests.servers.imap_faults import Rows
from tests.servers.scripted import CONDSTORE, PLAIN, QRESYNC, Fault, ScriptedServer


@pytest.fixture(params=[QRESYNC, CONDSTORE, PLAIN], ids=["qresync", "condstore", "plain"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with ScriptedServer(request.param) as server:
        yield World(tmp_path / "one", server)


def quick(folder: Path) -> World:
    return World(folder, ScriptedServer(QRESYNC))


@pytest.fixture
def one(tmp_path: Path) -> Iterator[World]:
    world = quick(tmp_path / "one")
    world.fill()
    yield world
    world.server.stop()


def test_a_work_folder_that_was_moved_keeps_what_was_not_sent_yet(one: World, tmp_path: Path) -> None:
    sound = one.stores
    down = [
        FaultyStore(store, lambda operation, _: StoreFault(When.BEFORE) if "put" in operation else None)
        for store in sound
    ]
    one.stores = down
    assert one.run().exit_code == 8
    one.folder = one.folder.rename(tmp_path / "two")
    one.stores = sound
    report = one.run()
    assert report.exit_code == 0, report.as_json()
    assert one.readable() == one.wanted()


class Surprised(ImapSource):
    """Its extra connections meet a defect of this program."""

    happened = threading.Event()

    def fetch(self, folder: Folder, rows: Sequence[Row]) -> Iterator[Fetched | Refused]:
        if threading.current_thread().name.startswith("fetch-"):
            self.happened.set()
            raise ValueError("a defect")
        self.happened.wait(60)
        return super().fetch(folder, rows)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_in_a_fetching_thread_is_never_0(one: World) -> None:
    one.source = Surprised
    with pytest.raises(ValueError, match="a defect"):
        one.run(connections=3)
    one.source = ImapSource
    assert one.run(connections=3).exit_code == 0
    assert one.readable() == one.wanted()


class Slow(ImapSource):
    """Takes its time."""

    def fetch(self, folder: Folder, rows: Sequence[Row]) -> Iterator[Fetched | Refused]:
        time.sleep(0.4)
        return super().fetch(folder, rows)


def test_a_walk_that_was_stopped_says_so_whatever_the_clock_says(one: World) -> None:
    """The hours end by a timer; a clock that is set back meanwhile still says that they have not."""
    one.source = Slow
    before = datetime(2026, 11, 20, 6).astimezone() - timedelta(milliseconds=200)
    with archive_in(one.folder, one.stores, [one.server.settings(name="a", connections=1)]) as archive:
        hours = replace(archive.settings.archive, window=parse_window("22:00-06:00"))
        archive.settings = replace(archive.settings, archive=hours)
        options = Options()
        report = backup(archive, options, Silent(), connect=one.connect, indexer=archive.catalog, now=lambda: before)
    assert report.exit_code != 0, report.as_json()
    assert {folder.folder for folder in report.accounts[0].folders} == {b.decode() for b in one.server.mailbox.boxes}


def test_an_account_whose_turn_never_came_is_not_complete_and_not_asked(one: World) -> None:
    """With 200 accounts, a run that is stopped must end, not log in to each of the others first."""
    stop = threading.Event()
    stop.set()
    with archive_in(one.folder, one.stores, [one.server.settings(name="a")]) as archive:
        archive.work.spool.mkdir()
        now = lambda: datetime.now(UTC)  # noqa: E731
        intake = Intake(archive.machine, archive.state, archive.work.spool, lambda document: None, now)
        (account,) = archive.settings.accounts
        walk = AccountWalk(
            account, archive.state, intake, Silent(), one.connect, now, lambda name: True, full=False, stop=stop
        )
        report = walk.run()
    assert report.exit_code == 6
    assert one.server.commands == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk, which root may")
def test_a_disk_full_of_a_huge_message_is_6_and_the_next_run_has_it(one: World, tmp_path: Path) -> None:
    one.server.mailbox.append("INBOX", b"Subject: huge\r\n\r\n" + b"text\r\n" * 500_000)
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], check=True)
    try:
        one.limits = Limits(attempts=2, sleep=lambda seconds: None, huge=100_000, piece=50_000, spool=small)
        assert one.run().exit_code == 6
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert one.run().exit_code == 0
    assert one.readable() == one.wanted()


def test_a_store_that_is_added_is_filled_though_there_is_no_new_mail(one: World) -> None:
    first, second = memory_stores()
    one.stores, one.copies = [first], 1
    assert one.run().exit_code == 0
    one.stores, one.copies = [first, second], 2
    report = one.run()
    assert report.exit_code == 0, report.as_json()
    assert {s.name for s in second.list()} == {s.name for s in first.list()}
    one.stores = [second]
    one.copies = 1
    assert one.readable() == one.wanted()


def test_a_store_that_is_added_and_cannot_be_filled_is_8(one: World) -> None:
    first, second = memory_stores()
    one.stores, one.copies = [first], 1
    assert one.run().exit_code == 0
    down = FaultyStore(second, lambda operation, _: StoreFault(When.BEFORE))
    one.stores, one.copies = [first, down], 2
    assert one.run().exit_code == 8
    assert one.run().exit_code == 8


def test_what_is_called_gone_and_listed_all_the_same_fails_by_name(world: World) -> None:
    """Some servers leave messages out of UID ranges: such a message is there, and cannot be had."""
    world.fill()
    world.server.faults = [Rows(lambda row, _mail: row if b"FLAGS" in row and b"BODY" not in row else b"", uid=2)]
    for _ in range(2):
        report = world.run()
        assert report.exit_code == 3, report.as_json()
        assert {p.uid for folder in report.accounts[0].folders for p in folder.failed} == {2}
    world.server.faults = []
    assert world.run().exit_code == 0
    assert world.readable() == world.wanted()


def test_a_message_that_failed_and_is_removed_later_is_no_failure(world: World) -> None:
    world.fill()
    world.server.faults = [
        Rows(lambda row, _mail: row[: row.index(b"BODY[]")] + b"BODY[] NIL)\r\n", uid=2, bodies=True)
    ]
    assert world.run().exit_code == 3
    world.server.faults = []
    for number in range(FOLDERS):
        world.server.mailbox.expunge(f"Folder {number}", 2)
    report = world.run()
    assert report.exit_code == 0, report.as_json()


@pytest.mark.parametrize("empty", [b"BODY[] {0}\r\n)\r\n", b'BODY[] "")\r\n'])
def test_an_empty_body_of_a_message_that_has_a_size_is_not_archived(world: World, empty: bytes) -> None:
    world.fill()
    world.server.faults = [body_of_2(empty)]
    report = world.run()
    assert report.exit_code == 3
    assert {p.uid for folder in report.accounts[0].folders for p in folder.failed} == {2}
    assert hashlib.sha256(b"").hexdigest() not in world.readable()
    world.server.faults = []
    assert world.run().exit_code == 0
    assert world.readable() == world.wanted()


def body_of_2(instead: bytes) -> Rows:
    """The server gives something else for the body of UID 2."""
    return Rows(lambda row, _mail: re.sub(rb"BODY\[\].*", instead, row, flags=re.DOTALL), uid=2, bodies=True)


class OneLogin(Fault):
    """Takes one login at a time, and calls each other one too many."""

    def answer(self, command: Command, chunks: list[bytes]) -> Sequence[bytes]:
        if command.name != "LOGIN":
            return chunks
        self.times += 1
        return chunks if self.times == 1 else [b"%s NO [LIMIT] Too many simultaneous connections\r\n" % command.tag]


def test_a_server_that_takes_one_connection_only_is_read_with_one(one: World) -> None:
    one.source = Slow
    one.server.faults = [OneLogin()]
    report = one.run(connections=4)
    assert report.exit_code == 0, report.as_json()
    assert one.readable() == one.wanted()


class Defective:
    """An indexer with a defect."""

    def add_lines(self, document: bytes) -> None:
        raise ValueError("a defect")

    def add_ahead(self, document: bytes) -> None:
        raise ValueError("a defect")

    def name(self, pack: str, verdicts: Mapping[MessageId, Iterable[Verdict]]) -> None:
        raise ValueError("a defect")

    def rollback(self) -> None:
        raise ValueError("a defect")

    def seal(self, writer: str, seq: int) -> None:
        raise ValueError("a defect")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_of_the_catalog_never_hangs_the_run(tmp_path: Path) -> None:
    feed = CatalogFeed(Defective(), "writer")

    def work() -> None:
        for _ in range(5):
            feed.ahead(b"{}")
            feed.add(BatchLines([b"{}"]))
        feed.close(CatalogProcess(tmp_path / "catalog.db", bytes(32)))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    assert "ValueError" in feed.problem


def test_a_commit_across_new_year_counts_each_message_once(tmp_path: Path) -> None:
    moment = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    with archive_in(tmp_path, memory_stores()) as archive:
        archive.work.spool.mkdir()
        folder = archive.state.open_epoch("a", Folder("INBOX", b"INBOX"), 1)
        intake = Intake(archive.machine, archive.state, archive.work.spool, lambda document: None, lambda: moment)
        intake.take(folder, Fetched(1, (), moment, b"Subject: 1\r\n\r\n"))
        moment += timedelta(minutes=2)
        intake.flush()
        intake.take(folder, Fetched(2, (), moment, b"Subject: 1\r\n\r\n"))
        intake.flush()
        pending = archive.journal.pending()
        assert [pack.name.split("/")[1] for pack in pending.packs] == ["mail-2026", "mail-2027"]
        assert len(pending.messages) == 1


@pytest.mark.parametrize("number", range(3))
def test_what_a_damaged_store_has_lost_is_told_and_fetched_again_after_a_recovery(
    one: World, tmp_path: Path, number: int
) -> None:
    store = LocalStore.create(tmp_path / "store", new_archive().archive)
    assert not furnish([store], new_archive().objects)
    one.stores, one.copies = [store], 1
    assert one.run().exit_code == 0
    attached = base64.encodebytes(bytes(range(256)) * 40)
    one.server.mailbox.append("INBOX", b"Subject: an attachment\r\n\r\n" + attached)
    assert one.run().exit_code == 0
    one.server.mailbox.append("INBOX", b"Subject: the same attachment\r\n\r\n" + attached)
    assert one.run().exit_code == 0
    lost = sorted(found.name for found in store.list("packs/"))[number]
    store.delete(lost)
    settings = settings_of(tmp_path / "new", one.stores, [one.server.settings(name="a")], 1)
    report = recover(settings, PASSPHRASE, Silent())
    assert report.exit_code == 7
    assert lost in {problem.subject for problem in report.problems}
    with open_archive(settings, PASSPHRASE) as archive:
        run = backup(archive, Options(), Silent(), connect=one.connect, indexer=archive.catalog)
        assert run.exit_code == 0, run.as_json()
        found = list(archive.catalog.messages())
        assert {hashlib.sha256(archive.vault.read(*each)).hexdigest() for each in found} == one.wanted()


def test_rubbish_under_a_manifests_name_does_not_stand_for_its_objects(one: World) -> None:
    """A torn file where the next manifest will lie: the store must get the objects, not only the manifest."""
    assert one.run().exit_code == 0
    writer = new_archive().machine.writer
    for store in one.stores:
        store.objects[f"manifests/{writer}/0000000002"] = b""  # type: ignore[attr-defined]
    one.server.mailbox.append("INBOX", b"Subject: one more\r\n\r\ntext\r\n")
    assert one.run().exit_code == 0
    for store in one.stores:
        with archive_in(one.folder, [store], [], 1) as archive:
            for message, pack in archive.catalog.messages():
                assert hashlib.sha256(archive.vault.read(message, pack)).hexdigest() == message


def test_a_work_folder_that_cannot_be_used_is_told_in_one_line(one: World) -> None:
    """A file where the folder should be, and a folder in the spool that no run made."""
    one.folder.mkdir(parents=True)
    (one.folder / "work").write_text("not a folder")
    with pytest.raises(ConfigError, match="cannot use"):
        one.run()
    (one.folder / "work").unlink()
    (one.folder / "work" / "spool" / "lost+found").mkdir(parents=True)
    assert one.run().exit_code == 0
