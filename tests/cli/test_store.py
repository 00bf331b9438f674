"""mailark store: list, add, remove."""

from __future__ import annotations

import shutil
import subprocess

from tests.cli.sandbox import Sandbox

KEYLESS = 'stores = [\n  "first",  # the disk\n  "second", # the NAS\n]\nwork = "work"\n'


def keyless(sandbox: Sandbox, copies: int = 2) -> Sandbox:
    sandbox.init()
    assert sandbox.run("backup").code == 0
    sandbox.write_config(archive=f"{KEYLESS}copies = {copies}\n")
    return sandbox


def test_a_store_is_added_filled_and_written_into_the_configuration(sandbox: Sandbox) -> None:
    keyless(sandbox)
    before = sandbox.config.read_text("utf-8")
    dry = sandbox.run("store", "add", "third", "--dry-run")
    assert (dry.code, dry.last.split(":")[0]) == (0, "dry run")
    assert not (sandbox.home / "third").exists()
    added = sandbox.run("store", "add", "third", "--json")
    assert added.code == 0, added
    assert (added.json["configured"], added.json["lost"], added.json["there"]) == (True, 0, 0)
    assert added.json["copied"] > 10
    line = f'  "second", # the NAS\n  "{sandbox.home}/third",\n'
    assert sandbox.config.read_text("utf-8") == before.replace('  "second", # the NAS\n', line)
    same = subprocess.run(["diff", "-r", sandbox.home / "first", sandbox.home / "third"], capture_output=True)
    assert same.returncode == 0, same.stdout
    assert sandbox.run("store", "list").last == "3 stores, 0 not ready, 2 copies wanted"
    assert sandbox.run("check").code == 0
    assert sandbox.run("store", "add", "third").code == 2, "it is one already"


def test_a_store_that_was_half_filled_is_filled_up(sandbox: Sandbox) -> None:
    keyless(sandbox)
    shutil.copytree(sandbox.home / "first", sandbox.home / "third")
    shutil.rmtree(sandbox.home / "third" / "packs")
    added = sandbox.run("store", "add", "third", "--json")
    assert (added.code, added.json["there"] > 10, added.json["copied"] >= 1) == (0, True, True)


def test_an_added_store_takes_part_in_the_next_run(sandbox: Sandbox) -> None:
    sandbox.init()
    assert sandbox.run("backup").code == 0
    assert sandbox.run("store", "add", str(sandbox.home / "third")).code == 0
    sandbox.server.append(sandbox.users["sales"], "INBOX", b"Subject: new\r\n\r\nnew\r\n")
    assert sandbox.run("backup").code == 0
    assert all(store["lacks"] == 0 for store in sandbox.run("status", "--json").json["stores"])
    assert sandbox.run("store", "remove", "second").code == 0
    assert sandbox.run("check", "--read-data").code == 0
    assert sandbox.run("backup").code == 0


def test_what_cannot_be_edited_is_said(sandbox: Sandbox) -> None:
    keyless(sandbox)
    text = sandbox.config.read_text("utf-8").replace("\n", "\r\n")
    sandbox.config.write_bytes(text.encode())
    added = sandbox.run("store", "add", "third", "--json")
    assert (added.code, added.json["configured"]) == (0, False)
    stores = ", ".join(f'"{sandbox.home}/{name}"' for name in ("first", "second", "third"))
    assert f"stores = [{stores}]" in added.err


def test_a_store_is_removed_only_when_the_copies_are_kept(sandbox: Sandbox) -> None:
    keyless(sandbox)
    refused = sandbox.run("store", "remove", "second")
    assert (refused.code, "2 copies cannot be kept in 1 store" in refused.err) == (2, True)
    assert sandbox.run("store", "add", "third").code == 0
    pack = next((sandbox.home / "third" / "packs").rglob("*.age"))
    kept = pack.read_bytes()
    pack.unlink()
    refused = sandbox.run("store", "remove", "second")
    assert (refused.code, "would be in fewer than 2 stores" in refused.err) == (8, True)
    pack.write_bytes(kept)
    held = sorted((sandbox.home / "second").rglob("*"))
    removed = sandbox.run("store", "remove", "second")
    assert removed.code == 0, removed
    assert '"second"' not in sandbox.config.read_text("utf-8")
    assert '"first",  # the disk' in sandbox.config.read_text("utf-8")
    assert sorted((sandbox.home / "second").rglob("*")) == held
    assert sandbox.run("store", "remove", "second").code == 2


def test_a_store_that_is_away_is_listed_so(sandbox: Sandbox) -> None:
    keyless(sandbox)
    (sandbox.home / "second").rename(sandbox.home / "away")
    listed = sandbox.run("store", "list", "--json")
    assert listed.code == 8
    assert listed.json["copies"] == 2
    assert [store["error"] is None for store in listed.json["stores"]] == [True, False]
    assert "is not a store" in sandbox.run("store", "list").out
