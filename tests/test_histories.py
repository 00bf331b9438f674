"""Whatever happens on a server, and wherever the line is cut: the archive's live places are the server's.

After every run that reports success, (folder, UID, flags, bytes) of the live places are those of the server; after
every run at all, nothing that was ever archived has disappeared.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from archiver.backup import Options, RunReport, backup
from archiver.config import AccountSettings
from archiver.labels import flag_of
from archiver.monitor import Silent
from archiver.sources.imap import ImapSource
from archiver.sources.limits import Limits
from archiver.sources.names import decode, encode
from archiver.stores.interface import Store
from examples.imap_mailbox import Box, Mail
from tests.kit import archive_in, memory_stores
from tests.servers.scripted import CONDSTORE, GMAIL, PLAIN, QRESYNC, ScriptedServer

FLAGS = st.sets(st.sampled_from(["\\Seen", "\\Flagged", "\\Answered", "$Label1"]), max_size=3)
NAMES = st.runner().flatmap(lambda machine: st.sampled_from(machine.names))

LABELS = st.sampled_from(["\\Inbox", "\\Important", "合同", "a b", "100%", 'x"y', "项目/2024　夏"]) | st.text(
    st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=5
)

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Waiting for a disk would be most of the time of thousands of runs."""

Live = set[tuple[str, int, tuple[str, ...], str]]


class Histories(RuleBasedStateMachine):
    extensions = QRESYNC
    names: tuple[str, ...] = ("INBOX", "合同", "Sent", "合同/2024", "a&b")

    @initialize(attempts=st.sampled_from([1, 2]), connections=st.sampled_from([1, 2]))
    def begin(self, attempts: int, connections: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="histories-", dir=MEMORY))
        self.server = ScriptedServer(self.extensions)
        self.stores: list[Store] = memory_stores()
        self.limits = Limits(attempts=attempts, batch_messages=3, sleep=lambda seconds: None)
        self.account = self.server.settings(name="a", connections=connections)
        self.number = 0
        self.archived: set[str] = set()
        self.furnish()

    def furnish(self) -> None:
        """What the server has from the beginning."""

    def teardown(self) -> None:
        self.server.stop()
        shutil.rmtree(self.folder)

    def _uids(self) -> list[tuple[bytes, int]]:
        return [(raw, mail.uid) for raw, box in self.server.mailbox.boxes.items() for mail in box.mails]

    def _pick(self, data: Any) -> tuple[bytes, int] | None:
        present = self._uids()
        return data.draw(st.sampled_from(present)) if present else None

    @rule(folder=NAMES, count=st.integers(1, 7), flags=FLAGS, same=st.booleans())
    def append(self, folder: str, count: int, flags: set[str], same: bool) -> None:
        for _ in range(count):
            self.number += not same
            head = f"Subject: message {self.number}\r\nMessage-ID: <{self.number}@x>\r\nFrom: a@b.example\r\n"
            body = f"{head}\r\n{'合同 text ' * 40}\r\n".encode()
            self.server.mailbox.append(folder, body, flags)

    @rule(data=st.data(), flags=FLAGS)
    def flag(self, data: Any, flags: set[str]) -> None:
        if found := self._pick(data):
            self.server.mailbox.flag(*found, flags)

    @rule(data=st.data())
    def expunge(self, data: Any) -> None:
        if found := self._pick(data):
            self.server.mailbox.expunge(*found)

    @rule(data=st.data(), to=NAMES)
    def move(self, data: Any, to: str) -> None:
        if found := self._pick(data):
            self.server.mailbox.move(*found, to)

    @rule(data=st.data())
    def renew(self, data: Any) -> None:
        self.server.mailbox.renew(data.draw(st.sampled_from(sorted(self.server.mailbox.boxes))))

    @rule(data=st.data(), to=st.sampled_from(["合同", "Old", "Sent"]))
    def rename(self, data: Any, to: str) -> None:
        others = [raw for raw in self.server.mailbox.boxes if raw != b"INBOX"]
        if others and encode(to) not in self.server.mailbox.boxes:
            self.server.mailbox.rename(data.draw(st.sampled_from(sorted(others))), to)

    @rule(data=st.data())
    def delete(self, data: Any) -> None:
        others = sorted(raw for raw in self.server.mailbox.boxes if raw != b"INBOX")
        if others:
            self.server.mailbox.delete(data.draw(st.sampled_from(others)))

    @rule(size=st.integers(0, 6000))
    def run_cut(self, size: int) -> None:
        """The line breaks somewhere in the run; whatever it reports must be true."""
        self.server.cut_after(size)
        report = self._run()
        self.server.cut_after(None)
        assert report.exit_code in (0, 3, 5), report.as_json()
        if report.exit_code == 0:
            self._compare()

    @rule(full=st.booleans())
    def run(self, full: bool) -> None:
        report = self._run(full)
        assert report.exit_code == 0, report.as_json()
        self._compare()

    @rule()
    def run_twice(self) -> None:
        """A run with nothing new stores nothing."""
        self.run(False)
        before = [dict(store.objects) for store in self.stores]  # type: ignore[attr-defined]
        bodies = sum(b"BODY.PEEK[]" in command.args for command in self.server.commands)
        assert self._run().exit_code == 0
        assert before == [store.objects for store in self.stores]  # type: ignore[attr-defined]
        assert bodies == sum(b"BODY.PEEK[]" in command.args for command in self.server.commands)

    def _run(self, full: bool = False) -> RunReport:
        def connect(account: AccountSettings) -> ImapSource:
            return ImapSource(account, self.limits)

        with archive_in(self.folder, self.stores, [self.account]) as archive:
            report = backup(archive, Options(full=full), Silent(), connect=connect, indexer=archive.catalog)
            assert not report.catalog_problem, report.catalog_problem
            self.archived |= {message for message, _ in archive.catalog.messages()}
            for message, pack in archive.catalog.messages():
                assert hashlib.sha256(archive.vault.read(message, pack)).hexdigest() == message
            found = {message for message, _ in archive.catalog.messages()}
            assert self.archived <= found, "something archived has disappeared"
            return report

    def _compare(self) -> None:
        with archive_in(self.folder, self.stores, [self.account]) as archive:
            live: Live = {
                (folder.folder, uid, tuple(sorted(flags.split())), message)
                for folder in archive.catalog.live_folders()
                for uid, message, flags in folder.places
            }
        assert live == self._on_server()

    def _on_server(self) -> Live:
        return {
            (decode(raw), mail.uid, _flags(mail), hashlib.sha256(mail.body).hexdigest())
            for raw, box in self.server.mailbox.boxes.items()
            for mail in box.mails
            if self.walked(box)
        }

    def walked(self, box: Box) -> bool:
        """Whether the folder is to be archived."""
        return True


def _flags(mail: Mail) -> tuple[str, ...]:
    return tuple(sorted(mail.flags | {flag_of(label) for label in mail.labels}))


class PlainHistories(Histories):
    extensions = PLAIN


class CondstoreHistories(Histories):
    extensions = CONDSTORE


class GmailHistories(Histories):
    """Three folders have every message once, the others show them again."""

    extensions = GMAIL
    names = ("[Gmail]/All Mail", "[Gmail]/Trash", "[Gmail]/Spam")
    rename = delete = None  # type: ignore[assignment]  # Gmail allows neither for these

    def furnish(self) -> None:
        for name, attribute in zip(self.names, ("\\All", "\\Trash", "\\Junk"), strict=True):
            self.server.mailbox.create(name, f"\\HasNoChildren {attribute}")
        self.server.mailbox.append("合同", b"Subject: shown again\r\n\r\n")

    @rule(data=st.data(), labels=st.sets(LABELS, max_size=3))
    def label(self, data: Any, labels: set[str]) -> None:
        if found := self._pick(data):
            self.server.mailbox.label(*found, labels)

    def walked(self, box: Box) -> bool:
        return decode(box.raw) in self.names


_SETTINGS = settings(
    max_examples=40,
    stateful_step_count=16,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestQresync = pytest.mark.slow(Histories.TestCase)
TestCondstore = pytest.mark.slow(CondstoreHistories.TestCase)
TestPlain = pytest.mark.slow(PlainHistories.TestCase)
TestGmail = pytest.mark.slow(GmailHistories.TestCase)
TestQresync.settings = TestCondstore.settings = TestPlain.settings = TestGmail.settings = _SETTINGS
