"""What real servers do with folders, logins and messages in mid-run, one test each."""

from __future__ import annotations

import re
from contextlib import closing

import pytest

from archiver.errors import AuthError, ProtocolError, QuotaError
from archiver.sources.imap import ImapSource
from archiver.sources.providers import GENERIC, provider_of
from tests.servers.imap_faults import ExamineLies, Greets, Lines, Replies, Stops, Vanishes
from tests.servers.scripted import PLAIN, QRESYNC, Fault, ScriptedServer
from tests.sources.imap_run import Memory, Waits, find, quick, run
from tests.sources.misbehaving import ALLOWED, COUNT, archive, body, complete


@pytest.mark.parametrize("line", [b"", b"* OK [UIDVALIDITY 0] zero\r\n"])
def test_21_uidvalidity_zero_or_missing_is_a_new_epoch(server: ScriptedServer, line: bytes) -> None:
    fault = Lines("EXAMINE", lambda told: line if b"UIDVALIDITY" in told else told)
    memory = archive(server, fault)
    assert complete(archive(server, fault, memory=memory))
    assert memory.epochs == 2


def test_21_uidnext_falls(server: ScriptedServer) -> None:
    memory = archive(server)
    box = server.mailbox.box("INBOX")
    box.mails, box.uidnext = [], 1  # rebuilt under the same UIDVALIDITY: UID 1 is another message now
    server.mailbox.append("INBOX", b"Subject: another\r\n\r\n")
    memory = archive(server, memory=memory)
    assert memory.epochs == 2 and memory.bodies == {1: b"Subject: another\r\n\r\n"}
    assert len(memory.archived) == COUNT + 1


def test_22_several_exists(server: ScriptedServer) -> None:
    assert complete(archive(server, Lines("EXAMINE", lambda line: line.replace(b"* FLAGS", b"* 3 EXISTS\r\n* FLAGS"))))


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"&broken", "&broken"),
        (b"&ZZ-", "&ZZ-"),
        ("发件箱".encode(), "发件箱"),
        ("已删除".encode("gb18030"), "已删除"),
        (b"&XfJT0ZAB-", "已发送"),
        (b'a "quoted\\name', 'a "quoted\\name'),
    ],
)
def test_23_24_folder_names(server: ScriptedServer, raw: bytes, name: str) -> None:
    server.mailbox.append(raw, body(1))
    memory = Memory()
    with closing(ImapSource(server.settings(), quick())) as source:
        assert [folder.name for folder in source.folders()] == ["INBOX", name]
        run(source, memory, find(source, name))
    assert memory.bodies == {1: body(1)}


def test_25_list_names_with_unquoted_spaces(server: ScriptedServer) -> None:
    server.mailbox.append("Sent Messages", body(1))
    bare = Lines("LIST", lambda line: line.replace(b'"Sent Messages"', b"Sent Messages"))
    server.faults = [bare, Lines("STATUS", lambda line: line.replace(b'"Sent Messages"', b"Sent Messages"))]
    memory = Memory()
    with closing(ImapSource(server.settings(), quick())) as source:
        run(source, memory, find(source, "Sent Messages"))
    assert memory.bodies == {1: body(1)}


def test_33_authenticated_but_not_connected(server: ScriptedServer) -> None:
    class NotConnected(Fault):
        def answer(self, command, chunks):  # type: ignore[no-untyped-def]
            self.times += command.name == "LOGIN"
            bad = b"%s BAD User is authenticated but not connected.\r\n" % command.tag
            return [bad] if self.times and command.name != "LOGIN" else chunks

    with pytest.raises(AuthError, match="not connected"):
        archive(server, NotConnected())


def test_34_too_many_connections(server: ScriptedServer) -> None:
    greets = Greets(b"* BYE Too many connections from your address\r\n", most=2)
    assert complete(archive(server, greets))
    with pytest.raises(QuotaError):
        archive(server, Replies("LOGIN", b"NO [LIMIT] Too many simultaneous connections"))


def test_35_seen_despite_peek_is_told(server: ScriptedServer) -> None:
    class Marks(Fault):
        def answer(self, command, chunks):  # type: ignore[no-untyped-def]
            return [c.replace(b"FLAGS ()", b"FLAGS (\\Seen)") for c in chunks] if b"BODY" in command.args else chunks

    server.faults = [Marks()]
    with closing(ImapSource(server.settings(), quick())) as source:
        run(source, Memory())
        assert any("\\Seen" in note for note in source.notes)


def test_36_folder_deleted_in_mid_run(server: ScriptedServer) -> None:
    gone = Vanishes(lambda: server.mailbox.delete("INBOX"))
    cut = Stops(22, 0, most=1)
    with pytest.raises(ProtocolError, match="INBOX"):
        archive(server, gone, cut)


def test_36_folder_renewed_in_mid_run(server: ScriptedServer) -> None:
    """UIDs of another life must not be taken for those asked for."""
    with pytest.raises(ProtocolError, match="UIDVALIDITY changed"):
        archive(server, Vanishes(lambda: server.mailbox.renew("INBOX")), Stops(22, 0, most=1))


def test_36_messages_expunged_in_mid_run(server: ScriptedServer) -> None:
    def expunge() -> None:
        for uid in range(11, 16):
            server.mailbox.expunge("INBOX", uid)

    memory = archive(server, Vanishes(expunge))
    assert set(memory.bodies) >= set(range(1, 11)) and not memory.refused
    memory = archive(server, memory=memory)
    assert sorted(memory.bodies) == [*range(1, 11), *range(16, COUNT + 1)]


def test_37_throttled_on_ok(server: ScriptedServer) -> None:
    limits = quick()
    slow = Lines("UID FETCH", lambda line: re.sub(rb"^(\S+ OK) done", rb"\1 Success [THROTTLED]", line))
    assert complete(archive(server, slow, limits=limits))
    assert isinstance(limits.sleep, Waits) and 1.0 in limits.sleep.seconds


@pytest.mark.parametrize("extensions", [PLAIN, QRESYNC], ids=["plain", "qresync"])
def test_38_examine_differs_from_select(extensions: frozenset[str]) -> None:
    """With a switch an account: SELECT, and never a command that would change the folder."""
    with ScriptedServer(extensions) as server:
        for number in range(5):
            server.mailbox.append("INBOX", body(number), ["\\Seen"])
        server.faults = [ExamineLies()]
        generic, courier = Memory(), Memory()
        for memory, provider in ((generic, GENERIC), (courier, provider_of("courier", ""))):
            server.commands.clear()
            for _ in range(3):
                with closing(ImapSource(server.settings(), quick(), provider)) as source:
                    run(source, memory)
        assert (generic.epochs, courier.epochs, len(courier.bodies)) == (3, 1, 5)
        assert {command.name for command in server.commands} <= (ALLOWED - {"EXAMINE"}) | {"SELECT"}
