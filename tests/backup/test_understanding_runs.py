"""Whole runs while the process that understands messages is killed: the archive is complete, each line there once."""

from __future__ import annotations

import base64
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from archiver.backup import Options, RunReport, backup, filling, understanding
from archiver.catalog import lines
from archiver.entries import entry_of
from archiver.model import MessageEntry, PlaceEntry
from archiver.monitor import Silent
from archiver.sources.imap import ImapSource
from archiver.sources.limits import Limits
from archiver.stores.interface import Store
from tests.backup.test_understanding import Killer, digest, doing, mail
from tests.kit import archive_in, memory_stores
from tests.servers.scripted import QRESYNC, ScriptedServer

KILLS = 20


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(QRESYNC) as server:
        yield server


def run(folder: Path, server: ScriptedServer, stores: Sequence[Store]) -> RunReport:
    limits = Limits(attempts=2, sleep=lambda seconds: None)
    with archive_in(folder, stores, [server.settings(name="a")]) as archive:
        return backup(archive, Options(), Silent(), connect=lambda account: ImapSource(account, limits))


def told(folder: Path, stores: Sequence[Store]) -> tuple[list[MessageEntry], Counter[str]]:
    """The lines of messages in the stores, each with the pack that has it; and how often each has a place."""
    with archive_in(folder, stores) as archive:
        documents = [document for one in archive.vault.manifests() for document in archive.vault.lines(one)]
        entries = list(lines.load(b"".join(documents)))
        messages = [one for one in entries if isinstance(one, MessageEntry)]
        for one in messages:
            assert digest(archive.vault.read(one.id, one.pack)) == one.id
        assert {one.id for one in archive.catalog.search("")} == {one.id for one in messages}
        return messages, Counter(one.message for one in entries if isinstance(one, PlaceEntry))


def bodies(number: int) -> list[bytes]:
    chance = random.Random(number)
    attached = [base64.encodebytes(chance.randbytes(30_000)) for _ in range(3)]
    head = b"Subject: %d\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext %d\r\n"
    part = b"--b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    parts = [head % (at, at) + part + chance.choice(attached) + b"--b--\r\n" for at in range(number // 2)]
    return parts + [mail(at, chance.randrange(40_000)) for at in range(number // 2)]


@pytest.mark.slow
def test_kills_at_random_moments_leave_the_archive_complete(
    tmp_path: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "PACK_SIZE", 1024 * 1024)
    sent = bodies(700)
    for at, body in enumerate(sent):
        server.mailbox.append(f"Folder {at % 5}", body)
    kills, runs = 0, 0
    while kills < KILLS and runs < 2 * KILLS:
        stores, folder = memory_stores(), tmp_path / str(runs)
        with Killer(runs, 0.5) as killer:
            report = run(folder, server, stores)
        kills, runs = kills + killer.kills, runs + 1
        assert report.exit_code == 0, report.as_json()
        assert not report.catalog_problem
        messages, places = told(folder, stores)
        wanted = [entry_of(digest(body), body) for body in sent]
        assert sorted((replace(one, pack="") for one in messages), key=by_id) == sorted(wanted, key=by_id)
        assert places == Counter(digest(body) for body in sent)
    print(f"{kills} kills in {runs} runs of {len(sent)} messages")
    assert kills >= KILLS


def by_id(entry: MessageEntry) -> str:
    return entry.id


def test_a_message_that_ends_the_process_is_archived_and_its_line_says_so(
    tmp_path: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fragile = ("tests.backup.fragile", 0.5, 300.0)
    monkeypatch.setattr(understanding.ReaderProcess.__init__, "__defaults__", fragile)
    sent = [mail(1), doing("abort"), mail(2), doing("spin"), mail(3)]
    for body in sent:
        server.mailbox.append("INBOX", body)
    stores = memory_stores()
    report = run(tmp_path, server, stores)
    assert report.exit_code == 0, report.as_json()
    messages, _ = told(tmp_path, stores)
    found = {one.id: replace(one, pack="") for one in messages}
    assert len(messages) == len(found) == len(sent)
    for body in sent:
        one = found[digest(body)]
        if b"do: " in body:
            why = "too much processor time" if b"spin" in body else "its process died"
            assert one == MessageEntry(digest(body), len(body), "", defects=(f"not parsed: {why}",))
        else:
            assert one == entry_of(digest(body), body)


def test_a_run_that_finds_nothing_new_starts_no_process(
    tmp_path: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    class Counted(understanding.Pipes):
        def __init__(self, command: Sequence[str], limit: int) -> None:
            started.append(command)
            super().__init__(command, limit)

    monkeypatch.setattr(understanding, "Pipes", Counted)
    server.mailbox.append("INBOX", mail(1))
    stores = memory_stores()
    assert run(tmp_path, server, stores).exit_code == 0
    assert len(started) == 1
    server.mailbox.append("Copies", mail(1))  # a new place, no new message
    assert run(tmp_path, server, stores).exit_code == 0
    assert len(started) == 1
