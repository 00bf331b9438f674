"""The test server itself: it starts, speaks TLS, keeps accounts apart and gives back what was appended."""

from __future__ import annotations

import imaplib
from datetime import UTC, datetime

from tests.servers.dovecot import HOST, Dovecot, client_context, quoted

WHEN = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def test_gives_back_what_was_appended(dovecot: Dovecot) -> None:
    user = dovecot.user("anna")
    dovecot.append(user, "合同/2024", b"Subject: x\r\n\r\nbody\r\n", ["\\Seen"], WHEN)
    session = imaplib.IMAP4_SSL(HOST, dovecot.tls_port, ssl_context=client_context(dovecot.ca_file), timeout=10)
    session.login(user, dovecot.password)
    session.select(quoted("合同/2024"), readonly=True)
    _, data = session.uid("FETCH", "1", "(FLAGS INTERNALDATE BODY.PEEK[])")
    session.logout()
    assert data[0][1] == b"Subject: x\r\n\r\nbody\r\n"
    assert b"\\Seen" in data[0][0]
    assert b'"06-May-2024 07:08:09 +0000"' in data[0][0]


def test_accounts_are_apart(dovecot: Dovecot) -> None:
    one, other = dovecot.user("same"), dovecot.user("same")
    dovecot.append(one, "INBOX", b"Subject: x\r\n\r\n")
    assert one != other
    assert dovecot.session(other).select("INBOX", readonly=True) == ("OK", [b"0"])


def test_takes_its_own_tokens(dovecot: Dovecot) -> None:
    user = dovecot.user("token")
    session = imaplib.IMAP4(HOST, dovecot.port, timeout=10)
    answer = f"user={user}\1auth=Bearer {dovecot.token(user)}\1\1".encode()
    assert session.authenticate("XOAUTH2", lambda _challenge: answer)[0] == "OK"
    session.logout()
