"""A bucket with Object Lock, as whoever runs the archive sees it: init, store, check, status, hold, purge."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.sandbox import Sandbox, company
from tests.servers import seaweed as seaweed_server
from tests.servers.dovecot import Dovecot
from tests.servers.seaweed import SeaweedFS


@pytest.fixture(scope="module")
def seaweed() -> Iterator[SeaweedFS]:
    if reason := seaweed_server.missing():
        pytest.skip(reason)
    with SeaweedFS() as server:
        yield server


@pytest.fixture
def locked(seaweed: SeaweedFS) -> str:
    """The URL of a place in a bucket with Object Lock."""
    return seaweed.url(seaweed.bucket(locked=True))


@pytest.fixture
def company_of(tmp_path: Path, dovecot: Dovecot) -> Sandbox:
    return company(tmp_path, dovecot, tmp_path)


def configured(sandbox: Sandbox, *stores: str) -> None:
    names = ", ".join(f'"{store}"' for store in stores)
    sandbox.write_config(archive=f'stores = [{names}]\nwork = "work"\npassphrase_file = "passphrase"\n')


def archived(sandbox: Sandbox, *stores: str) -> str:
    """What `init` said."""
    configured(sandbox, *stores)
    done = sandbox.run("init", "--generate-passphrase")
    assert done.code == 0, done
    assert sandbox.run("backup").code == 0
    return done.err


def test_init_refuses_retention_that_the_bucket_cannot_give(company_of: Sandbox, seaweed: SeaweedFS) -> None:
    configured(company_of, "first", seaweed.url(seaweed.bucket(), "&retention=10y"))
    done = company_of.run("init", "--generate-passphrase")
    assert done.code == 8
    assert [line for line in done.err.splitlines() if line.startswith("error: ")] == [
        line for line in done.err.splitlines() if "retention is wanted, and the bucket has no Object Lock" in line
    ]


@pytest.mark.slow
def test_what_a_bucket_does_is_told_everywhere(company_of: Sandbox, seaweed: SeaweedFS, locked: str) -> None:
    wanted = f"{locked}&retention=10y"
    plain = seaweed.url(seaweed.bucket())
    told = archived(company_of, "first", wanted)
    told_of = (
        "versioned, Object Lock, no default retention; each object governance until 10 years after the end of its era"
    )
    assert f"store {wanted}: {told_of}" in told
    listed = company_of.run("store", "list", "--json").json["stores"]
    assert [store["protection"] for store in listed] == [None, told_of]
    assert company_of.run("status", "--json").json["stores"][1]["protection"] is None, "not looked at yet"
    done = company_of.run("check", "--yes", "--json")
    assert (done.code, done.json["unlocked"]) == (0, [])
    assert done.json["stores"][1]["locks"] > 10
    status = company_of.run("status")
    assert f"{wanted}: {told_of}; {done.json['stores'][1]['locks']} locks seen, 0 not as promised" in status.out
    added = company_of.run("store", "add", plain, "--yes")
    assert added.code == 0, added
    assert f"warning: {plain}: what is deleted there is gone for good" in added.err
    provider = company_of.run("check", "--level", "provider")
    assert provider.code == 0, provider
    assert "Told by the provider" in provider.out
    assert f"{company_of.home}/first: its provider told no SHA-256 of" in provider.out
    assert f"{plain}: its provider" not in provider.out


@pytest.mark.slow
def test_objects_without_the_promised_lock_are_named_and_mended(company_of: Sandbox, locked: str) -> None:
    archived(company_of, "first", locked)
    configured(company_of, "first", f"{locked}&retention=3y")
    assert all(store["lacks"] == 0 for store in company_of.run("status", "--json").json["stores"]), "it is the same"
    done = company_of.run("check", "--yes")
    assert done.code == 8
    assert "not retained" in done.err
    assert "NOT sound (exit code 8)" in done.last
    assert "try: mailark store lock" in done.last
    assert "0 faults" in done.last
    dry = company_of.run("store", "lock", "--dry-run", "--json")
    assert (dry.code, dry.json["expenses"][0]["requests"] > 40) == (0, True)
    assert company_of.run("store", "lock", "first").last == "complete: no store promises a lock"
    mended = company_of.run("store", "lock", locked)
    assert mended.code == 0, mended
    assert mended.last.startswith("complete: locks of ")
    assert company_of.run("check", "--yes").code == 0
    assert company_of.run("check", "--store", locked, "--level", "names").code == 0


@pytest.mark.slow
def test_a_hold_from_add_to_release(company_of: Sandbox, locked: str) -> None:
    archived(company_of, "first", locked)
    dry = company_of.run("hold", "add", "采购 case", "--dry-run")
    assert (dry.code, dry.last.split(":")[0]) == (0, "dry run")
    assert company_of.run("hold", "list", "--json").json["holds"] == []
    added = company_of.run("hold", "add", "采购 case", "--json")
    assert (added.code, added.json["recorded"]) == (0, True), added
    assert added.json["stores"][0]["changed"] == added.json["stores"][0]["looked"] - 1 > 10, "the record has it already"
    assert "requests" in added.err.splitlines()[0], "told before"
    assert company_of.run("hold", "add", "采购 case").last.startswith("complete: the hold stood already, locks of 0 of")
    listed = company_of.run("hold", "list")
    assert "采购 case  all" in listed.out
    assert listed.last == "1 hold stands"
    assert company_of.run("check", "--yes").code == 0
    assert company_of.run("backup").code == 0
    assert company_of.run("hold", "release", "采购 case").code == 2, "it wants --yes"
    assert company_of.run("hold", "release", "another", "--yes").code == 2
    done = company_of.run("hold", "release", "采购 case", "--yes")
    assert done.code == 0, done
    assert company_of.run("hold", "list").last == "0 holds stand"
    for wrong in (["hold", "add", " "], ["hold", "add", "x", "--era", "2026"], ["hold", "add"]):
        assert company_of.run(*wrong).code == 2
    assert company_of.run("check", "--read-data", "--yes").code == 0


@pytest.mark.slow
def test_a_purge_is_planned_and_nothing_else(company_of: Sandbox, locked: str) -> None:
    archived(company_of, "first", locked)
    era = next((company_of.home / "first" / "packs").iterdir()).name
    files = sorted((company_of.home / "first").rglob("*"))
    for arguments in (
        ["purge", era],
        ["purge", era, "--yes"],
        ["purge", "--plan", "nonsense"],
        ["purge", "--plan", "mail-1999"],
    ):
        assert company_of.run(*arguments).code == 2, arguments
    shutil.move(company_of.home / "passphrase", company_of.home / "away")
    done = company_of.run("purge", "--plan", era)
    assert done.code == 2
    assert f"against it: {era} is not over" in done.err
    assert "nothing was destroyed" in done.last
    plan = company_of.run("purge", "--plan", era, "--json").json
    names = [ref["name"] for ref in plan["objects"]]
    assert names == sorted(names)
    assert all(f"/{era}" in name and name in done.out for name in names)
    assert {store["objects"] for store in plan["stores"]} == {len(names)}
    assert sorted((company_of.home / "first").rglob("*")) == files
