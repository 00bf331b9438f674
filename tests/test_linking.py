"""Messages of a new epoch are found again without a download when that is certain, and never wrongly."""

from __future__ import annotations

import hashlib
import mmap
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from archiver.backup import Options, RunReport, backup, linking
from archiver.backup.linking import HEADER, SAMPLE, key_of
from archiver.config import AccountSettings
from archiver.monitor import Silent
from archiver.sources.imap import ImapSource
from archiver.sources.limits import Limits
from archiver.stores.interface import Store
from tests.kit import archive_in, memory_stores
from tests.servers.imap_faults import Lines, Rows
from tests.servers.scripted import CONDSTORE, PLAIN, QRESYNC, ScriptedServer

WHEN = datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC)
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


def mail(number: int, text: str = "") -> bytes:
    head = f"Received: by x\r\nMessage-ID: <{number}@x>\r\nDate: Sat, 3 Feb 2024 04:05:{number % 60:02d} +0000\r\n"
    return f"{head}From: a@b.example\r\nSubject: {number}\r\n\r\n{text or number}\r\n".encode() + b"x" * 400


@dataclass
class World:
    """An account at a scripted server, and its archive."""

    folder: Path
    server: ScriptedServer
    stores: list[Store] = field(default_factory=memory_stores)

    def run(self) -> RunReport:
        limits = Limits(attempts=2, sleep=lambda seconds: None, batch_messages=50)
        self.server.commands.clear()

        def connect(account: AccountSettings) -> ImapSource:
            return ImapSource(account, limits)

        with archive_in(self.folder, self.stores, [self.server.settings(name="a")]) as archive:
            report = backup(archive, Options(), Silent(), connect=connect)
            live = {
                (folder.folder.encode(), uid, message)
                for folder in archive.catalog.live_folders()
                for uid, message, _ in folder.places
            }
            assert all(archive.vault.read(*one) for one in archive.catalog.messages())
        if report.exit_code == 0:
            boxes = self.server.mailbox.boxes.items()
            assert live == {(n, m.uid, hashlib.sha256(m.body).hexdigest()) for n, box in boxes for m in box.mails}
        return report

    def counts(self) -> tuple[int, int]:
        """One run: (fetched, linked) over all folders."""
        report = self.run()
        assert report.exit_code == 0, report.as_json()
        folders = report.accounts[0].folders
        return sum(f.new for f in folders), sum(f.linked for f in folders)

    def fill(self, folder: str, count: int) -> None:
        for number in range(count):
            self.server.mailbox.append(folder, mail(number), ["\\Seen"] * (number % 2), WHEN)


@pytest.fixture(params=[QRESYNC, CONDSTORE, PLAIN], ids=["qresync", "condstore", "plain"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with ScriptedServer(request.param) as server:
        yield World(tmp_path, server)


def test_a_new_epoch_is_linked(world: World) -> None:
    world.fill("INBOX", 100)
    assert world.counts() == (100, 0)
    world.server.mailbox.renew("INBOX")
    world.server.mailbox.append("INBOX", mail(200), [], WHEN)
    world.server.mailbox.expunge("INBOX", 7)
    report = world.run()
    folder = report.accounts[0].folders[0]
    assert (folder.new, folder.linked, folder.archived, folder.complete) == (SAMPLE + 1, 99 - SAMPLE, 100, True)
    assert 83 * 500 < folder.saved < 83 * 600
    assert world.counts() == (0, 0)
    world.server.mailbox.renew("INBOX")
    assert world.counts() == (SAMPLE, 100 - SAMPLE), "linked places are linked again"


def test_a_renamed_folder_is_linked(world: World) -> None:
    world.fill("old", 40)
    world.fill("INBOX", 3)
    world.run()
    world.server.mailbox.rename("old", "new")
    assert world.counts() == (SAMPLE, 40 - SAMPLE)
    assert world.counts() == (0, 0)


def test_a_folder_that_is_gone_is_named_once(world: World) -> None:
    world.fill("left", 2)
    world.fill("INBOX", 1)
    world.run()
    world.server.mailbox.delete("left")
    notes = world.run().accounts[0].notes
    gone = "left is no longer on the server (deleted, or renamed); its 2 messages stay in the archive"
    assert [note for note in notes if "no longer" in note] == [gone]
    assert not any("no longer" in note for note in world.run().accounts[0].notes)


def test_a_folder_replaced_by_another_is_linked(world: World) -> None:
    world.fill("old", 30)
    for number in range(30, 50):
        world.server.mailbox.append("other", mail(number), [], WHEN)
    world.run()
    world.server.mailbox.delete("other")
    world.server.mailbox.rename("old", "other")
    fetched, linked = world.counts()
    assert (fetched, linked) == (SAMPLE, 30 - SAMPLE)


def test_a_copy_in_a_folder_that_stays_is_fetched(world: World) -> None:
    world.fill("INBOX", 20)
    world.run()
    world.fill("copy", 20)
    assert world.counts() == (20, 0)
    assert not any(b"HEADER.FIELDS" in command.args for command in world.server.commands)


@pytest.mark.parametrize("count", [1, SAMPLE])
def test_few_messages_are_all_compared(world: World, count: int) -> None:
    world.fill("INBOX", count)
    world.run()
    world.server.mailbox.renew("INBOX")
    assert world.counts() == (count, 0)


@pytest.mark.parametrize("every", [1, 2])
def test_one_difference_in_the_sample_and_nothing_is_linked(world: World, every: int) -> None:
    """Half of 60 altered: a sample of 16 that misses all of them would come once in millions of runs."""
    world.fill("INBOX", 60)
    world.run()
    for one in world.server.mailbox.box("INBOX").mails[::every]:
        one.body = one.body.replace(b"xxx", b"yyy")
    world.server.mailbox.renew("INBOX")
    assert world.counts() == (60, 0)


def test_doubles_are_not_linked(world: World) -> None:
    """The same Message-ID, date and size, other bytes: on the old side, on the new side, on both."""
    world.fill("INBOX", 40)
    mailbox = world.server.mailbox
    for number in (0, 1):
        mailbox.append("INBOX", mail(number).replace(b"xxx", b"yyy"), [], WHEN)
    world.run()
    for number in (2, 3):
        mailbox.append("INBOX", mail(number).replace(b"xxx", b"zzz"), [], WHEN)
    mailbox.expunge("INBOX", 1)  # of the first pair the double is left alone
    mailbox.renew("INBOX")
    assert world.counts() == (1 + 2 + 4 + SAMPLE, 43 - 7 - SAMPLE)


def test_a_refused_sample_proves_nothing(world: World) -> None:
    world.fill("INBOX", 60)
    world.run()
    world.server.mailbox.renew("INBOX")
    world.server.faults = [Rows(lambda row, mail: row if mail.uid % 2 or b"BODY[]" not in row else b"")]
    report = world.run()
    assert report.exit_code == 3
    folder = report.accounts[0].folders[0]
    assert (folder.new, folder.linked, len(folder.failed)) == (30, 0, 30)
    world.server.faults = []
    assert world.counts() == (30, 0)


def test_headers_that_are_refused_cost_only_the_saving(world: World) -> None:
    world.fill("INBOX", 30)
    world.run()
    world.server.mailbox.renew("INBOX")
    world.server.faults = [Rows(lambda row, mail: b"" if b"HEADER" in row else row)]
    assert world.counts() == (30, 0)


@pytest.mark.parametrize("size", [3000, 10_000, 14_000, 20_000])
def test_a_run_that_was_cut_is_finished(world: World, size: int) -> None:
    """The line breaks among the headers, then inside the sample."""
    world.fill("INBOX", 50)
    world.run()
    world.server.mailbox.renew("INBOX")
    world.server.cut_after(size)
    assert world.counts() == (SAMPLE, 50 - SAMPLE)
    assert world.counts() == (0, 0)


def test_an_account_that_broke_off_is_finished_by_the_next_run(world: World) -> None:
    world.fill("INBOX", 50)
    world.run()
    world.server.mailbox.renew("INBOX")
    world.server.faults = [Lines("UID FETCH", lambda line: b"* BYE\r\n" if b"HEADER" in line else line)]
    assert world.run().exit_code == 5
    world.server.faults = []
    assert world.counts() == (50, 0)
    assert world.counts() == (0, 0)


CHANGES = st.lists(st.tuples(st.sampled_from(["double", "copy", "expunge"]), st.integers(0, 39)), max_size=8)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CHANGES, CHANGES, st.booleans(), st.integers(1, 40))
@example([("double", 0)], [("expunge", 0)], False, 40)
@example([], [("double", 0), ("double", 1), ("copy", 2)], True, 40)
def test_never_linked_wrongly(
    before: list[tuple[str, int]], after: list[tuple[str, int]], rename: bool, count: int
) -> None:
    """`World.run` compares every live place with the server's bytes. Doubles come while what they double is there."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder, ScriptedServer(QRESYNC) as server:
        world = World(Path(folder), server)
        world.fill("f", count)
        change(world, before)
        assert world.run().exit_code == 0
        if rename:
            server.mailbox.rename("f", "g")
        else:
            server.mailbox.renew("f")
        change(world, after)
        assert world.run().exit_code == 0
        assert world.counts() == (0, 0)


def change(world: World, changes: list[tuple[str, int]]) -> None:
    """double: the same header and size, other bytes · copy: the same bytes again."""
    name, box = next((n, b) for n, b in world.server.mailbox.boxes.items() if n != b"INBOX")
    for kind, number in changes:
        if not box.mails:
            return
        one = box.mails[number % len(box.mails)]
        other = one.body.replace(b"xxx", b"yyy") if b"xxx" in one.body else one.body.replace(b"yyy", b"xxx")
        doubled = any(one.body[:100] == mail.body[:100] and one is not mail for mail in box.mails)
        if kind != "expunge":
            world.server.mailbox.append(name, other if kind == "double" else one.body, [], WHEN)
        elif not doubled:
            world.server.mailbox.expunge(name, one.uid)


FIELDS = b"Date: x\r\nMESSAGE-ID:\r\n <1@x>\r\nFrom:  a\r\n\t<b@c>\r\n\r\n"


def test_the_key_is_the_same_of_fields_header_and_message() -> None:
    whole = b"Received: y\r\n from: not this\r\nfrom: a <b@c>\r\nSubject: s\r\nMessage-Id: <1@x>\r\nDate: x\r\n"
    key = key_of(WHEN, 10, FIELDS)
    assert key is not None and len(key) == 16
    assert key == key_of(WHEN, 10, whole) == key_of(WHEN, 10, whole + b"\r\nMessage-ID: <2@x>\r\n\r\n")
    assert key == key_of(WHEN.astimezone(), 10, whole.replace(b"\r\n", b"\n") + b"\nFrom: z\n")
    with tempfile.TemporaryFile() as file:
        file.write(whole + b"\r\n" + b"\0" * 5000)
        file.flush()
        assert key == key_of(WHEN, 10, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


@pytest.mark.parametrize(
    ("date", "size", "fields"),
    [
        (WHEN + timedelta(seconds=1), 10, FIELDS),
        (WHEN, 11, FIELDS),
        (WHEN, 10, FIELDS.replace(b"1@x", b"2@x")),
        (WHEN, 10, FIELDS.replace(b"b@c", b"b@d")),
        (WHEN, 10, FIELDS.replace(b"Date: x", b"Date: y")),
        (WHEN, 10, b"Message-ID: <9@x>\r\n" + FIELDS),
    ],
)
def test_everything_in_the_key_counts(date: datetime, size: int, fields: bytes) -> None:
    assert key_of(date, size, fields) not in (None, key_of(WHEN, 10, FIELDS))


def test_no_key_without_message_id_or_date() -> None:
    assert key_of(None, 10, FIELDS) is None
    assert key_of(WHEN, 10, b"Date: x\r\nFrom: a\r\n\r\n") is None
    assert key_of(WHEN, 10, b"Message-ID: \r\n\r\n") is None
    assert key_of(WHEN, 10, b"") is None


_END = re.compile(rb"\r?\n\r?\n")
_FIELD = re.compile(rb"^(message-id|date|from):((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE | re.MULTILINE)


def key_as_defined(date: datetime | None, size: int, header: bytes, limit: int) -> bytes | None:
    """The definition: one expression over the whole header."""
    end = _END.search(header, 0, limit)
    head = bytes(header[: end.start() if end else limit])
    found = sorted((name.lower(), b" ".join(value.split())) for name, value in _FIELD.findall(head))
    if date is None or not any(name == b"message-id" and value for name, value in found):
        return None
    fields = b"".join(b"%b:%b\n" % pair for pair in found)
    return hashlib.sha256(b"%d\n%d\n" % (int(date.timestamp()), size) + fields).digest()[:16]


NAMES = st.sampled_from([b"Message-ID:", b"message-id:", b"DATE:", b"From:", b"from:", b"Message-ID :", b"X-From:"])
BITS = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b"\r\n ", b"\n\t", b"<1@x>", b"a", b" ", b"\x0b", b"\0", b":", "合".encode()]
)
HEADERS = st.lists(NAMES | BITS | st.binary(max_size=3), max_size=30).map(b"".join)


@settings(max_examples=1000, deadline=None)
@given(HEADERS, st.integers(1, 60))
def test_the_key_is_the_one_that_is_defined(header: bytes, limit: int) -> None:
    for whole in (header, b"Message-ID: x\r\n" + header):
        assert key_of(WHEN, 10, whole) == key_as_defined(WHEN, 10, whole, HEADER)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(linking, "HEADER", limit)  # what follows is not looked at
            assert key_of(WHEN, 10, whole) == key_as_defined(WHEN, 10, whole, limit)
