"""export: files as they were, by query and by ids from a pipe."""

from __future__ import annotations

import csv
import hashlib
import mailbox
import subprocess

from tests.cli.sandbox import PROGRAM, Sandbox


def test_a_query_becomes_eml_files_with_the_exact_bytes(sandbox: Sandbox) -> None:
    sandbox.init()
    sandbox.run("backup")
    ids = set(sandbox.run("search", "--ids", "from:anna").out.split())
    done = sandbox.run("export", "from:anna", "--format", "eml", "--to", "out")
    assert (done.code, done.last) == (0, "complete: 6 messages written, 0 there already, 0 failed")
    assert (sandbox.home / "out").stat().st_mode & 0o777 == 0o700  # nobody else is to read the mail in it
    files = sorted((sandbox.home / "out").rglob("*.eml"))
    assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in files} == ids
    with (sandbox.home / "out" / "index.csv").open(encoding="utf-8-sig", newline="") as index:
        assert {row["id"] for row in csv.DictReader(index)} == ids
    again = sandbox.run("export", "from:anna", "--format", "eml", "--to", "out", "--json")
    assert (again.json["written"], again.json["skipped"], again.json["failed"]) == (0, 6, [])


def test_search_ids_pipe_into_export(sandbox: Sandbox) -> None:
    sandbox.init()
    sandbox.run("backup")
    line = f"{PROGRAM} search --ids 合同 | {PROGRAM} export --from - --format mbox --to boxes"
    subprocess.run(
        ["bash", "-eo", "pipefail", "-c", line], cwd=sandbox.home, env=sandbox.environment, check=True, timeout=60
    )
    boxes = sorted((sandbox.home / "boxes").rglob("*.mbox"))
    assert sum(len(mailbox.mbox(path)) for path in boxes) == 2


def test_an_unknown_id_is_named_and_the_rest_is_written(sandbox: Sandbox) -> None:
    sandbox.init()
    sandbox.run("backup")
    known = sandbox.run("search", "--ids", "采购合同").out
    done = sandbox.run("export", "--from", "-", "--format", "eml", "--to", "out", stdin=known + "0" * 64 + "\n")
    assert done.code == 3
    assert done.last == "NOT complete (exit code 3): 1 message written, 0 there already, 1 failed"
    assert f"message {'0' * 64}: the archive has no message of this id" in done.err


def test_a_damaged_message_is_7_and_the_rest_is_written(sandbox: Sandbox) -> None:
    sandbox.init()
    sandbox.run("backup")
    for store in ("first", "second"):
        for pack in (sandbox.home / store / "packs").rglob("*.age"):
            data = bytearray(pack.read_bytes())
            data[-40] ^= 1
            pack.write_bytes(bytes(data))
    done = sandbox.run("export", "from:anna", "--format", "eml", "--to", "out")
    assert done.code == 7
    assert done.last.startswith("NOT complete (exit code 7)")
    assert ".age: mailark check --read-data, then mailark repair)" in done.err
    short = sandbox.run("search", "--ids", "from:anna").out.split()[0][:16]
    shown = sandbox.run("show", short)
    assert (shown.code, shown.err.startswith("error: packs/mail-")) == (7, True)
    assert "try: mailark check --read-data, then mailark repair" in shown.err


def test_a_query_or_ids_but_not_both(sandbox: Sandbox) -> None:
    sandbox.init()
    for arguments in ([], ["x", "--from", "-"]):
        assert sandbox.run("export", *arguments, "--format", "eml", "--to", "out").code == 2
    assert sandbox.run("export", "x", "--format", "docx", "--to", "out").code == 2
    done = sandbox.run("export", "--from", "-", "--format", "eml", "--to", "out", stdin="abc\n")
    assert (done.code, "line 1 is not a full message id" in done.err) == (2, True)
    assert not (sandbox.home / "out").exists()
