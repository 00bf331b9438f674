"""Verdicts from `backup` to `search`, and back again from a store: they are taken once and kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from archiver.authenticity import lookup
from archiver.backup import Options, RunReport, backup
from archiver.catalog.interface import Hit
from archiver.config import Settings
from archiver.model import Verdict
from archiver.monitor import Silent
from archiver.opening import open_archive
from archiver.recover import recover, reindex
from archiver.stores.local import LocalStore
from archiver.vault.commit import furnish
from tests.authenticity.signing import MAIL, NAME, pair, sealed, signed, signed_by_hand
from tests.kit import PASSPHRASE, archive_in, new_archive, settings_of
from tests.servers.dns import DnsServer, dns_server
from tests.servers.scripted import QRESYNC, ScriptedServer

QUERIES = {
    "dkim:pass": 1,
    "dkim:fail": 1,
    "dkim:permerror": 1,
    "dkim:none": 2,
    "arc:permerror": 1,
    "dkim:not-checked": 0,
}


@pytest.fixture
def served() -> Iterator[DnsServer]:
    with dns_server() as server:
        server.publish(NAME, pair().record)
        yield server


@pytest.fixture
def mailbox() -> Iterator[ScriptedServer]:
    mails = [
        signed(),
        signed(MAIL.replace(b"<1@", b"<2@")).replace(b"contract", b"Contract"),
        signed_by_hand(MAIL.replace(b"<1@", b"<3@"), d="gone.example"),
        sealed(MAIL.replace(b"<1@", b"<4@"), ["list.example"]),
        MAIL.replace(b"<1@", b"<5@"),
    ]
    with ScriptedServer(QRESYNC) as server:
        for mail in mails:
            server.mailbox.append("INBOX", mail)
        yield server


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    made = LocalStore.create(tmp_path / "store", new_archive().archive)
    assert not furnish([made], new_archive().objects)
    return made


def run(folder: Path, store: LocalStore, mailbox: ScriptedServer, dns: Sequence[str], monitor: Silent) -> RunReport:
    with archive_in(folder, [store], [mailbox.settings(name="a")], copies=1) as archive:
        asking = replace(archive.settings, archive=replace(archive.settings.archive, dkim=True, dns=tuple(dns)))
        archive.settings = asking
        return backup(archive, Options(), monitor)


def hits(settings: Settings) -> list[Hit]:
    with open_archive(settings, PASSPHRASE) as archive:
        found = {query: len(archive.catalog.search(query)) for query in QUERIES}
        assert found == QUERIES
        return list(archive.catalog.search("", sort="size"))


def test_verdicts_come_back_from_a_store(
    tmp_path: Path, store: LocalStore, mailbox: ScriptedServer, served: DnsServer
) -> None:
    monitor = Silent()
    report = run(tmp_path / "one", store, mailbox, [served.address], monitor)
    assert (report.exit_code, report.notes, monitor.problems) == (0, (), [])
    with archive_in(tmp_path / "one", [store]) as archive:
        kept = {hit.id: hit.verdicts for hit in archive.catalog.search("")}
        assert {query: len(archive.catalog.search(query)) for query in QUERIES} == QUERIES
        report_again = reindex(archive.catalog, archive.machine, archive.stores, Silent())
        assert report_again.exit_code == 0
        assert {hit.id: hit.verdicts for hit in archive.catalog.search("")} == kept
        (passed,) = archive.catalog.search("dkim:pass")
    assert passed.verdicts == (Verdict("dkim", "pass", "trading.example", "s1", "", pair().record.decode()),)
    assert sum(served.asked.values()) == 3, "each key is asked for once"
    served.dead = True  # the keys are gone; what was found then stays
    settings = settings_of(tmp_path / "new", [store], (), 1)
    assert recover(settings, PASSPHRASE, Silent()).exit_code == 0
    assert {hit.id: hit.verdicts for hit in hits(settings)} == kept


def test_a_machine_without_dns_loses_little_and_says_so(
    tmp_path: Path, store: LocalStore, mailbox: ScriptedServer, served: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "PATIENCE", 0.6)
    served.dead = True
    monitor = Silent()
    report = run(tmp_path / "one", store, mailbox, [served.address], monitor)
    line = "3 of 4 signatures were not checked: DNS does not answer"
    assert (report.exit_code, report.notes) == (0, (line,)), "mail is archived all the same"
    assert report.as_json()["notes"] == [line]
    assert [(one.subject, one.reason) for one in monitor.problems] == [("signatures", line)]
    seconds = (report.ended - report.started).total_seconds()
    print(f"a run without DNS: {seconds:.1f} s")
    with archive_in(tmp_path / "one", [store]) as archive:
        assert len(archive.catalog.search("dkim:not-checked")) == 2
        assert len(archive.catalog.search("dkim:fail")) == 1, "that a body differs needs no key"


def test_nobody_is_asked_when_it_is_switched_off(
    tmp_path: Path, store: LocalStore, mailbox: ScriptedServer, served: DnsServer
) -> None:
    with archive_in(tmp_path / "one", [store], [mailbox.settings(name="a")], copies=1) as archive:
        archive.settings = replace(
            archive.settings, archive=replace(archive.settings.archive, dkim=False, dns=(served.address,))
        )
        assert backup(archive, Options(), Silent()).exit_code == 0
        assert [hit.verdicts for hit in archive.catalog.search("")] == [()] * 5
    assert not served.asked
