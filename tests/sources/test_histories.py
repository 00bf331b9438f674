"""Any history of an account, with cuts at any byte: after every run what is remembered is what the server has."""

from __future__ import annotations

import hashlib
from contextlib import closing

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from archiver.errors import MailarkError
from archiver.sources.imap import ImapSource
from tests.servers.scripted import CONDSTORE, PLAIN, QRESYNC, ScriptedServer
from tests.sources.imap_run import Memory, quick, run

FOLDERS = ["INBOX", "合同", "a/b", "z"]
FLAGS = st.sampled_from([(), ("\\Seen",), ("$x", "\\Flagged")])


class Histories(RuleBasedStateMachine):
    """The model is the server's own account; `ever` has every message it ever had at the end of a run."""

    def __init__(self) -> None:
        super().__init__()
        self.server = ScriptedServer(PLAIN)
        self.memories: dict[str, Memory] = {}
        self.archived: set[str] = set()
        self.ever: set[str] = set()
        self.number = 0

    @initialize(extensions=st.sampled_from([PLAIN, CONDSTORE, QRESYNC]), folders=st.sets(st.sampled_from(FOLDERS)))
    def begin(self, extensions: frozenset[str], folders: set[str]) -> None:
        self.server.extensions = extensions
        for folder in sorted(folders):
            self.server.mailbox.create(folder)

    @rule(folder=st.sampled_from(FOLDERS), flags=FLAGS, count=st.integers(1, 15), size=st.integers(0, 3000))
    def append(self, folder: str, flags: tuple[str, ...], count: int, size: int) -> None:
        for _ in range(count):
            self.number += 1
            self.server.mailbox.append(folder, b"Subject: %d\r\n\r\n" % self.number + b"x" * size, flags)

    @rule(data=st.data(), flags=FLAGS)
    def flag(self, data: st.DataObject, flags: tuple[str, ...]) -> None:
        if place := self._any(data):
            self.server.mailbox.flag(*place, flags)

    @rule(data=st.data())
    def expunge(self, data: st.DataObject) -> None:
        if place := self._any(data):
            self.server.mailbox.expunge(*place)

    @rule(data=st.data(), to=st.sampled_from(FOLDERS))
    def move(self, data: st.DataObject, to: str) -> None:
        if place := self._any(data):
            self.server.mailbox.move(*place, to)

    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        self.server.mailbox.renew(data.draw(st.sampled_from(sorted(self.server.mailbox.boxes))))

    @rule(data=st.data(), to=st.sampled_from(FOLDERS[1:]))
    def rename_or_delete(self, data: st.DataObject, to: str) -> None:
        others = sorted(self.server.mailbox.boxes.keys() - {b"INBOX"})
        if others:
            name = data.draw(st.sampled_from(others))
            try:
                self.server.mailbox.box(to)
            except KeyError:
                self.server.mailbox.rename(name, to)
            else:
                self.server.mailbox.delete(name)

    @rule(size=st.integers(0, 20_000))
    def cut_run(self, size: int) -> None:
        """A run whose connection breaks once goes on as if nothing had been."""
        self.server.cut_after(size)
        self._run()
        self.server.cut_after(None)

    @rule()
    def clean_run(self) -> None:
        self._run()

    @invariant()
    def nothing_is_ever_forgotten(self) -> None:
        assert self.ever <= self.archived

    def teardown(self) -> None:
        self._run()
        self.server.stop()

    def _any(self, data: st.DataObject) -> tuple[bytes, int] | None:
        places = [(raw, mail.uid) for raw, box in sorted(self.server.mailbox.boxes.items()) for mail in box.mails]
        return data.draw(st.sampled_from(places)) if places else None

    def _run(self) -> None:
        with closing(ImapSource(self.server.settings(), quick(batch_messages=4))) as source:
            found = {folder.name: folder for folder in source.folders()}
            for name in self.memories.keys() - found.keys():
                del self.memories[name]
            for name, folder in found.items():
                memory = self.memories.setdefault(name, Memory())
                run(source, memory, folder)
                self.archived |= memory.archived
                box = self.server.mailbox.box(folder.raw)
                assert memory.bodies == {mail.uid: mail.body for mail in box.mails}
                assert memory.flags == {mail.uid: tuple(sorted(mail.flags)) for mail in box.mails}
                assert memory.refused == {}
                self.ever |= {hashlib.sha256(mail.body).hexdigest() for mail in box.mails}


@pytest.mark.slow
def test_histories() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Histories,
        settings=settings(
            max_examples=150,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


def test_a_run_against_nobody_fails() -> None:
    server = ScriptedServer(PLAIN)
    server.stop()
    with pytest.raises(MailarkError), closing(ImapSource(server.settings(), quick())) as source:
        source.folders()
