"""What real servers do wrong, one test each: nothing is lost, nothing hangs, what cannot be had is refused by name."""

from __future__ import annotations

import re
from contextlib import closing

import pytest

from archiver.errors import AuthError, ConnectError, ProtocolError, QuotaError
from archiver.sources.imap import ImapSource
from tests.servers.imap_faults import Around, AscendingOnly, Hangup, Lines, Replies, Stops, UnsafeLogin
from tests.servers.scripted import QRESYNC, Fault, ScriptedServer, Signal
from tests.sources.imap_run import Waits, find, quick
from tests.sources.misbehaving import COUNT, archive, body, complete


def test_01_unsafe_login_without_id(server: ScriptedServer) -> None:
    fault = UnsafeLogin()
    assert complete(archive(server, fault))
    assert fault.times == 1


def test_02_status_empty_and_no_uidnext(server: ScriptedServer) -> None:
    def empty(line: bytes) -> bytes:
        return re.sub(rb"(\* STATUS \S+) \(.*\)", rb"\1 ()", line)

    def dropped(line: bytes) -> bytes:
        return b"" if b"[UIDNEXT" in line else line

    faults = [Lines("STATUS", empty), Lines("LIST", empty), Lines("EXAMINE", dropped)]
    memory = archive(server, *faults)
    assert complete(memory)
    assert memory.status and memory.status.uidnext == COUNT + 1
    server.mailbox.expunge("INBOX", COUNT)
    memory = archive(server, *faults, memory=memory)
    assert memory.epochs == 1  # the last message went: no reason to begin anew
    assert sorted(memory.bodies) == list(range(1, COUNT))


def test_03_descending_sets_are_bad(server: ScriptedServer) -> None:
    memory = archive(server, AscendingOnly())
    for uid in (3, 4, 9):
        server.mailbox.flag("INBOX", uid, ["\\Flagged"])
    assert complete(archive(server, AscendingOnly(), memory=memory))


def test_06_messages_claimed_and_none_listed(server: ScriptedServer) -> None:
    nothing = [Lines(name, lambda line: b"" if b" FETCH (" in line else line) for name in ("UID FETCH", "FETCH")]
    with pytest.raises(ProtocolError, match="claims 25 messages"):
        archive(server, *nothing)


def test_06_uid_ranges_that_leave_messages_out(server: ScriptedServer) -> None:
    def half(line: bytes) -> bytes:
        return b"" if b"RFC822.SIZE" in line and re.search(rb"UID \d*[02468] ", line) else line

    assert complete(archive(server, Lines("UID FETCH", half)))


def test_07_a_line_of_more_than_a_million_bytes() -> None:
    with ScriptedServer(QRESYNC) as server:
        server.mailbox.append("INBOX", body(1))
        memory = archive(server)
        uid = server.mailbox.append("INBOX", body(2))
        server.mailbox.expunge("INBOX", 1)
        long = b"* VANISHED (EARLIER) 1,%s\r\n" % b",".join(b"%d" % n for n in range(10_000_000, 10_150_000))
        assert len(long) > 1_000_000
        memory = archive(server, Lines("EXAMINE", lambda line: long if b"VANISHED" in line else line), memory=memory)
        assert memory.bodies == {uid: body(2)}


def test_08_rows_without_uid_of_other_messages(server: ScriptedServer) -> None:
    row = b"* 7 FETCH (FLAGS (\\Answered \\Flagged))\r\n"
    memory = archive(server, Around(row), Lines("EXAMINE", lambda line: row + line))
    assert complete(memory)
    assert not any("\\Answered" in flags for flags in memory.flags.values())


@pytest.mark.parametrize("most", [1, 4])
def test_09_data_then_no(server: ScriptedServer, most: int) -> None:
    line = b"NO Some of the requested messages no longer exist"
    fault = Replies("UID FETCH", line, most=most, rows=True, bodies=True)
    assert complete(archive(server, fault))
    assert fault.times == most


def test_09_always_no_for_one_message(server: ScriptedServer) -> None:
    class Refuses(Fault):
        def answer(self, command, chunks):  # type: ignore[no-untyped-def]
            marked = any(b"(UID 13 " in chunk for chunk in chunks) and b"BODY" in command.args
            return [b"%s NO [SERVERBUG] cannot read\r\n" % command.tag] if marked else chunks

    memory = archive(server, Refuses())
    assert complete(memory, 13)
    assert "[SERVERBUG] cannot read" in memory.refused[13]


def test_10_throttled_with_milliseconds(server: ScriptedServer) -> None:
    line = b"BAD Request is throttled. Suggested Backoff Time: 250 milliseconds"
    limits = quick()
    assert complete(archive(server, Replies("UID FETCH", line, most=1, bodies=True), limits=limits))
    assert isinstance(limits.sleep, Waits)
    assert 0.25 in limits.sleep.seconds


def test_10_throttled_for_ever(server: ScriptedServer) -> None:
    line = b"BAD Request is throttled. Suggested Backoff Time: 250 milliseconds"
    with pytest.raises(QuotaError):
        archive(server, Replies("UID FETCH", line, bodies=True))


def test_10_daily_limit(server: ScriptedServer) -> None:
    with pytest.raises(QuotaError, match="OVERQUOTA"):
        archive(server, Replies("UID FETCH", b"NO [OVERQUOTA] Account exceeded bandwidth limits", bodies=True))


def test_11_literal_longer_than_the_data_hangs(server: ScriptedServer) -> None:
    fault = Stops(8, 1 << 20, Signal.HANG, grow=100)
    memory = archive(server, fault, wait=0.15)
    assert complete(memory, 8)
    assert 2 <= fault.times <= 4


@pytest.mark.parametrize("keep", [0, 10, 60, 90])
def test_12_cut_inside_a_message_once(server: ScriptedServer, keep: int) -> None:
    fault = Stops(8, keep, most=1)
    assert complete(archive(server, fault))
    assert fault.times == 1


@pytest.mark.parametrize("keep", [0, 10, 90])
def test_12_cut_inside_a_message_always(server: ScriptedServer, keep: int) -> None:
    assert complete(archive(server, Stops(8, keep)), 8)


def test_12_bye_inside_a_command(server: ScriptedServer) -> None:
    fault = Hangup()
    assert complete(archive(server, fault))
    assert server.connections == 2


def test_login_refused_is_not_repeated(server: ScriptedServer) -> None:
    fault = Replies("LOGIN", b"NO [AUTHENTICATIONFAILED] wrong for pw")
    with pytest.raises(AuthError) as caught:
        archive(server, fault)
    assert fault.times == 1 and caught.value.hint


def test_server_goes_away_for_good(server: ScriptedServer) -> None:
    with closing(ImapSource(server.settings(), quick())) as source:
        folder = find(source)
        server.stop()
        with pytest.raises(ConnectError):
            source.listing(folder, None)


def test_cut_at_any_byte(server: ScriptedServer) -> None:
    """Wherever the connection breaks, a run ends complete, with nothing refused."""
    for size in range(0, 12_000, 43):
        server.cut_after(size)
        assert complete(archive(server))
    server.cut_after(None)
