"""A company's mail from `init` to `restore`, as a user would do it, against a real Dovecot."""

from __future__ import annotations

import hashlib
import json
import socket
import stat
from datetime import datetime

import pytest

from tests.cli.sandbox import PROGRAM, WHEN, Sandbox, cpu_seconds, slowness


def test_from_nothing_to_a_found_message(sandbox: Sandbox) -> None:
    made = sandbox.run("init", "--generate-passphrase")
    assert made.code == 0
    assert made.last.endswith("in 2 stores")
    dry = sandbox.run("backup", "--dry-run")
    assert (dry.code, dry.last.split(":")[0]) == (0, "dry run (exit code 0)")
    assert sandbox.run("search", "合同").last == "0 messages"

    done = sandbox.run("backup")
    assert done.code == 0
    assert done.last.startswith("complete: 2 accounts, 4 folders, 7 on the server, 7 archived, 0 failed, 7 new")
    assert {line.split(":")[0] for line in done.err.splitlines()} >= {
        "sales/INBOX",
        "sales/项目/合同",
        "buying/INBOX",
        "buying/Sent",
    }

    again = sandbox.run("backup", "--json")
    assert (again.code, again.json["exit_code"]) == (0, 0)
    assert [sum(f["new"] for f in account["folders"]) for account in again.json["accounts"]] == [0, 0]
    assert all(f["complete"] for account in again.json["accounts"] for f in account["folders"])

    found = sandbox.run("search", "采购合同")
    assert found.last == "1 message"
    short = found.out.splitlines()[1].split()[0]
    shown = sandbox.run("show", short)
    assert shown.code == 0
    assert "Subject:  采购合同" in shown.out
    assert "Place:    sales/INBOX UID 2" in shown.out
    assert "(\\Answered)" in shown.out
    assert shown.last == "请查收附件中的采购合同。"


def test_the_passphrase_and_the_sheet_are_for_the_owner_alone(sandbox: Sandbox) -> None:
    sandbox.init()
    passphrase = (sandbox.home / "passphrase").read_text().strip()
    for name in ("passphrase", "recovery-sheet.txt", "recovery-sheet.html"):
        path = sandbox.home / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert passphrase in path.read_text("utf-8")


def test_a_second_init_changes_nothing(sandbox: Sandbox) -> None:
    sandbox.init()
    before = (sandbox.home / "passphrase").read_text(), sorted((sandbox.home / "first").rglob("*"))
    for arguments in (["--generate-passphrase"], ["--sheet", "other"], ["--generate-passphrase", "--sheet", "other"]):
        done = sandbox.run("init", *arguments)
        assert (done.code, done.out) == (2, "")
    assert ((sandbox.home / "passphrase").read_text(), sorted((sandbox.home / "first").rglob("*"))) == before
    assert not (sandbox.home / "other.txt").exists()


def test_init_takes_a_passphrase_from_a_file_and_never_asks_without_a_terminal(sandbox: Sandbox) -> None:
    sandbox.write_config(archive='stores = ["first"]\nwork = "work"\n')
    done = sandbox.run("init")
    assert done.code == 2
    assert "no terminal to ask at" in done.err
    (sandbox.home / "mine").write_text("correct horse battery staple\n")
    assert sandbox.run("init", "--passphrase-file", "mine").code == 2, "readable by others"
    (sandbox.home / "mine").chmod(0o600)
    assert sandbox.run("init", "--passphrase-file", "mine", "--classic").code == 0
    assert "correct horse" not in (sandbox.home / "recovery-sheet.txt").read_text("utf-8")
    env = {"ARK": "correct horse battery staple"}
    sandbox.write_config(archive='stores = ["first"]\nwork = "work"\npassphrase_env = "ARK"\n')
    assert sandbox.run("backup", **env).code == 0


def test_one_account_or_one_folder_can_be_archived_alone(sandbox: Sandbox) -> None:
    sandbox.init()
    done = sandbox.run("backup", "--account", "sales", "--folder", "项目/*", "--json")
    assert done.code == 0
    assert [(a["account"], [f["folder"] for f in a["folders"]]) for a in done.json["accounts"]] == [
        ("sales", ["项目/合同"])
    ]
    assert sandbox.run("backup", "--account", "nobody").code == 2
    assert sandbox.run("backup").last.startswith("complete: 2 accounts, 4 folders, 7 on the server, 7 archived")


def test_json_of_search_is_stable_and_ids_pipe_on(sandbox: Sandbox) -> None:
    sandbox.init()
    sandbox.run("backup")
    found = sandbox.run("search", "--json", "invoice")
    (hit,) = found.json["messages"]
    assert list(hit) == [
        "id",
        "date",
        "from",
        "to",
        "subject",
        "message_id",
        "size",
        "pack",
        "attachments",
        "places",
        "verdicts",
    ]
    assert {(p["account"], p["folder"], *p["flags"]) for p in hit["places"]} == {
        ("sales", "INBOX", "\\Seen"),
        ("buying", "INBOX", "\\Flagged"),
    }
    assert sandbox.run("search", "--ids", "invoice").out == hit["id"] + "\n"
    raw = sandbox.run("show", hit["id"], "--raw").out.encode()
    assert (hashlib.sha256(raw).hexdigest(), len(raw)) == (hit["id"], hit["size"])
    limited = sandbox.run("search", "--limit", "1", "subject:合同 OR subject:purchase")
    assert limited.last.startswith("1 message; there are more")


def test_nothing_of_a_hostile_message_reaches_the_terminal(sandbox: Sandbox) -> None:
    sandbox.init()
    sandbox.run("backup")
    identity = sandbox.run("search", "--ids", "hostile").out.strip()
    for arguments in (
        ["search", "hostile"],
        ["show", identity],
        ["show", identity, "--headers"],
        ["show", identity, "--json"],
    ):
        done = sandbox.run(*arguments)
        assert (done.code, "\x1b" in done.out + done.err, "\x07" in done.out) == (0, False, False), arguments
    assert "\x1b]0;owned" in sandbox.run("show", identity, "--raw").out


def test_a_mistake_in_a_query_or_an_id_is_2(sandbox: Sandbox) -> None:
    sandbox.init()
    for arguments in (
        ["search", 'subject:"open'],
        ["show", "abc"],
        ["show", "0123456789ab"],
        ["show", "'; DROP TABLE"],
    ):
        done = sandbox.run(*arguments)
        assert (done.code, done.out) == (2, ""), arguments
        assert done.err.startswith("error: ")


def test_restore_appends_once_with_flags_and_dates(sandbox: Sandbox) -> None:
    sandbox.init()
    sandbox.run("backup")
    arguments = ("restore", "from:anna account:sales", "--to", "buying", "--folder", "Back/2024")
    dry = sandbox.run(*arguments, "--dry-run")
    assert (dry.code, dry.last.split(":")[0]) == (0, "dry run")
    first = sandbox.run(*arguments)
    assert first.code == 0
    assert first.last.startswith("complete: 4 messages")
    second = sandbox.run(*arguments, "--json")
    assert (second.json["appended"], second.json["already_there"]) == (0, 4)
    session = sandbox.server.session(sandbox.users["buying"])
    session.select("Back/2024", readonly=True)
    _, answer = session.search(None, "ANSWERED")
    assert len(answer[0].split()) == 1
    _, dates = session.fetch("1:*", "(INTERNALDATE)")  # Dovecot tells them in the zone of the machine
    times = {datetime.strptime(line.split(b'"')[1].decode(), "%d-%b-%Y %H:%M:%S %z") for line in dates}
    assert times == {WHEN}


def test_the_server_is_as_it_was_before(sandbox: Sandbox) -> None:
    sandbox.init()
    before = [on_server(sandbox, name) for name in ("sales", "buying")]
    assert sandbox.run("backup").code == 0
    assert sandbox.run("backup", "--full").code == 0
    assert [on_server(sandbox, name) for name in ("sales", "buying")] == before
    assert [len(messages) for messages in before] == [4, 3]


def on_server(sandbox: Sandbox, account: str) -> list[tuple[str, int, bytes]]:
    """Every message as Dovecot keeps it: file name (flags included), time, bytes."""
    maildir = sandbox.server.maildir(sandbox.users[account])
    files = [path for path in maildir.rglob("*") if path.parent.name in ("cur", "new")]
    return sorted((str(path.relative_to(maildir)), path.stat().st_mtime_ns, path.read_bytes()) for path in files)


def test_status_tells_age_and_completeness(sandbox: Sandbox) -> None:
    sandbox.init()
    assert sandbox.run("status").last == "no run yet"
    assert sandbox.run("status", "--max-age", "36").code == 3
    sandbox.run("backup")
    done = sandbox.run("status", "--max-age", "36")
    assert done.code == 0
    assert done.last.startswith("last complete run: ")
    shown = sandbox.run("status", "--json").json
    assert [(a["account"], a["on_server"], a["archived"], a["failed"]) for a in shown["accounts"]] == [
        ("sales", 4, 4, 0),
        ("buying", 3, 3, 0),
    ]
    assert [store["lacks"] for store in shown["stores"]] == [0, 0]
    assert sandbox.run("status", "--max-age", "0").code == 3


def test_search_and_status_ask_no_store(sandbox: Sandbox) -> None:
    sandbox.init()
    sandbox.run("backup")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        url = f"s3://company/mail?endpoint=http://127.0.0.1:{silent.getsockname()[1]}&region=x"
        sandbox.write_config(f'stores = ["first", "{url}"]\nwork = "work"\npassphrase_file = "passphrase"\n')
        assert sandbox.run("search", "purchase", seconds=60).last == "2 messages"
        shown = sandbox.run("status", "--json", seconds=60).json
        assert [(store["url"], store["lacks"]) for store in shown["stores"][1:]] == [(url, 1)]
        with pytest.raises(BlockingIOError):
            silent.accept()


def test_status_is_quick(sandbox: Sandbox) -> None:
    sandbox.init()
    seconds = cpu_seconds([PROGRAM, "status"], sandbox.environment)
    print(f"mailark status: {seconds * 1000:.0f} ms of CPU")
    assert seconds < 0.5 * slowness()


def test_every_json_is_json_and_the_verdict_goes_elsewhere(sandbox: Sandbox) -> None:
    sandbox.init()
    sandbox.run("backup")
    for arguments in (
        ["status"],
        ["account", "list"],
        ["account", "test"],
        ["folders"],
        ["search", "x"],
        ["backup"],
        ["reindex"],
    ):
        done = sandbox.run(*arguments, "--json")
        assert isinstance(json.loads(done.out), dict), arguments
        assert done.err.strip() or arguments == ["account", "list"], arguments
