"""Holds set and lifted on a real bucket with Object Lock; what would go with an era, and what stands against it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from archiver.check import check
from archiver.config import ArchiveSettings, Settings
from archiver.errors import ConfigError, StoreError
from archiver.holding import hold, holds_in, release
from archiver.locking import lock
from archiver.monitor import Silent
from archiver.purging import plan
from archiver.recover import recover
from archiver.stores.locks import Lock
from archiver.stores.s3 import S3Store
from archiver.vault.plan import Expense
from tests.kit import PASSPHRASE, new_archive
from tests.servers.s3_faults import Answer, S3Proxy
from tests.servers.scripted import ScriptedServer
from tests.servers.seaweed import SeaweedFS
from tests.stores.held import ERA, LATER, Company


def test_a_hold_is_set_kept_and_lifted(company: Company, proxy: S3Proxy) -> None:
    before, told = company.names(), []

    def agree(expenses: list[Expense]) -> None:
        assert not company.held(), "nothing is done before the requests are told"
        told.extend(expenses)

    with company.opened() as archive:
        proxy.requests.clear()
        done = hold(archive, "Smith 诉 合同", [], Silent(), agree)  # type: ignore[arg-type]
        spent = len([1 for method, path in proxy.requests if method == "HEAD" or "legal-hold" in path])
    assert (done.exit_code, [(h.name, h.era) for h in done.holds]) == (0, [("Smith 诉 合同", "all")])
    assert company.held() == company.names() > before, "the record, too"
    assert spent <= sum(expense.requests for expense in told)
    print(f"hold on {len(before)} objects: {spent} requests, {told[0].requests} told at most")
    assert company.checked().exit_code == 0
    proxy.requests.clear()
    company.night()
    assert company.held() == company.names(), "what came since was put with its hold"
    assert company.checked().exit_code == 0
    with company.opened() as archive:
        assert [found.ended for found in holds_in(archive)] == [None]
        again = hold(archive, "Smith 诉 合同", [], Silent())
        assert (again.holds, again.outcome, again.stores[0].changed) == ([], None, 0), "twice is once"
    with company.opened() as archive:
        done = release(archive, "Smith 诉 合同", Silent())
        assert done.exit_code == 0
        assert [found.ended is None for found in holds_in(archive)] == [False]
        with pytest.raises(ConfigError, match="was lifted on 20"):
            release(archive, "Smith 诉 合同", Silent())
    assert company.held() == set()
    verdict = check(
        company.stores, new_archive().machine.root, Silent(), keyring=new_archive().machine.keyring, read_data=True
    )
    assert (verdict.exit_code, verdict.messages) == (0, 12)


def test_what_another_hold_covers_stays_held(company: Company) -> None:
    with company.opened() as archive:
        hold(archive, "everything", [], Silent())
        hold(archive, "one era", ["mail-2001", ERA], Silent())
        release(archive, "everything", Silent())
    era = {name for name in company.names() if ERA in name}
    none = {name for name in company.names() if not name.startswith(("packs/", "catalog/", "keys/era/"))}
    assert company.held() == era | none, "the record of the release, too"
    with company.opened() as archive:
        release(archive, "one era", Silent())
    assert company.held() == set()


def test_a_hold_that_was_cut_goes_on(company: Company, proxy: S3Proxy) -> None:
    """The service refuses after five objects: the record stands at once, the rest is done by the same command."""
    total = len(company.names())
    with company.opened() as archive:
        proxy.faults.append(Answer("PUT", "legal-hold", times=999, status=403, code="AccessDenied"))
        cut = hold(archive, "case", [], Silent())
        assert cut.exit_code == 8
        assert "AccessDenied" in str(cut.stores[0].error)
        assert [found.name for found in holds_in(archive)] == ["case"]
        assert any("the hold case" in reason for reason in company.plan().against)
        proxy.faults.clear()
        company.s3.hold(sorted(company.names())[0], on=True)
        done = hold(archive, "case", [], Silent())
    assert (done.exit_code, done.stores[0].looked, done.stores[0].changed) == (0, total + 1, total - 1), "one by hand"
    assert company.held() == company.names()


def test_a_hold_that_cannot_be_lifted_everywhere_stands(company: Company, proxy: S3Proxy) -> None:
    with company.opened() as archive:
        hold(archive, "case", [], Silent())
        proxy.faults.append(Answer("PUT", "legal-hold", times=999, status=403, code="AccessDenied"))
        done = release(archive, "case", Silent())
        assert (done.exit_code, done.holds, done.outcome) == (8, [], None)
        assert [found.ended for found in holds_in(archive)] == [None]
        proxy.faults.clear()
        assert release(archive, "case", Silent()).exit_code == 0
    assert company.held() == set()


def test_the_record_is_understood_by_everything_else(company: Company, tmp_path: Path) -> None:
    """A night after it, a new machine, and an archive whose first commit is a hold."""
    with company.opened() as archive:
        hold(archive, "case", [], Silent())
        release(archive, "case", Silent())
        sealed = archive.catalog.sealed()[archive.machine.writer]
        assert sealed == archive.journal.head()[0] == 3, "no later run has to look for its lines"
    company.night()
    for at, store in enumerate(company.stores):
        work = tmp_path / f"machine{at}"
        settings = Settings(work / "mailark.toml", ArchiveSettings((store.url,), 1, work, None), ())
        report = recover(settings, PASSPHRASE, Silent())
        assert (report.exit_code, report.messages) == (0, 12)


def test_a_hold_may_be_the_first_commit(seaweed: SeaweedFS, tmp_path: Path) -> None:
    with ScriptedServer() as mail:
        company = Company(tmp_path, seaweed.url(seaweed.bucket()), mail)
        with company.opened() as archive:
            done = hold(archive, "case", [], Silent())
        assert (done.exit_code, done.stores) == (0, []), "a bucket without Object Lock: the record alone"
        company.night()
        verdict = company.checked()
        assert (verdict.exit_code, verdict.commits, verdict.unlocked) == (0, 2, [])


def test_holds_cannot_be_told_when_manifests_are_lost(company: Company) -> None:
    manifest = next(name for name in company.names() if name.startswith("manifests/"))
    for store in company.stores:
        store.delete(manifest)
    with company.opened() as archive, pytest.raises(StoreError, match="no store has it"):
        hold(archive, "case", [], Silent())


def test_what_lacks_its_retention_gets_it(company: Company, seaweed: SeaweedFS) -> None:
    """Stored before the URL asked for retention."""
    root = new_archive().machine.root
    assert lock(company.stores, root, Silent()) == [], "nothing is promised"
    company.stores[1] = S3Store.open(f"{company.s3.url}&retention=3y&lock=compliance")
    assert company.checked().exit_code == 8
    told: list[Expense] = []
    (done,) = lock(company.stores, root, Silent(), told.extend)
    assert (done.changed, done.error) == (len(company.names()), None)
    assert told[0].requests == 4 * len(company.names())
    assert company.checked().exit_code == 0
    (again,) = lock(company.stores, root, Silent())
    assert (again.changed, again.looked) == (0, len(company.names()))
    with pytest.raises(StoreError, match="AccessDenied"):
        company.s3.retain("keys/root.pem", Lock("COMPLIANCE", LATER))


def test_the_plan_names_exactly_what_belongs_to_the_era(company: Company) -> None:
    expected = sorted(name for name in company.names() if f"/{ERA}" in name)
    before = [sorted(stat.name for stat in store.list()) for store in company.stores]
    found = company.plan()
    assert (found.exit_code, found.against) == (0, [])
    assert [ref.name for ref in found.objects] == expected
    assert [store.objects for store in found.stores] == [len(expected)] * 2
    assert {store.size for store in found.stores} == {sum(ref.size for ref in found.objects)}
    assert [sorted(stat.name for stat in store.list()) for store in company.stores] == before
    stray = f"packs/{ERA}/zz/of-a-push-that-was-cut.age"
    company.stores[0].put_if_absent(stray, b"also of the era")
    assert stray in {ref.name for ref in company.plan().objects}
    for wrong in ("2026", "mail-1999"):
        with pytest.raises(ConfigError):
            plan(company.stores, new_archive().machine.root, wrong, Silent(), LATER)


def test_what_stands_against_it(company: Company, proxy: S3Proxy, tmp_path: Path) -> None:
    assert any("not over" in reason for reason in company.plan(datetime.now(UTC)).against)
    kept = S3Store.open(f"{company.s3.url}&retention=2y")
    assert lock([kept], new_archive().machine.root, Silent())[0].error is None
    refused = company.plan()
    assert refused.exit_code == 2
    assert refused.stores[1].locked == len(refused.objects)
    assert f"retained, the last until {int(ERA[-4:]) + 3}-01-01" in refused.against[0]
    assert company.plan(datetime(2090, 1, 1, tzinfo=UTC)).against == []
    company.s3.hold(refused.objects[0].name, on=True)
    assert "1 objects are under a legal hold" in company.plan(datetime(2090, 1, 1, tzinfo=UTC)).against[0]
    company.s3.hold(refused.objects[0].name, on=False)
    with company.opened() as archive:
        hold(archive, "case", ["mail-2001"], Silent())
        assert company.plan(datetime(2090, 1, 1, tzinfo=UTC)).stores[1].held == 0
        hold(archive, "case", [ERA], Silent())
    assert "the hold case" in company.plan(datetime(2090, 1, 1, tzinfo=UTC)).against[0]
    proxy.faults.append(Answer("HEAD", "packs", times=999, status=403, code="AccessDenied"))
    assert any("does not tell its locks" in reason for reason in company.plan().against)
    (tmp_path / "local" / "mailark-store.json").rename(tmp_path / "away")
    proxy.faults.clear()
    assert any("cannot be read" in reason for reason in company.plan().against)
