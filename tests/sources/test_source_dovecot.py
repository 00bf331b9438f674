"""The contract of a source on a real Dovecot, three ways; large messages; TLS, STARTTLS and OAuth."""

from __future__ import annotations

import hashlib
import logging
import mmap
import os
import re
import resource
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from archiver.config import AccountSettings
from archiver.errors import AuthError, ConnectError
from archiver.model import Fetched
from archiver.sources.imap import ImapSource
from archiver.sources.limits import Limits
from archiver.sources.providers import GENERIC, Provider
from tests.contracts.source import SourceContract, mail
from tests.servers.dovecot import Dovecot, quoted
from tests.servers.scripted import account
from tests.sources.imap_run import Memory, Waits, find, quick, run

WAYS = {
    "qresync": GENERIC,
    "condstore": replace(GENERIC, qresync=False),
    "plain": replace(GENERIC, qresync=False, condstore=False, status_by_list=False),
}
MIB = 1024 * 1024


def settings(server: Dovecot, user: str, **changes: object) -> AccountSettings:
    return account("localhost", server.tls_port, user, **({"ca_file": server.ca_file} | changes))


class DovecotWorld:
    """An account at Dovecot, changed through the standard library's client."""

    def __init__(self, server: Dovecot, provider: Provider) -> None:
        self.server, self.user, self._provider = server, server.user("world"), provider

    def source(self) -> ImapSource:
        return ImapSource(settings(self.server, self.user), quick(), self._provider)

    def append(self, folder: str, body: bytes, flags: Sequence[str] = (), date: datetime | None = None) -> None:
        self.server.append(self.user, folder, body, flags, date)

    def flag(self, folder: str, number: int, flags: Sequence[str]) -> None:
        self._do(folder, "STORE", str(number), "FLAGS", f"({' '.join(flags)})")

    def expunge(self, folder: str, number: int) -> None:
        self._do(folder, "STORE", str(number), "+FLAGS", "(\\Deleted)")
        self._do(folder, "EXPUNGE")

    def move(self, folder: str, number: int, to: str) -> None:
        self.server.session(self.user).create(quoted(to))
        self._do(folder, "MOVE", str(number), quoted(to))

    def delete(self, folder: str) -> None:
        assert self.server.session(self.user).delete(quoted(folder))[0] == "OK"

    def renew(self, folder: str) -> None:
        assert folder == "INBOX"
        maildir = self.server.maildir(self.user)
        for path in [*maildir.glob("dovecot.index*"), *maildir.glob("dovecot.list.index*")]:
            path.unlink()
        uidlist = maildir / "dovecot-uidlist"
        head, rest = uidlist.read_text().split("\n", 1)
        life = next(word for word in head.split() if word.startswith("V"))
        uidlist.write_text(f"{head.replace(life, f'V{int(life[1:]) + 1}')}\n{rest}")

    def _do(self, folder: str, name: str, *args: str) -> None:
        session = self.server.session(self.user)
        assert session.select(quoted(folder))[0] == "OK"
        assert session._simple_command(name, *args)[0] == "OK"  # type: ignore[attr-defined]
        session.unselect()


class TestDovecot(SourceContract):
    @pytest.fixture(params=sorted(WAYS))
    def world(self, request: pytest.FixtureRequest, dovecot: Dovecot) -> DovecotWorld:
        return DovecotWorld(dovecot, WAYS[request.param])


@pytest.mark.parametrize(("security", "port"), [("tls", "tls_port"), ("starttls", "port"), ("plain", "port")])
def test_ways_to_connect(dovecot: Dovecot, security: str, port: str) -> None:
    user = dovecot.user("secure")
    dovecot.append(user, "INBOX", mail(1))
    memory = Memory()
    with closing(ImapSource(settings(dovecot, user, security=security, port=getattr(dovecot, port)))) as source:
        run(source, memory)
    assert memory.bodies == {1: mail(1)}


@pytest.mark.parametrize(("security", "port"), [("tls", "tls_port"), ("starttls", "port")])
def test_an_unknown_certificate_is_not_trusted(dovecot: Dovecot, security: str, port: str) -> None:
    wrong = settings(dovecot, "x", security=security, port=getattr(dovecot, port), ca_file=None)
    with pytest.raises(ConnectError, match="certificate") as caught:
        ImapSource(wrong, quick()).folders()
    assert "ca_file" in caught.value.hint


def test_a_wrong_password(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    source = ImapSource(settings(dovecot, dovecot.user("wrong")), quick())
    monkeypatch.setenv("MAILARK_TEST_PASSWORD", "not it")
    with pytest.raises(AuthError) as caught:
        source.folders()
    assert "not it" not in str(caught.value)


def test_neither_passwords_nor_mail_reach_a_log(dovecot: Dovecot, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    user = dovecot.user("quiet")
    dovecot.append(user, "INBOX", b"Subject: confidential\r\n\r\nunspeakable\r\n")
    memory = Memory()
    with closing(ImapSource(settings(dovecot, user))) as source:
        run(source, memory)
    assert len(memory.bodies) == 1
    assert not re.search(r"confidential|unspeakable|LOGIN|\bpw\b", caplog.text)


def test_oauth(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    user = dovecot.user("oauth")
    dovecot.append(user, "INBOX", mail(1))
    source = ImapSource(settings(dovecot, user, provider="oauth"), quick())
    monkeypatch.setenv("MAILARK_TEST_PASSWORD", dovecot.token(user))
    memory = Memory()
    with closing(source):
        run(source, memory)
    assert memory.bodies == {1: mail(1)}
    monkeypatch.setenv("MAILARK_TEST_PASSWORD", dovecot.token("another"))
    with pytest.raises(AuthError):
        ImapSource(settings(dovecot, user, provider="oauth"), quick()).folders()


@pytest.mark.slow
def test_huge_messages_come_in_pieces_and_lie_on_disk(dovecot: Dovecot, tmp_path: Path) -> None:
    user = dovecot.user("huge")
    large = b"Subject: large\r\n\r\n" + b"\r\n".join(os.urandom(36).hex().encode() for _ in range(300_000))
    assert len(large) > 21 * MIB
    for body in (mail(1), large, mail(2)):
        dovecot.append(user, "INBOX", body)
    limits = Limits(huge=MIB, piece=3 * MIB, spool=tmp_path, sleep=Waits())
    with closing(ImapSource(settings(dovecot, user), limits)) as source:
        folder = find(source)
        items = {item.uid: item for item in source.fetch(folder, source.listing(folder, None).rows)}
        sizes_unknown = [replace(row, size=0) for row in source.listing(folder, None).rows]
        again = {item.uid: item for item in source.fetch(folder, sizes_unknown)}
    for found in (items[2], again[2]):
        assert isinstance(found, Fetched) and isinstance(found.body, mmap.mmap)
        assert hashlib.sha256(found.body).digest() == hashlib.sha256(large).digest()
    assert items[3] == again[3] and isinstance(items[3], Fetched) and items[3].body == mail(2)
    assert list(tmp_path.iterdir()) == []  # the spool has no names


@pytest.mark.slow
def test_speed_and_memory(dovecot: Dovecot, capsys: pytest.CaptureFixture[str]) -> None:
    user = dovecot.user("speed")
    dovecot.append(user, "INBOX", mail(1))
    text = b"\r\n".join(b"%075d" % line for line in range(390))
    for number in range(3000):
        body = b"Subject: %d\r\n\r\n%s" % (number, text)
        name = f"{1_700_000_000 + number}.M{number}.host,S={len(body)},W={len(body)}:2,S"
        (dovecot.maildir(user) / "cur" / name).write_bytes(body)
        os.chown(dovecot.maildir(user) / "cur" / name, 8, 8)
    with closing(ImapSource(settings(dovecot, user))) as source:
        folder = find(source)
        rows = source.listing(folder, None).rows
        before, wall, used, size = resource.getrusage(resource.RUSAGE_SELF), time.monotonic(), time.process_time(), 0
        for item in source.fetch(folder, rows):
            size += len(item.body) if isinstance(item, Fetched) else 0
        wall, used = time.monotonic() - wall, time.process_time() - used
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before.ru_maxrss) / 1024
    with capsys.disabled():
        print(
            f"\n{len(rows)} messages of {size // len(rows)} bytes over TLS: {len(rows) / wall:.0f}/s, "
            f"{size / wall / 1e6:.0f} MB/s, {used / len(rows) * 1e6:.0f} µs of CPU each, memory +{grown:.0f} MiB"
        )
    assert size > 3000 * len(text)
    assert used / len(rows) < 400e-6 and grown < 32
