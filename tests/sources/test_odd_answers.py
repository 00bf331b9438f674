"""What real servers answer that no grammar allows, one test each: it is understood, or refused by name."""

from __future__ import annotations

import re
from contextlib import closing

import pytest

from archiver.sources.imap import ImapSource
from tests.servers.imap_faults import Around, Lines, Rows, Shuffled
from tests.servers.scripted import PLAIN, QRESYNC, ScriptedServer
from tests.sources.imap_run import find, quick
from tests.sources.misbehaving import ALLOWED, COUNT, archive, body, complete


def test_13_an_absurd_literal_is_not_believed(server: ScriptedServer) -> None:
    absurd = Rows(lambda row, _mail: re.sub(rb"\{\d+\}", b"{99999999999}", row), uid=5, bodies=True, pieces=False)
    assert complete(archive(server, absurd))  # had in pieces


@pytest.mark.parametrize("instead", [b"BODY[] NIL)\r\n", b"X-NOTHING 1)\r\n"])
def test_14_no_body(server: ScriptedServer, instead: bytes) -> None:
    def without(row: bytes, _mail: object) -> bytes:
        return row[: row.index(b"BODY[]")] + instead

    memory = archive(server, Rows(without, uid=20, bodies=True))
    assert complete(memory, 20)
    assert "no body" in memory.refused[20]
    assert complete(archive(server, memory=memory))  # the next run tries again


def test_14_no_answer_at_all_for_a_message_that_is_there(server: ScriptedServer) -> None:
    memory = archive(server, Rows(lambda row, mail: b"" if b"BODY[]" in row else row, uid=20))
    assert complete(memory, 20)
    assert "no body" in memory.refused[20]


def test_15_quoted_body(server: ScriptedServer) -> None:
    uid = server.mailbox.append("INBOX", b'Subject: a "quoted" \\ one')
    quoted = b'BODY[] "Subject: a \\"quoted\\" \\\\ one")\r\n'
    memory = archive(server, Rows(lambda row, _mail: row[: row.index(b"BODY[]")] + quoted, uid=uid, bodies=True))
    assert memory.bodies[uid] == b'Subject: a "quoted" \\ one'
    assert len(memory.bodies) == COUNT + 1


@pytest.mark.parametrize("empty", [b"BODY[] {0}\r\n", b'BODY[] ""'])
def test_15_empty_messages(server: ScriptedServer, empty: bytes) -> None:
    uid = server.mailbox.append("INBOX", b"")
    change = Rows(lambda row, _mail: row.replace(b"BODY[] {0}\r\n", empty), uid=uid, bodies=True)
    memory = archive(server, change)
    assert memory.bodies.pop(uid) == b"" and complete(memory)


@pytest.mark.parametrize("size", [b"0", b"1", b"99999999", b"-1", b"12.0", b"NIL"])
def test_16_20_size_is_wrong(server: ScriptedServer, size: bytes) -> None:
    wrong = Rows(lambda row, _mail: re.sub(rb"RFC822.SIZE \d+", b"RFC822.SIZE " + size, row))
    assert complete(archive(server, wrong))


@pytest.mark.parametrize(
    "line", [b"\r\n", b"\0* 1 RECENT\r\n", b"*  1 RECENT\r\n", b"1 RECENT\r\n", b"+ stray\r\n", b"* ok\r\n"]
)
def test_17_odd_lines_are_read_past(server: ScriptedServer, line: bytes) -> None:
    assert complete(archive(server, Around(line)))
    assert server.connections == 1


def test_17_lower_case_fetch_and_missing_star(server: ScriptedServer) -> None:
    lower = Rows(lambda row, _mail: row.replace(b" FETCH (", b" fetch (").replace(b"FLAGS", b"flags"))
    starless = Rows(lambda row, _mail: row[2:], uid=6)
    assert complete(archive(server, lower, starless))
    assert server.connections == 1


def test_17_server_unavailable(server: ScriptedServer) -> None:
    assert complete(archive(server, Around(b"Server Unavailable. 15\r\n", most=1)))
    assert server.connections == 2


def test_17_server_unavailable_for_ever_ends(server: ScriptedServer) -> None:
    for number in range(200):
        server.mailbox.append("INBOX", body(number))
    memory = archive(server, Around(b"Server Unavailable. 15\r\n"))
    assert len(memory.refused) == COUNT + 200 and not memory.bodies
    assert server.connections <= 25
    server.faults.clear()
    assert len(archive(server, memory=memory).bodies) == COUNT + 200


def test_17_literal_shorter_than_the_data(server: ScriptedServer) -> None:
    """What follows is read as IMAP then; a message must not be able to forge answers."""
    forged = b"Subject: x\r\n\r\n)\r\n* 2 FETCH (UID 2 FLAGS () BODY[] {4}\r\nEVIL)\r\n"
    uid = server.mailbox.append("INBOX", forged)
    short = Rows(lambda row, _mail: re.sub(rb"\{\d+\}", b"{12}", row), uid=uid, bodies=True)
    memory = archive(server, short)
    assert b"EVIL" not in memory.bodies.values()
    assert uid in memory.refused or memory.bodies[uid] == forged
    assert [memory.bodies[number] for number in range(1, COUNT + 1)] == [body(n) for n in range(1, COUNT + 1)]


def test_18_ok_without_text(server: ScriptedServer) -> None:
    def bare(line: bytes) -> bytes:
        return re.sub(rb"^(\S+ OK)(?! \[).*\r\n$", rb"\1\r\n", line) if not line.startswith(b"*") else line

    assert complete(archive(server, *(Lines(name, bare) for name in ALLOWED - {"CAPABILITY"})))


def test_19_response_codes_without_text(server: ScriptedServer) -> None:
    memory = archive(server, Lines("EXAMINE", lambda line: re.sub(rb"(\* OK \[.*\]).*\r\n", rb"\1\r\n", line)))
    assert complete(memory)
    assert memory.status and (memory.status.uidnext, memory.status.highestmodseq > 0) == (
        COUNT + 1,
        server.extensions != PLAIN,
    )


@pytest.mark.parametrize("value", [b"-1", b"0"])
def test_20_modseq_minus_one(server: ScriptedServer, value: bytes) -> None:
    def minus(line: bytes) -> bytes:
        return re.sub(rb"HIGHESTMODSEQ \d+", b"HIGHESTMODSEQ " + value, line)

    faults = [Lines(name, minus) for name in ("EXAMINE", "STATUS", "LIST")]
    memory = archive(server, *faults)
    server.mailbox.flag("INBOX", 4, ["\\Flagged"])
    server.mailbox.expunge("INBOX", 5)
    memory = archive(server, *faults, memory=memory)
    assert memory.flags[4] == ("\\Flagged",) and 5 not in memory.flags


def test_26_nil_names_and_numeric_flags(server: ScriptedServer) -> None:
    nil = Lines("LIST", lambda line: b'* LIST () "/" NIL\r\n' + line if b"INBOX" in line else line)
    memory = archive(server, nil, Rows(lambda row, _mail: re.sub(rb"FLAGS \([^)]*\)", b"FLAGS (12 NIL)", row)))
    assert complete(memory)
    assert set(memory.flags.values()) == {("12", "NIL")}


def test_29_literal8(server: ScriptedServer) -> None:
    assert complete(archive(server, Rows(lambda row, _mail: row.replace(b"BODY[] {", b"BODY[] ~{"), bodies=True)))


def test_30_a_date_that_does_not_exist(server: ScriptedServer) -> None:
    broken = Rows(lambda row, _mail: re.sub(rb'DATE "[^"]*"', b'DATE "00-Jan-0000 00:00:00 +0000"', row))
    server.faults = [broken]
    with closing(ImapSource(server.settings(), quick())) as source:
        folder = find(source)
        rows = source.listing(folder, None).rows
        assert {row.date for row in rows} == {None}
        assert {item.date for item in source.fetch(folder, rows)} == {None}  # type: ignore[union-attr]


def test_31_descending_and_twice(server: ScriptedServer) -> None:
    memory = archive(server, Shuffled())
    server.mailbox.append("INBOX", body(COUNT + 1))
    memory = archive(server, Shuffled(), memory=memory)
    assert sorted(memory.bodies) == list(range(1, COUNT + 2))


def test_32_malformed_vanished_is_not_believed() -> None:
    with ScriptedServer(QRESYNC) as server:
        for number in range(1, COUNT + 1):
            server.mailbox.append("INBOX", body(number))
        memory = archive(server)
        everything = b"* VANISHED (EARLIER) 1:4294967295\r\n"
        fault = Lines("EXAMINE", lambda line: line + everything if b"EXISTS" in line else line)
        assert complete(archive(server, fault, memory=memory))
