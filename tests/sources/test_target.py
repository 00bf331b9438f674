"""Restoring into an account: what is appended comes back the same, and a second restore appends nothing."""

from __future__ import annotations

import imaplib
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.errors import ProtocolError, QuotaError
from archiver.sources.holdings import canonical, message_id, with_crlf
from archiver.sources.imap import ImapSource
from archiver.sources.target import ImapTarget
from tests.servers.dovecot import Dovecot, quoted
from tests.servers.imap_faults import Lines, Replies
from tests.servers.scripted import QRESYNC, ScriptedServer, account
from tests.sources.imap_run import Memory, find, quick, run

WHEN = datetime(2019, 3, 4, 5, 6, 7, tzinfo=timezone(timedelta(hours=-3)))


def mail(number: int, end: bytes = b"\r\n") -> bytes:
    return end.join([b"Message-ID: <%d@x>" % number, b"Subject: %d" % number, b"", b"body %d" % (number % 5), b""])


def dovecot_target(server: Dovecot, user: str) -> ImapTarget:
    return ImapTarget(account("localhost", server.tls_port, user, ca_file=server.ca_file), quick())


def contents(server: Dovecot, user: str, folder: str) -> Memory:
    memory = Memory()
    source = ImapSource(account("localhost", server.tls_port, user, ca_file=server.ca_file), quick())
    with closing(source):
        run(source, memory, find(source, folder))
    return memory


def test_what_is_appended_comes_back(dovecot: Dovecot) -> None:
    user, folder = dovecot.user("restore"), "归档/2024/合同 & 报价"
    with closing(dovecot_target(dovecot, user)) as target:
        assert not target.holds(folder, mail(1))
        target.append(folder, mail(1), ["\\Seen", "\\Flagged", "$Forwarded", "\\Recent", "not(valid"], WHEN)
        target.append("INBOX", mail(2), [], None)
        assert target.holds(folder, mail(1)) and not target.holds(folder, mail(2)) and target.holds("INBOX", mail(2))
    memory = contents(dovecot, user, folder)
    assert memory.bodies == {1: mail(1)}
    assert memory.flags == {1: ("$Forwarded", "\\Flagged", "\\Seen")}
    session = dovecot.session(user)
    session.select(quoted(folder), readonly=True)
    told = imaplib.Internaldate2tuple(session.fetch("1", "(INTERNALDATE)")[1][0])  # type: ignore[arg-type]
    assert told and time.mktime(told) == WHEN.timestamp()


def test_a_second_restore_appends_nothing_and_is_fast(dovecot: Dovecot) -> None:
    user = dovecot.user("twice")
    messages = [mail(number, b"\n" if number % 3 else b"\r\n") for number in range(300)]
    appended, seconds = [], []
    for _ in range(2):
        started = time.monotonic()
        with closing(dovecot_target(dovecot, user)) as target:
            missing = [message for message in messages if not target.holds("再", message)]
            for message in missing:
                target.append("再", message, ["\\Seen"], datetime(2020, 1, 1, tzinfo=UTC))
        appended.append(len(missing))
        seconds.append(time.monotonic() - started)
    assert appended == [300, 0]
    assert seconds[1] < 5
    assert len(contents(dovecot, user, "再").bodies) == 300


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(QRESYNC) as server:
        yield server


def test_found_by_message_id_where_sizes_are_approximate(server: ScriptedServer) -> None:
    server.mailbox.append("INBOX", mail(1))
    server.mailbox.append("INBOX", mail(2))
    server.faults = [Lines("UID FETCH", lambda line: line.replace(b"RFC822.SIZE ", b"RFC822.SIZE 9"))]
    with closing(ImapTarget(server.settings(), quick())) as target:
        assert target.holds("INBOX", mail(2, b"\n"))
        assert not target.holds("INBOX", mail(3))
        assert not target.holds("INBOX", mail(1) + b"more")


def test_same_size_is_not_the_same(server: ScriptedServer) -> None:
    server.mailbox.append("INBOX", mail(1))
    with closing(ImapTarget(server.settings(), quick())) as target:
        assert not target.holds("INBOX", mail(2))


def test_a_cut_during_append_doubles_nothing(server: ScriptedServer) -> None:
    """The answer is lost after the message has arrived, or before: in the end it is there once."""
    server.mailbox.create("x")
    for number, size in enumerate(range(0, 700, 17)):
        with closing(ImapTarget(server.settings(), quick())) as target:
            server.cut_after(size)
            target.append("x", mail(number), [], None)
        server.cut_after(None)
        assert sum(body == mail(number) for body in server.mailbox.bodies("x")) == 1


def test_what_the_server_does_not_take(server: ScriptedServer) -> None:
    with closing(ImapTarget(server.settings(), quick())) as target:
        server.faults = [Replies("APPEND", b"NO [TOOBIG] message too large")]
        with pytest.raises(ProtocolError, match="TOOBIG"):
            target.append("INBOX", mail(1), [], None)
        server.faults = [Replies("APPEND", b"NO [OVERQUOTA] the account is full")]
        with pytest.raises(QuotaError):
            target.append("INBOX", mail(1), [], None)


def test_line_ends_are_repaired_only_for_servers_that_insist(server: ScriptedServer) -> None:
    with closing(ImapTarget(server.settings(), quick())) as target:
        target.append("a", mail(1, b"\n"), [], None)
        server.faults = [Replies("APPEND", b"BAD bare newlines", most=1)]
        target.append("b", mail(1, b"\n"), [], None)
    assert server.mailbox.bodies("a") == [mail(1, b"\n")]
    assert server.mailbox.bodies("b") == [mail(1)]


def test_namespace_and_delimiter_of_the_server(server: ScriptedServer) -> None:
    def courier(_line: bytes) -> bytes:
        return b'* NAMESPACE (("INBOX." ".")) NIL NIL\r\n'

    server.extensions = server.extensions | {"NAMESPACE"}
    server.faults = [Lines("NAMESPACE", lambda line: courier(line) if line.startswith(b"*") else line)]
    with closing(ImapTarget(server.settings(), quick())) as target:
        target.append("Sent/2024", mail(1), [], None)
    assert server.mailbox.bodies(b"INBOX.Sent.2024") == [mail(1)]


@given(st.binary(max_size=50), st.sampled_from([b"\n", b"\r", b"\r\n"]))
def test_line_ends_do_not_count(text: bytes, end: bytes) -> None:
    crlf = with_crlf(text)
    digest, size = canonical(text)
    assert size == len(crlf)
    assert canonical(crlf) == (digest, size)
    assert canonical(crlf.replace(b"\r\n", end)) == (digest, size)


def test_line_ends_at_the_border_of_a_chunk() -> None:
    for shift in range(3):
        text = b"x" * (1024 * 1024 - shift) + b"\r\n" * 5 + b"y" * 1024 * 1024 + b"\r"
        assert canonical(text) == canonical(text.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))


def test_message_ids() -> None:
    assert message_id(b"Subject: x\nMESSAGE-ID:\n <a@b>\n\n") == b"<a@b>"
    assert message_id(b"Subject: x\r\n\r\nMessage-ID: <a@b>\r\n") == b""
