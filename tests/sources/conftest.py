"""The server that misbehaves as a test wants it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.servers.scripted import CONDSTORE, PLAIN, QRESYNC, ScriptedServer
from tests.sources.misbehaving import ALLOWED, COUNT, body


@pytest.fixture(params=[PLAIN, CONDSTORE, QRESYNC], ids=["plain", "condstore", "qresync"])
def server(request: pytest.FixtureRequest) -> Iterator[ScriptedServer]:
    """25 messages in INBOX. Whatever happens, only harmless commands may have been sent."""
    with ScriptedServer(request.param) as server:
        for number in range(1, COUNT + 1):
            server.mailbox.append("INBOX", body(number), ["\\Seen"] if number % 2 else [])
        yield server
        assert {command.name for command in server.commands} <= ALLOWED
        sent = b" ".join(command.args for command in server.commands)
        assert not re.search(rb"BODY\[|RFC822(?!\.SIZE)|ENVELOPE|BODYSTRUCTURE|BINARY|REV2", sent.upper())
