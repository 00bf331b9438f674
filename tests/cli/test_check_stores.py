"""`check` with and without the passphrase, one store alone, within a budget; what `status` then tells."""

from __future__ import annotations

import shutil

import pytest

from archiver.cli.expenses import consent
from archiver.errors import ConfigError
from archiver.vault.plan import Expense
from tests.cli.sandbox import Sandbox
from tests.test_check import flip

KEYLESS = 'stores = ["first", "second"]\nwork = "work"\n'


def archived(sandbox: Sandbox) -> Sandbox:
    sandbox.init()
    assert sandbox.run("backup").code == 0
    return sandbox


def test_check_needs_no_passphrase_and_then_remembers_nothing(sandbox: Sandbox) -> None:
    archived(sandbox)
    sandbox.write_config(archive=KEYLESS)
    done = sandbox.run("check")
    assert (done.code, done.last.split(":")[0]) == (0, "sound"), done
    assert "Ever read" not in done.out
    assert sandbox.run("check", "--read-data").code == 2, "reading messages needs it"
    shutil.rmtree(sandbox.home / "work")
    assert sandbox.run("check", "--level", "names", "--json").json["stores"][0]["verified"] is None
    pack = next((sandbox.home / "second" / "packs").rglob("*.age"))
    pack.write_bytes(flip(pack.read_bytes(), 4000))
    done = sandbox.run("check", "--store", "second", "--json")
    assert (done.code, [fault["object"].split("/")[0] for fault in done.json["faults"]]) == (7, ["packs"])
    assert sandbox.run("check", "--store", "first").code == 0
    assert sandbox.run("repair").code == 0
    assert sandbox.run("check", "--store", "second").code == 0


def test_what_was_read_is_told_by_check_and_status(sandbox: Sandbox) -> None:
    archived(sandbox)
    before = sandbox.run("status", "--json").json["stores"]
    assert [(store["read"], store["verified"], store["checked"]) for store in before] == [(None, None, None)] * 2
    part = sandbox.run("check", "--budget", "25kB", "--json").json
    assert all(0 < store["verified"] < 1 and store["read_size"] <= 25_000 for store in part["stores"])
    assert all(store["oldest"] is None for store in part["stores"])
    whole = sandbox.run("check", "--store", "first")
    assert whole.code == 0
    assert "100 %" in whole.out
    first, second = sandbox.run("status", "--json").json["stores"]
    assert (first["verified"], first["faults"]) == (1.0, 0)
    assert first["oldest"] and first["read"] >= first["oldest"]
    assert second["verified"] == part["stores"][1]["verified"]
    assert "100 %" in sandbox.run("status").out


def test_a_dry_run_tells_what_would_be_read(sandbox: Sandbox) -> None:
    archived(sandbox)
    done = sandbox.run("check", "--dry-run", "--json")
    size = sandbox.run("check", "--json").json["stores"][0]["size"]
    assert (done.code, [store["egress"] for store in done.json["expenses"]]) == (0, [size, size])
    assert sandbox.run("check", "--dry-run", "--store", "first").last.startswith("dry run: ")
    assert sandbox.run("check", "--dry-run", "--level", "names").last == "dry run: 0 requests, 0 B to read"


@pytest.mark.parametrize(
    "arguments", [["--budget", "much"], ["--budget", "1GB", "--level", "names"], ["--level", "deep"], ["--store", "x"]]
)
def test_what_makes_no_sense_is_2(sandbox: Sandbox, arguments: list[str]) -> None:
    sandbox.init()
    assert sandbox.run("check", *arguments).code == 2


def test_reading_from_a_store_elsewhere_wants_consent(capsys: pytest.CaptureFixture[str]) -> None:
    here, there = Expense("file:///srv/mailark", 9, 10**9), Expense("s3://bucket/mail", 1234, 5 * 10**9)
    consent(yes=False)([here])
    assert capsys.readouterr().err == ""
    with pytest.raises(ConfigError, match=r"5\.0 GB") as caught:
        consent(yes=False)([here, there])
    assert "--yes" in caught.value.hint
    consent(yes=True)([here, there])
    consent(yes=False)([Expense("s3://bucket/mail", 1234, 0)])
    assert capsys.readouterr().err.splitlines()[-1] == "s3://bucket/mail: 1,234 requests, 0 B to read"


def test_what_a_repair_read_is_told_by_status(sandbox: Sandbox) -> None:
    archived(sandbox)
    assert sandbox.run("check", "--level", "names").code == 0
    assert [store["read"] for store in sandbox.run("status", "--json").json["stores"]] == [None, None]
    assert sandbox.run("repair").code == 0
    assert all(store["read"] for store in sandbox.run("status", "--json").json["stores"])
    (sandbox.home / "passphrase").write_text("not the right passphrase\n")
    done = sandbox.run("repair")
    assert (done.code, "what is read is not remembered" in done.err) == (0, True)
