"""What goes wrong at a user's: each time one clear line, the right exit code, and nothing lost afterwards."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archiver.vault.keys import era_of
from tests.cli.sandbox import PROGRAM, WHEN, Done, Sandbox, message
from tests.servers.programs import closed_port


def assert_clear(done: Done, code: int, *parts: str) -> None:
    """The exit code, all the parts told, and no sign of a defect."""
    told = done.out + done.err
    assert done.code == code, done
    assert [part for part in parts if part not in told] == [], done
    assert "Traceback" not in told
    assert "unexpected" not in told


def assert_next_run_completes(sandbox: Sandbox) -> None:
    """Whatever happened, the next good run ends complete, and every byte can be read from every store."""
    done = sandbox.run("backup")
    assert done.code == 0, done
    assert "7 on the server, 7 archived, 0 failed" in done.last
    checked = sandbox.run("check", "--read-data")
    assert checked.code == 0, checked
    assert sandbox.run("search", "--limit", "0", "from:anna").last == "6 messages"


def test_a_wrong_password_is_4_and_the_other_account_is_archived(sandbox: Sandbox) -> None:
    sandbox.init()
    sandbox.write_config(sales='password_env = "WRONG"')
    done = sandbox.run("backup", WRONG="no")
    assert_clear(done, 4, "sales: ", "NOT complete (exit code 4)")
    assert sandbox.run("search", "purchase").last == "2 messages"
    assert sandbox.run("status", "--json").json["last_complete"] is None
    sandbox.write_config()
    assert_next_run_completes(sandbox)


def test_a_closed_port_is_5(sandbox: Sandbox) -> None:
    sandbox.init()
    with closed_port() as port:
        sandbox.write_config(sales=f"port = {port}")
        assert_clear(sandbox.run("backup"), 5, "sales: ", "NOT complete (exit code 5)")
    sandbox.write_config()
    assert_next_run_completes(sandbox)


def test_a_wrong_passphrase_is_4_and_nothing_is_touched(sandbox: Sandbox) -> None:
    sandbox.init()
    passphrase = (sandbox.home / "passphrase").read_text()
    (sandbox.home / "passphrase").write_text("not the right passphrase\n")
    before = sorted((path, path.stat().st_mtime_ns) for path in sandbox.home.rglob("*") if path.is_file())
    for arguments in (["backup"], ["status"], ["search", "x"], ["check"], ["reindex"]):
        assert_clear(sandbox.run(*arguments), 4, "passphrase", "compare it with the recovery sheet")
    after = sorted((path, path.stat().st_mtime_ns) for path in sandbox.home.rglob("*") if path.is_file())
    assert [path for path, _ in set(before) ^ set(after) if path.name != "lock"] == []
    (sandbox.home / "passphrase").write_text(passphrase)
    assert_next_run_completes(sandbox)


def test_a_mistyped_generated_passphrase_is_recognised(sandbox: Sandbox) -> None:
    sandbox.init()
    passphrase = (sandbox.home / "passphrase").read_text()
    (sandbox.home / "passphrase").write_text(("0" if passphrase[0] != "0" else "1") + passphrase[1:])
    assert_clear(sandbox.run("backup"), 4, "it has a typing error")


def test_a_passphrase_is_not_asked_for_where_nobody_can_answer(sandbox: Sandbox) -> None:
    sandbox.init()
    sandbox.write_config(archive='stores = ["first", "second"]\nwork = "work"\n')
    assert_clear(sandbox.run("backup"), 2, "no terminal to ask at", "passphrase_command")


def test_before_init_every_command_says_what_to_do(sandbox: Sandbox) -> None:
    (sandbox.home / "passphrase").write_text("whatever it may be\n")
    (sandbox.home / "passphrase").chmod(0o600)
    for arguments in (["backup"], ["status"], ["search", "x"], ["check"], ["reindex"], ["show", "0123456789ab"]):
        assert_clear(sandbox.run(*arguments), 2, "there is no archive in", "mailark init")


def test_another_run_is_9(sandbox: Sandbox) -> None:
    sandbox.init()
    with (sandbox.home / "work" / "lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for arguments in (["backup"], ["check"], ["repair"], ["reindex"]):
            assert_clear(sandbox.run(*arguments), 9, "another run is using")
        assert sandbox.run("status").code == 0
        assert sandbox.run("search", "x").code == 0
    assert_next_run_completes(sandbox)


def test_a_store_that_is_gone_is_8_and_is_brought_up_to_date_later(sandbox: Sandbox) -> None:
    sandbox.init()
    (sandbox.home / "second").rename(sandbox.home / "unplugged")
    assert_clear(
        sandbox.run("backup"), 8, f"store {sandbox.home / 'second'} lacks 1 commit", "NOT complete (exit code 8)"
    )
    assert not (sandbox.home / "second").exists(), "an unmounted disk's place must not be written to"
    lacks = {store["url"]: store["lacks"] for store in sandbox.run("status", "--json").json["stores"]}
    assert sorted(lacks.values()) == [0, 1]
    (sandbox.home / "unplugged").rename(sandbox.home / "second")
    assert_next_run_completes(sandbox)


@pytest.mark.parametrize("there", [True, False], ids=["an empty folder in its place", "nothing in its place"])
def test_a_store_that_is_away_is_8_in_a_night_without_new_mail_too(sandbox: Sandbox, there: bool) -> None:
    sandbox.init()
    assert sandbox.run("backup").code == 0
    store, away = sandbox.home / "second", sandbox.home / "away"
    store.rename(away)
    if there:
        store.mkdir()
    done = sandbox.run("backup")
    assert_clear(done, 8, "second is not a store", "repair --new")
    assert "NOT complete (exit code 8)" in done.out + done.err
    shutil.rmtree(store, ignore_errors=True)
    away.rename(store)
    assert_next_run_completes(sandbox)


def test_a_store_that_cannot_be_written_is_8(sandbox: Sandbox) -> None:
    sandbox.init()
    in_the_way = sandbox.home / "second" / "packs" / era_of(datetime.now(UTC))
    in_the_way.parent.mkdir()
    in_the_way.write_text("a file where a folder must be")
    assert_clear(sandbox.run("backup"), 8, "lacks 1 commit", "NOT complete (exit code 8)")
    in_the_way.unlink()
    assert_next_run_completes(sandbox)


def test_one_copy_wanted_and_one_store_lost_still_is_8(sandbox: Sandbox) -> None:
    sandbox.write_config(
        archive='stores = ["first", "second"]\ncopies = 1\nwork = "work"\npassphrase_file = "passphrase"\n'
    )
    sandbox.init()
    (sandbox.home / "second").rename(sandbox.home / "unplugged")
    assert_clear(sandbox.run("backup"), 8, "lacks 1 commit")
    (sandbox.home / "unplugged").rename(sandbox.home / "second")
    assert_next_run_completes(sandbox)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = os.geteuid() == 0 and shutil.which("mount")
    if (
        not mounted
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=False).returncode
    ):
        pytest.skip("needs the right to mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_up(sandbox: Sandbox) -> None:
    """A message that does not fit on the small disk, and does not compress."""
    noise = os.urandom(2_000_000).hex()
    lines = "\r\n".join(noise[at : at + 76] for at in range(0, len(noise), 76))
    sandbox.server.append(sandbox.users["sales"], "Big", message("big", lines), [], WHEN)


def drop_big(sandbox: Sandbox) -> None:
    sandbox.server.session(sandbox.users["sales"]).delete("Big")


@pytest.mark.parametrize("place", ["second", "work"])
def test_a_full_disk_is_6_and_loses_nothing(sandbox: Sandbox, small_disk: Path, place: str) -> None:
    names = {"second": '"second"', "work": '"work"', place: f'"{small_disk}/there"'}
    archive = f'stores = ["first", {names["second"]}]\nwork = {names["work"]}\npassphrase_file = "passphrase"\n'
    sandbox.write_config(archive=archive)
    assert sandbox.run("init", "--generate-passphrase").code == 0
    fill_up(sandbox)
    done = sandbox.run("backup")
    assert_clear(done, 6, "is full" if place == "work" else "lacks 1 commit", "(try: ")
    lines = [line for line in done.err.splitlines() if "(try: " in line]
    assert place != "second" or ["Free space on this store's disk" in line for line in lines] == [True]
    subprocess.run(["mount", "-o", "remount,size=40m", str(small_disk)], check=True)
    again = sandbox.run("backup")
    assert again.code == 0, again
    assert "8 on the server, 8 archived, 0 failed" in again.last
    assert sandbox.run("check", "--read-data").code == 0


def test_init_that_fails_leaves_nothing_that_stops_the_next(sandbox: Sandbox) -> None:
    (sandbox.home / "second").write_text("a file in the place of a store")
    assert_clear(sandbox.run("init", "--generate-passphrase"), 8, "error: ")
    assert not (sandbox.home / "passphrase").exists()
    assert not (sandbox.home / "recovery-sheet.txt").exists()
    (sandbox.home / "second").unlink()
    assert sandbox.run("init", "--generate-passphrase").code == 0
    assert_next_run_completes(sandbox)


def test_a_message_the_server_cannot_give_is_3_by_name(sandbox: Sandbox) -> None:
    sandbox.init()
    maildir = sandbox.server.maildir(sandbox.users["sales"])
    (broken, *_) = sorted((maildir / "cur").iterdir())
    broken.chmod(0)
    done = sandbox.run("backup")
    broken.chmod(0o600)
    assert_clear(done, 3, "NOT complete (exit code 3)", "sales/INBOX")
    assert_next_run_completes(sandbox)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_is_gone_on_with(sandbox: Sandbox, number: signal.Signals, code: int) -> None:
    sandbox.init()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sandbox.write_config(sales=f"port = {silent.getsockname()[1]}\ntimeout = 3")
        process = subprocess.Popen(
            [PROGRAM, "backup"], cwd=sandbox.home, env=sandbox.environment, stderr=subprocess.PIPE
        )
        silent.settimeout(60)
        with silent.accept()[0]:
            time.sleep(0.5)
            process.send_signal(number)
            begin = time.monotonic()
            _, told = process.communicate(timeout=60)
    print(f"ended {time.monotonic() - begin:.1f} s after the signal")
    assert process.returncode == code, told
    assert told.splitlines()[-1].endswith(b"nothing is lost, the same command goes on from here")
    assert b"Traceback" not in told
    sandbox.write_config()
    assert_next_run_completes(sandbox)


def test_a_damaged_object_is_7_until_it_is_repaired(sandbox: Sandbox) -> None:
    sandbox.init()
    sandbox.run("backup")
    pack = next((sandbox.home / "first" / "packs").rglob("*.age"))
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.write_bytes(bytes(data))
    assert_clear(sandbox.run("check"), 7, "NOT sound (exit code 7)", pack.name, "try: mailark repair")
    assert sandbox.run("show", sandbox.run("search", "--ids", "采购合同").out.strip()).code == 0, (
        "the other store has it"
    )
    assert_clear(sandbox.run("repair", "--dry-run"), 7, "dry run: 1 object could be healed")
    assert_clear(sandbox.run("repair"), 0, "sound: 1 object healed")
    assert_next_run_completes(sandbox)


def test_a_lost_store_is_filled_only_when_it_is_said_to_be_new(sandbox: Sandbox) -> None:
    sandbox.init()
    sandbox.run("backup")
    shutil.rmtree(sandbox.home / "second")
    assert_clear(sandbox.run("repair"), 8, "is not a store")
    assert not (sandbox.home / "second").exists()
    assert_clear(sandbox.run("repair", "--new", "elsewhere"), 2, "not a store of")
    done = sandbox.run("repair", "--new", "second", "--json")
    assert (done.code, len(done.json["healed"]) > 3, "missing" in done.err) == (0, True, False)
    assert_next_run_completes(sandbox)


def test_a_store_that_is_added_is_filled_with_what_the_others_have(sandbox: Sandbox) -> None:
    sandbox.init()
    sandbox.run("backup")
    sandbox.write_config(
        archive='stores = ["first", "second", "third"]\nwork = "work"\npassphrase_file = "passphrase"\n'
    )
    assert_clear(sandbox.run("repair", "--new", "third"), 0, "sound: ")
    shutil.rmtree(sandbox.home / "first")
    shutil.rmtree(sandbox.home / "second")
    sandbox.write_config(archive='stores = ["third"]\nwork = "work"\npassphrase_file = "passphrase"\n')
    assert_next_run_completes(sandbox)


def test_one_store_and_the_passphrase_bring_everything_back(sandbox: Sandbox) -> None:
    sandbox.init()
    sandbox.run("backup")
    for name in ("work", "second"):
        shutil.rmtree(sandbox.home / name)
    sandbox.config.unlink()
    (sandbox.home / "passphrase").rename(sandbox.home / "typed")
    done = sandbox.run("recover", "--store", "first", "--work", "work", "--passphrase-file", "typed")
    assert_clear(done, 0, "complete: 1 commit, 6 messages", "root fingerprint: ")
    fingerprint = done.out.split("root fingerprint: ")[1].splitlines()[0]
    sheet = (sandbox.home / "recovery-sheet.txt").read_text("utf-8")
    assert fingerprint in " ".join(sheet.split())
    assert sandbox.config.exists()
    (sandbox.home / "typed").rename(sandbox.home / "passphrase")
    sandbox.write_config(archive='stores = ["first"]\nwork = "work"\npassphrase_file = "passphrase"\n')
    assert_next_run_completes(sandbox)


def test_recover_says_what_is_missing(sandbox: Sandbox) -> None:
    sandbox.config.unlink()
    assert_clear(sandbox.run("recover"), 2, "no --store")
    assert_clear(sandbox.run("recover", "--store", "gopher://bucket"), 2, "kind of store")
    (sandbox.home / "typed").write_text("some passphrase\n")
    (sandbox.home / "typed").chmod(0o600)
    done = sandbox.run("recover", "--store", "nothing", "--work", "work", "--passphrase-file", "typed")
    assert_clear(done, 8, "is not a store")
    assert not sandbox.config.exists()


def test_a_keyring_without_the_extra_names_the_command(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.write_config(sales='password_keyring = "mailark"\npassword_env = ')
    text = sandbox.config.read_text("utf-8").replace("password_env = \n", "", 1)
    sandbox.config.write_text(text, "utf-8")
    hidden = tmp_path / "hide" / "keyring"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('not installed')\n")
    done = sandbox.run("account", "test", "sales", PYTHONPATH=str(hidden.parent))
    assert_clear(done, 2, "needs an extra", "pip install 'mailark[keyring]'")
