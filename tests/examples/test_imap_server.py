"""The demo's mail server, driven by the standard library's client."""

from __future__ import annotations

import imaplib
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from examples.imap_grammar import SyntaxMistakeError, arguments, chosen, internal_date, read_date
from examples.imap_mailbox import Mailbox
from examples.imap_server import ImapServer

MESSAGE = b"Subject: one\r\nMessage-ID: <1@x>\r\n\r\nbody\r\n"
WHEN = datetime(2024, 3, 1, 15, 12, tzinfo=timezone(timedelta(hours=8)))


@pytest.fixture
def mailbox() -> Mailbox:
    mailbox = Mailbox()
    for number in range(1, 6):
        mailbox.append("INBOX", MESSAGE.replace(b"one", b"number %d" % number), {"\\Seen"}, WHEN)
    mailbox.create("客户/海外")
    return mailbox


@pytest.fixture
def server(mailbox: Mailbox) -> Iterator[ImapServer]:
    with ImapServer({"anna": mailbox}, "pw") as server:
        yield server


@pytest.fixture
def client(server: ImapServer) -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4("127.0.0.1", server.port, timeout=10)
    client.login("anna", "pw")
    yield client
    client.logout()


def test_login_is_refused_with_another_password(server: ImapServer) -> None:
    client = imaplib.IMAP4("127.0.0.1", server.port, timeout=10)
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        client.login("anna", "no")
    client.shutdown()


def test_folders_are_listed_by_pattern_in_modified_utf7(client: imaplib.IMAP4) -> None:
    level = b'(\\NonExistent \\HasChildren) "/" "&W6JiNw-"'
    assert client.list()[1] == [level, b'() "/" "INBOX"', b'() "/" "&W6JiNw-/&bXdZFg-"']
    assert client.list('""', "%")[1] == [level, b'() "/" "INBOX"']
    assert client.status("INBOX", "(MESSAGES UIDNEXT)")[1] == [b'"INBOX" (MESSAGES 5 UIDNEXT 6)']
    assert client.status("Nowhere", "(MESSAGES)")[0] == "NO"


def test_messages_are_fetched_whole_in_part_and_by_header(client: imaplib.IMAP4) -> None:
    assert client.select("INBOX", readonly=True) == ("OK", [b"5"])
    (whole, _end) = client.uid("FETCH", "2", "(FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")[1]
    assert whole[0] == b'2 (UID 2 FLAGS (\\Seen) INTERNALDATE " 1-Mar-2024 15:12:00 +0800" RFC822.SIZE 46 BODY[] {46}'
    assert whole[1] == MESSAGE.replace(b"one", b"number 2")
    assert client.uid("FETCH", "2", "(BODY.PEEK[]<9.6>)")[1][0] == (b"2 (UID 2 BODY[]<9> {6}", b"number")
    header = client.uid("FETCH", "2", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1][0][1]
    assert header == b"Message-ID: <1@x>\r\n\r\n"
    assert [line.split()[2] for line in client.uid("FETCH", "9:*", "(UID)")[1]] == [b"5)"]
    assert client.uid("SEARCH", "HEADER", "Subject", '"number 3"')[1] == [b"3"]


def test_appended_messages_are_there_with_flags_and_date(client: imaplib.IMAP4, mailbox: Mailbox) -> None:
    assert client.append('"New"', "", "", MESSAGE)[1] == [b"[TRYCREATE] no such folder"]
    assert client.create('"New"')[0] == "OK"
    assert client.append('"New"', "(\\Flagged)", '"02-Mar-2024 10:00:00 +0000"', MESSAGE)[0] == "OK"
    (mail,) = mailbox.box("New").mails
    assert (mail.body, mail.flags) == (MESSAGE, frozenset({"\\Flagged"}))
    assert mail.date == datetime(2024, 3, 2, 10, tzinfo=UTC)


def test_who_authenticates_is_logged_in(server: ImapServer) -> None:
    client = imaplib.IMAP4("127.0.0.1", server.port, timeout=10)
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        client.authenticate("PLAIN", lambda _challenge: b"\0anna\0no")
    assert client.authenticate("PLAIN", lambda _challenge: b"\0anna\0pw")[0] == "OK"
    assert client.select("INBOX") == ("OK", [b"5"])
    client.logout()


def test_extensions_are_spoken_only_where_they_are_offered(mailbox: Mailbox, client: imaplib.IMAP4) -> None:
    assert client.select("INBOX") == ("OK", [b"5"]) and client.response("HIGHESTMODSEQ")[1] == [None]
    with ImapServer({"anna": mailbox}, "pw", extensions=frozenset({"ENABLE", "CONDSTORE"})) as server:
        other = imaplib.IMAP4("127.0.0.1", server.port, timeout=10)
        other.login("anna", "pw")
        assert other.enable("CONDSTORE QRESYNC")[0] == "OK"
        assert other.select("INBOX") == ("OK", [b"5"]) and other.response("HIGHESTMODSEQ")[1] == [b"6"]
        mailbox.flag("INBOX", 2, {"\\Flagged"})
        changed = other.uid("FETCH", "1:*", "(FLAGS)", "(CHANGEDSINCE 6)")[1]
        other.logout()
    assert changed == [b"2 (UID 2 FLAGS (\\Flagged) MODSEQ (7))"]


@pytest.mark.parametrize(
    "line", [b"a1 NOSUCH", b"a1 FETCH 1 (UID)", b"a1 LOGIN onlyuser", b"a1 LOGIN (((", b"a1", b"a1 HANDLE"]
)
def test_nonsense_is_answered_with_bad_and_the_connection_lives(server: ImapServer, line: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as wire, wire.makefile("rb") as answers:
        answers.readline()
        wire.sendall(line + b"\r\na2 NOOP\r\n")
        assert answers.readline().startswith(b"a1 BAD ")
        assert answers.readline().startswith(b"a2 OK")


def test_grammar() -> None:
    assert arguments([b'"a \\"b\\"" (c (d) []) BODY[HEADER.FIELDS (X Y)]<1.2> ', b"lit)", b" e"]) == [
        b'a "b"', [b"c", [b"d"], b"[]"], b"BODY[HEADER.FIELDS (X Y)]<1.2>", b"lit)", b"e",
    ]  # fmt: skip
    assert chosen(b"2:3,9:*,4", [1, 2, 3, 4, 7]) == {2, 3, 4, 7}
    assert chosen(b"1:*", []) == set() and chosen(b"3:2", range(1, 9)) == {2, 3}
    assert read_date(internal_date(WHEN)[1:-1]) == WHEN
    for wrong in (b"", b"1:", b"a", b"1,,2"):
        with pytest.raises(SyntaxMistakeError):
            chosen(wrong, [1])
