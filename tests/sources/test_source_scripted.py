"""The contract of a source on the scripted server, with every set of extensions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import pytest

from archiver.sources.imap import ImapSource
from tests.contracts.source import SourceContract
from tests.servers.scripted import CONDSTORE, PLAIN, QRESYNC, ScriptedServer
from tests.sources.imap_run import quick


class ScriptedWorld:
    """An account in memory; messages by their number."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self.mailbox = server.mailbox

    def source(self) -> ImapSource:
        return ImapSource(self.server.settings(), quick())

    def append(self, folder: str, body: bytes, flags: Sequence[str] = (), date: datetime | None = None) -> None:
        self.mailbox.append(folder, body, flags, date)

    def flag(self, folder: str, number: int, flags: Sequence[str]) -> None:
        self.mailbox.flag(folder, self._uid(folder, number), flags)

    def expunge(self, folder: str, number: int) -> None:
        self.mailbox.expunge(folder, self._uid(folder, number))

    def move(self, folder: str, number: int, to: str) -> None:
        self.mailbox.move(folder, self._uid(folder, number), to)

    def delete(self, folder: str) -> None:
        self.mailbox.delete(folder)

    def renew(self, folder: str) -> None:
        self.mailbox.renew(folder)

    def _uid(self, folder: str, number: int) -> int:
        return self.mailbox.box(folder).mails[number - 1].uid


class TestScripted(SourceContract):
    @pytest.fixture(params=[PLAIN, CONDSTORE, QRESYNC], ids=["plain", "condstore", "qresync"])
    def world(self, request: pytest.FixtureRequest) -> Iterator[ScriptedWorld]:
        with ScriptedServer(request.param) as server:
            yield ScriptedWorld(server)
            assert server.count("SELECT") == 0
