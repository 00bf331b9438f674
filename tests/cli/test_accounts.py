"""account list, account test, folders: against a real Dovecot."""

from __future__ import annotations

import subprocess

import pytest

from tests.cli.sandbox import Sandbox
from tests.servers.programs import closed_port


def test_the_accounts_are_listed_without_asking_a_server(sandbox: Sandbox) -> None:
    sandbox.write_config(sales="port = 1")
    done = sandbox.run("account", "list")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[1].split()[:3] == ["sales", sandbox.users["sales"], "127.0.0.1:1"]
    assert done.last == "2 accounts"
    shown = sandbox.run("account", "list", "--json")
    assert [account["password"] for account in shown.json["accounts"]] == ["env", "env"]
    assert sandbox.server.password not in shown.out.replace("password", "")


def test_logins_are_tried_and_folders_counted(sandbox: Sandbox) -> None:
    done = sandbox.run("account", "test")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("sales: ok, 2 folders, 4 messages")
    assert done.last == "2 of 2 accounts can be read"


def test_one_account_can_be_tried_alone(sandbox: Sandbox) -> None:
    assert sandbox.run("account", "test", "buying").last == "1 of 1 account can be read"
    done = sandbox.run("account", "test", "selling")
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: no account named selling; there are: sales, buying\n"


def test_a_wrong_password_is_4_and_the_other_account_is_tried(sandbox: Sandbox) -> None:
    sandbox.write_config(sales='password_env = "WRONG"')
    done = sandbox.run("account", "test", WRONG="not it")
    assert done.code == 4
    assert done.out.splitlines()[0].startswith("sales: FAILED: ")
    assert done.out.splitlines()[1].startswith("buying: ok")
    assert "not it" not in done.out + done.err


@pytest.mark.parametrize("lines", ["port = {port}", 'host = "no-such-host.invalid"', 'ca_file = "other.pem"'])
def test_no_connection_or_a_wrong_certificate_is_5(sandbox: Sandbox, lines: str) -> None:
    (sandbox.home / "other.pem").write_bytes(_another_certificate())
    with closed_port() as port:
        sandbox.write_config(sales=lines.format(port=port))
        done = sandbox.run("account", "test", "sales")
    assert done.code == 5
    assert len(done.out.splitlines()) == 2
    assert "unexpected" not in done.out + done.err


def test_folders_are_listed_with_what_is_skipped(sandbox: Sandbox) -> None:
    sandbox.write_config(sales='skip = ["项目/*"]')
    done = sandbox.run("folders")
    assert done.code == 0
    rows = [line.split() for line in done.out.splitlines()[1:-1]]
    assert ["sales", "INBOX", "3", "yes"] in rows
    assert ["sales", "项目/合同", "1", "skipped"] in rows
    assert done.last.endswith("folders, 3 taken, 1 skipped")
    assert {row["folder"] for row in sandbox.run("folders", "--account", "buying", "--json").json["folders"]} == {
        "INBOX",
        "Sent",
    }


def test_an_account_that_cannot_be_read_does_not_hide_the_others(sandbox: Sandbox) -> None:
    sandbox.write_config(sales='password_env = "WRONG"')
    done = sandbox.run("folders", WRONG="x")
    assert done.code == 4
    assert done.err.startswith("sales: FAILED: ")
    assert done.last == "2 folders, 2 taken, 0 skipped; 1 account could not be read"


def test_a_secret_that_is_missing_is_one_line(sandbox: Sandbox) -> None:
    sandbox.write_config(sales='password_env = "MAILARK_NOT_SET"')
    done = sandbox.run("account", "test", "sales")
    assert done.code == 2
    assert (
        done.out.splitlines()[0] == "sales: FAILED: account sales: the environment variable MAILARK_NOT_SET is not set"
    )


def test_three_mistakes_are_shown_at_once_and_nothing_is_started(sandbox: Sandbox) -> None:
    sandbox.write_config(archive='stores = ["a", "a"]\ncopies = 3\nwerk = "w"\n')
    done = sandbox.run("backup")
    assert (done.code, done.out) == (2, "")
    lines = done.err.splitlines()
    assert lines[0] == f"error: {sandbox.config}: 3 mistakes"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["line 2", "line 3", "line 4"]
    assert not (sandbox.home / "work").exists()


def _another_certificate() -> bytes:
    command = [
        "openssl",
        "req",
        "-x509",
        "-days",
        "30",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]
    return subprocess.run(
        [*command, "-keyout", "/dev/null", "-subj", "/CN=other"], check=True, capture_output=True
    ).stdout
