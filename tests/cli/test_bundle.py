"""export --format bundle: a company's mail as numbered documents, checked with tools that are not ours."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.sandbox import WHEN, Sandbox, message
from tests.exporters.production.kit import read_dat

OPTIONS = ("--format", "bundle", "--case", "CASE-7", "--to", "out")


def _sums(root: Path) -> bool:
    lists = ("tagmanifest-sha256.txt", "manifest-sha256.txt")
    return all(
        subprocess.run(["sha256sum", "--strict", "--quiet", "-c", name], cwd=root).returncode == 0 for name in lists
    )


@pytest.mark.slow
def test_a_query_becomes_a_bundle(sandbox: Sandbox) -> None:
    sandbox.init()
    sandbox.run("backup")
    ids = set(sandbox.run("search", "--ids", "from:anna").out.split())
    words = ("export", "from:anna", *OPTIONS, "--custodian", "sales=Li, Anna", "--time-zone", "Asia/Shanghai")
    done = sandbox.run(*words, "--matter", "采购合同", "--operator", "Op")
    assert done.code == 0, done.err
    told, equation, signature, timestamp = done.last.split("; ")
    assert told == "complete: 6 messages written, 0 there already, 0 failed"
    assert equation == "7 hits = 6 exported + 0 withheld + 0 failed + 1 duplicates"
    assert timestamp == "not timestamped"
    root = sandbox.home / "out/CASE-7_VOL001"
    assert _sums(root)
    assert subprocess.run([sys.executable, "-m", "bagit", "--validate", root], capture_output=True).returncode == 0
    records = read_dat((root / "data/DATA/VOL001.dat").read_bytes())
    assert {record["SHA256HASH"] for record in records} == ids
    assert {record["TZ"] for record in records} == {"Asia/Shanghai"}
    shared = next(record for record in records if record["SUBJECT"].startswith("Invoice"))
    assert sorted(shared["ALLCUSTODIANS"].split("; ")) == ["Li, Anna", "buying"]
    assert {record["RETENTIONCLASS"][:5] for record in records} == {"mail-"}
    query = json.loads((root / "data/REPORT/query.json").read_bytes())
    assert (query["query"], query["hits"], query["messages"], query["archive"]["holds"]) == ("from:anna", 7, 6, "none")
    assert query["archive_as_of"]
    report = subprocess.run(["pdftotext", root / "data/REPORT/export-report.pdf", "-"], capture_output=True, text=True)
    assert equation in " ".join(report.stdout.split())
    assert "not timestamped" in report.stdout and "采购合同" in report.stdout
    again = sandbox.run(*words, "--matter", "采购合同", "--operator", "Op", "--json")
    assert (again.code, again.json["written"], again.json["skipped"]) == (0, 0, 6)
    assert again.json["signature"] == signature, "the archive's own signer is kept"
    assert (again.json["reconciliation"], again.json["timestamp"]) == (equation, timestamp)


@pytest.mark.slow
def test_withheld_held_and_without_pages(sandbox: Sandbox) -> None:
    sandbox.init()
    sandbox.run("backup")
    assert sandbox.run("hold", "add", "case seven").code == 0
    secret = sandbox.run("search", "--ids", "采购合同").out.strip()
    (sandbox.home / "privileged.csv").write_text(f"sha256,reason,basis\n{secret},advice,attorney-client\n", "utf-8")
    done = sandbox.run("export", "from:anna", *OPTIONS, "--withhold", "privileged.csv", "--no-pdf")
    assert done.code == 0, done.err
    root = sandbox.home / "out/CASE-7_VOL001/data"
    records = read_dat((root / "DATA/VOL001.dat").read_bytes())
    assert [record["CONTROLNUMBER"] for record in records if record["PRIVILEGE"]] != []
    assert {record["LEGALHOLD"] for record in records} == {"Y"}
    reports = [path.read_bytes() for path in root.rglob("*") if path.suffix in (".json", ".jsonl", ".dat", ".csv")]
    assert not any(b"case seven" in report for report in reports), "the receiver must not learn of other matters"
    assert len(list((root / "NATIVES").iterdir())) == 5 and len(list((root / "PDF").iterdir())) == 1


@pytest.mark.slow
def test_what_the_archive_cannot_give_is_told_with_the_reason_and_the_sum_holds(sandbox: Sandbox) -> None:
    """One message lies in a pack whose every copy is damaged, another in one that every store has lost."""
    sandbox.init()
    sandbox.run("backup")
    ids = []
    for subject in ("damaged", "lost"):
        before = {path.name for path in (sandbox.home / "first/packs").rglob("*.age")}
        ids.append(_archived(sandbox, subject))
        (pack,) = {path.name for path in (sandbox.home / "first/packs").rglob("*.age")} - before
        for path in [path for store in ("first", "second") for path in (sandbox.home / store).rglob(pack)]:
            data = path.read_bytes()
            path.write_bytes(data[:-40] + bytes([data[-40] ^ 1]) + data[-39:])
            if subject == "lost":
                path.unlink()
    done = sandbox.run("export", "from:anna", *OPTIONS, "--no-pdf")
    assert done.code == 7, done
    equation = "9 hits = 6 exported + 0 withheld + 2 failed + 1 duplicates"
    assert equation in done.last and "6 messages written, 0 there already, 2 failed" in done.last
    root = sandbox.home / "out/CASE-7_VOL001"
    with (root / "data/REPORT/exceptions.csv").open(encoding="utf-8-sig", newline="") as file:
        told = {row["message_sha256"]: row["exception"] for row in csv.DictReader(file)}
    assert told == {
        ids[0]: "not produced: it is damaged in the archive",
        ids[1]: "not produced: no store of the archive gave it",
    }
    steps = [json.loads(line) for line in (root / "data/REPORT/custody.jsonl").read_text("utf-8").splitlines()]
    (read,) = (step for step in steps if step["action"] == "read and hashed anew")
    assert (read["equal_to_the_hash_at_ingest"], read["failed"]) == (6, 2)
    assert _sums(root) and equation in (root / "bag-info.txt").read_text("utf-8")
    again = sandbox.run("export", "from:anna", *OPTIONS, "--no-pdf", "--json")
    assert again.code != 0 and (again.json["written"], again.json["skipped"], len(again.json["failed"])) == (0, 6, 2)


@pytest.mark.slow
def test_messages_that_repair_brought_back_are_named_and_ordered_anew(sandbox: Sandbox) -> None:
    """The signed bundle stays as it is: the same command says what to do, and with what number to go on."""
    sandbox.init()
    sandbox.run("backup")
    before = {path.name for path in (sandbox.home / "first/packs").rglob("*.age")}
    lost = _archived(sandbox, "lost")
    (pack,) = {path.name for path in (sandbox.home / "first/packs").rglob("*.age")} - before
    copies = [path for store in ("first", "second") for path in (sandbox.home / store).rglob(pack)]
    saved = [(path, path.read_bytes()) for path in copies]
    for path in copies:
        path.unlink()
    assert sandbox.run("export", "from:anna", *OPTIONS, "--no-pdf").code != 0
    root = sandbox.home / "out/CASE-7_VOL001"
    bundle = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    path, data = saved[0]
    path.write_bytes(data)
    assert sandbox.run("repair").code == 0
    again = sandbox.run("export", "from:anna", *OPTIONS, "--no-pdf", "--json")
    assert again.code == 3 and (again.json["available_now"], again.json["written"]) == ([lost], 0)
    (failed,) = again.json["failed"]
    assert failed["reason"].endswith("it can be had now")
    told = sandbox.run("export", "from:anna", *OPTIONS, "--no-pdf").last
    number = again.json["next_number"]
    assert f"order them anew into another folder, --bates-start {number}" in told
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == bundle
    order = ("--format", "bundle", "--case", "CASE-7S", "--to", "supplement", "--no-pdf", "--from", "-")
    more = sandbox.run("export", *order, "--bates-start", str(number), stdin=f"{lost}\n")
    assert more.code == 0, more.err
    records = read_dat((sandbox.home / "supplement/CASE-7S_VOL001/data/DATA/VOL001.dat").read_bytes())
    assert [(record["SHA256HASH"], record["BEGBATES"]) for record in records] == [(lost, f"MAIL{number:08d}")]


@pytest.mark.slow
def test_a_mistyped_id_of_a_privileged_message_is_told_and_no_success(sandbox: Sandbox) -> None:
    """Its message is in the bundle: nobody may take that for done."""
    sandbox.init()
    sandbox.run("backup")
    secret = sandbox.run("search", "--ids", "采购合同").out.strip()
    mistyped = f"{(int(secret[0], 16) + 1) % 16:x}{secret[1:]}"
    (sandbox.home / "privileged.csv").write_text(f"sha256,reason,basis\n{mistyped},advice,attorney-client\n", "utf-8")
    words = ("export", "from:anna", *OPTIONS, "--withhold", "privileged.csv", "--no-pdf")
    for written in (6, 0):
        done = sandbox.run(*words)
        assert done.code == 3 and f"NOT complete (exit code 3): {written} messages written" in done.last
        assert "1 entry of --withhold and --redact matches no document, see exceptions.csv" in done.last
    assert sandbox.run(*words, "--json").json["unmatched"] == [{"list": "withhold", "entry": mistyped}]


@pytest.mark.slow
def test_the_custodian_of_an_account_without_a_hit_is_told_and_that_of_none_refused(sandbox: Sandbox) -> None:
    sandbox.init()
    sandbox.run("backup")
    words = ("export", "项目", *OPTIONS, "--no-pdf", "--custodian")
    wrong = sandbox.run(*words, "sale=Zhang Wei")
    assert (wrong.code, (sandbox.home / "out").exists()) == (2, False)
    assert "--custodian sale: the archive has no such account" in wrong.err and "buying, sales" in wrong.err
    done = sandbox.run(*words, "buying=Zhang Wei")
    assert done.code == 0 and "note: --custodian buying: no message found is of this account" in done.err
    del sandbox.users["buying"]
    sandbox.write_config()
    later = sandbox.run(*words, "buying=Zhang Wei")
    assert later.code == 0, "an account that left still has its mail in the archive"


def _archived(sandbox: Sandbox, subject: str) -> str:
    """One more message by a backup of its own; its id."""
    sandbox.server.append(sandbox.users["sales"], "INBOX", message(subject, subject), [], WHEN)
    assert sandbox.run("backup").code == 0
    return sandbox.run("search", "--ids", f"subject:{subject}").out.strip()


def test_mistakes_are_2_and_write_nothing(sandbox: Sandbox) -> None:
    sandbox.init()
    (sandbox.home / "bad.csv").write_text("sha256,reason,basis\nabc,x,y\n", "utf-8")
    for words in (
        ("--format", "bundle"),
        ("--format", "bundle", "--case", "a/b"),
        ("--format", "bundle", "--case", "c", "--volume-size", "many"),
        ("--format", "bundle", "--case", "c", "--time-zone", "Mars/Olympus"),
        ("--format", "bundle", "--case", "c", "--custodian", "sales"),
        ("--format", "bundle", "--case", "c", "--withhold", "bad.csv"),
        ("--format", "bundle", "--case", "c", "--bates-prefix", "a b"),
        ("--format", "eml", "--case", "c"),
    ):
        done = sandbox.run("export", "x", "--to", "out", *words)
        assert done.code == 2, (words, done.err)
    assert not (sandbox.home / "out").exists()
