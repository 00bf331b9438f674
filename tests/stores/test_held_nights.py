"""Ordinary nights under a hold: what is put, healed and filled carries it; on a real bucket with Object Lock."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archiver.backup import Options, backup
from archiver.config import ArchiveSettings, Settings
from archiver.holding import hold, release
from archiver.locking import lock
from archiver.model import Problem
from archiver.monitor import Silent
from archiver.moving import fill
from archiver.opening import open_archive
from archiver.recover import recover
from archiver.repair import repair
from archiver.stores.s3 import S3Store
from archiver.vault.guard import NewHolds
from archiver.vault.holds import Hold
from tests.kit import PASSPHRASE, new_archive
from tests.servers.s3_faults import Answer, Header, S3Proxy
from tests.servers.seaweed import SeaweedFS
from tests.small_archive import message
from tests.stores.held import ERA, LATER, Company, puts


def test_a_night_under_a_hold_writes_no_more_than_any_other(company: Company, proxy: S3Proxy) -> None:
    proxy.requests.clear()
    company.night()
    free = len(puts(proxy))
    with company.opened() as archive:
        hold(archive, "case", [ERA], Silent())
    proxy.requests.clear()
    company.night()
    assert len(puts(proxy)) == free <= 3, "the hold travels with the put"
    reads = len(proxy.requests) - len(puts(proxy))
    print(f"a small night: {free} objects put; under a hold {len(puts(proxy))}, {reads} requests that only read")
    assert company.checked().exit_code == 0
    with company.opened() as archive:
        release(archive, "case", Silent())
    company.night()
    assert company.held() == set(), "a hold that was lifted covers nothing new"


def test_a_hold_on_another_year_leaves_new_packs_alone(company: Company) -> None:
    """Keys and manifests are needed to read that year: they are held, whenever they come."""
    with company.opened() as archive:
        hold(archive, "old case", ["mail-2001"], Silent())
    company.night()
    assert company.held() == {name for name in company.names() if not re.match(r"(packs|catalog|keys/era)/", name)}
    assert company.checked().exit_code == 0


def test_a_hold_of_another_machine_is_obeyed(company: Company, seaweed: SeaweedFS, tmp_path: Path) -> None:
    work = tmp_path / "other"
    urls = tuple(store.url for store in company.stores)
    settings = Settings(work / "mailark.toml", ArchiveSettings(urls, 2, work, None), ())
    assert recover(settings, PASSPHRASE, Silent()).exit_code == 0
    with open_archive(settings, PASSPHRASE) as other:
        assert hold(other, "case", [], Silent()).exit_code == 0
    company.night()
    assert company.held() == company.names()
    with open_archive(settings, PASSPHRASE) as other:
        assert release(other, "case", Silent()).exit_code == 0
    company.night()
    assert company.held() == set()


def test_a_store_that_was_away_when_the_hold_was_set(company: Company, proxy: S3Proxy) -> None:
    """The record comes to it together with the next night, which is under the hold already."""
    with company.opened() as archive:
        proxy.faults.append(Answer("PUT", "manifests", times=999, status=403, code="AccessDenied"))
        assert hold(archive, "case", [], Silent()).exit_code == 8
        proxy.faults.clear()
    before = company.names()
    for name in before:
        company.s3.hold(name, on=False)
    company.night()
    assert company.held() == company.names() - before


def test_what_a_cut_run_had_put_before_the_hold_is_held_by_the_next(company: Company) -> None:
    held = NewHolds("s3", lambda: [Hold("case", "all", "w/1", LATER)], Silent())
    name = f"packs/{ERA}/ab/{'ab' * 32}.age"
    assert company.s3.put_if_absent(name, b"sent ahead of its commit")
    company.s3.hold_new(held)
    assert not company.s3.put_if_absent(name, b"sent ahead of its commit")
    assert company.held() == {name}


class Told(Silent):
    """Remembers the problems."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def problem(self, problem: Problem) -> None:
        self.problems.append(problem)


@pytest.mark.parametrize("also_after", [False, True], ids=["nothing", "a request of its own"])
def test_a_service_that_takes_no_hold_with_the_put(company: Company, proxy: S3Proxy, also_after: bool) -> None:
    """The mail is stored all the same; where nothing else serves it is told, and `check` names the objects."""
    with company.opened() as archive:
        hold(archive, "case", [], Silent())
    before, told = company.names(), Told()
    proxy.faults.append(Header("PUT", "x-amz-object-lock-legal-hold", times=999, status=403, code="AccessDenied"))
    if not also_after:
        proxy.faults.append(Answer("PUT", "legal-hold", times=999, status=403, code="AccessDenied"))
    company.mail.mailbox.append("INBOX", message(company.rng))
    with company.opened() as archive:
        assert backup(archive, Options(), told, indexer=archive.catalog).exit_code == 0
    new = company.names() - before
    assert len(new) == 3
    if also_after:
        assert (company.held(), told.problems) == (company.names(), [])
        return
    assert company.held() == before
    assert ["store lock" in problem.reason for problem in told.problems] == [True]
    assert {fault.name for fault in company.checked().unlocked} == new
    proxy.faults.clear()
    assert lock(company.stores, new_archive().machine.root, Silent())[0].changed == len(new)
    assert company.checked().exit_code == 0


def test_records_that_cannot_be_read_stop_no_night(company: Company) -> None:
    with company.opened() as archive:
        hold(archive, "case", [], Silent())
    record = max(name for name in company.names() if name.startswith("manifests/"))
    with company.opened() as archive, archive.state.transaction() as db:
        db.execute("DELETE FROM chain")
        db.execute("DELETE FROM hold_line")
    good = company.s3.get(record)
    company.s3.delete(record)
    assert company.s3.put_if_absent(record, good.replace(b"optional hold ", b"optional held "))
    told = Told()
    company.mail.mailbox.append("INBOX", message(company.rng))
    with company.opened() as archive:
        assert backup(archive, Options(), told, indexer=archive.catalog).exit_code == 0
    assert ["cannot be told which holds stand" in problem.reason for problem in told.problems] == [True]
    assert company.checked().exit_code == 7


def test_a_new_store_and_a_healed_one_are_under_the_hold(company: Company, seaweed: SeaweedFS) -> None:
    root = new_archive().machine.root
    with company.opened() as archive:
        hold(archive, "case", [], Silent())
    second = S3Store.create(seaweed.url(seaweed.bucket(locked=True)), new_archive().archive)
    fill(second, company.stores, root, Silent())
    company.stores.append(second)
    assert {stat.name for stat in second.list() if not second.lock(stat.name).held} == set()
    pack = next(name for name in company.names() if name.startswith("packs/"))
    company.s3.delete(pack)
    assert repair(company.stores, root, Silent()).exit_code == 0
    assert company.checked().exit_code == 0
