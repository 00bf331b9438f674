"""A mailbox that is archived from a misbehaving server, and what must have come of it."""

from __future__ import annotations

from contextlib import closing

from archiver.sources.imap import ImapSource
from archiver.sources.limits import Limits
from tests.servers.scripted import Fault, ScriptedServer
from tests.sources.imap_run import Memory, quick, run

ALLOWED = {"CAPABILITY", "LOGIN", "ID", "ENABLE", "LIST", "STATUS", "EXAMINE", "UID FETCH", "FETCH", "LOGOUT"}
COUNT = 25


def body(number: int) -> bytes:
    return b"Message-ID: <%d@x>\r\nSubject: %d\r\n\r\n" % (number, number) + b"* OK line\r\n" * number


def archive(
    server: ScriptedServer,
    *faults: Fault,
    memory: Memory | None = None,
    limits: Limits | None = None,
    wait: float = 5.0,
) -> Memory:
    """One run against the misbehaving server."""
    server.faults = list(faults)
    memory = memory or Memory()
    with closing(ImapSource(server.settings(timeout=wait), limits or quick())) as source:
        run(source, memory)
    return memory


def complete(memory: Memory, *missing: int) -> bool:
    """Whether every message but these was archived, byte for byte, and these were refused."""
    wanted = {number: body(number) for number in range(1, COUNT + 1) if number not in missing}
    assert memory.bodies == wanted
    assert set(memory.refused) == set(missing)
    return True
