"""export --format pdf and show --pdf, as a user runs them."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pikepdf
import pypdfium2
import pytest

from tests.cli.sandbox import PROGRAM, Sandbox


@pytest.fixture
def backed_up(sandbox: Sandbox) -> Sandbox:
    sandbox.init()
    assert sandbox.run("backup").code == 0
    return sandbox


def text_of(pdf: bytes) -> str:
    with pypdfium2.PdfDocument(pdf) as document:
        return "".join(page.get_textpage().get_text_range() for page in document)


def test_a_query_becomes_pdf_files_that_hold_the_originals(backed_up: Sandbox) -> None:
    ids = set(backed_up.run("search", "--ids", "from:anna").out.split())
    done = backed_up.run("export", "from:anna", "--format", "pdf", "--to", "out", "--workers", "2")
    assert (done.code, done.last) == (0, "complete: 6 messages written, 0 there already, 0 failed; tier 1: 6")
    files = sorted((backed_up.home / "out").rglob("*.pdf"))
    for file in files:
        with pikepdf.open(file) as document:
            (name,) = document.attachments
            raw = bytes(document.attachments[name].get_file().read_bytes())
        message = name.removesuffix(".eml")
        assert raw == backed_up_raw(backed_up, message)
    with (backed_up.home / "out" / "index-pdf.csv").open(encoding="utf-8-sig", newline="") as index:
        rows = list(csv.DictReader(index))
    assert {row["id"] for row in rows} == ids
    assert {row["tier"] for row in rows} == {"1"}
    chinese = next(file for file in files if "采购合同" in file.name)
    assert "请查收附件中的采购合同" in text_of(chinese.read_bytes())
    again = backed_up.run("export", "from:anna", "--format", "pdf", "--to", "out", "--json")
    assert (again.json["written"], again.json["skipped"], again.json["tiers"]) == (0, 6, {"1": 6})
    assert (again.json["remote_images"], again.json["clipped"], again.json["exit_code"]) == (0, 0, 0)


def backed_up_raw(sandbox: Sandbox, message: str) -> bytes:
    done = subprocess.run(
        [PROGRAM, "show", message, "--raw"], cwd=sandbox.home, env=sandbox.environment, capture_output=True, check=True
    )
    return done.stdout


def test_merged_with_bookmarks(backed_up: Sandbox) -> None:
    done = backed_up.run("export", "from:anna", "--format", "pdf", "--merge", "--to", "out")
    assert (done.code, done.last) == (0, "complete: 6 messages written, 0 there already, 0 failed; tier 1: 6")
    with pikepdf.open(backed_up.home / "out" / "messages.pdf") as document, document.open_outline() as outline:
        assert len(outline.root) == 6
        assert len(document.attachments) == 6


def test_show_as_pdf(backed_up: Sandbox) -> None:
    message = backed_up.run("search", "--ids", "采购合同").out.strip()
    done = backed_up.run("show", message[:12], "--pdf", "contract.pdf")
    assert (done.code, done.out, done.last) == (0, "", "pdf: 1 page, tier 1")
    pdf = (backed_up.home / "contract.pdf").read_bytes()
    assert "采购合同" in text_of(pdf)
    again = backed_up.run("show", message, "--pdf", "contract.pdf")
    assert (again.code, "is there already" in again.err) == (2, True)
    piped = subprocess.run(
        [PROGRAM, "show", message, "--pdf", "-"],
        cwd=backed_up.home,
        env=backed_up.environment,
        capture_output=True,
        check=True,
    )
    assert piped.stdout == pdf
    assert backed_up.run("show", message, "--pdf", "x", "--raw").code == 2
    assert backed_up.run("show", message, "--pdf", "no/such/x.pdf").code == 0
    assert backed_up.run("show", message, "--pdf", "contract.pdf/x").code == 2


def test_no_mail_in_clear_in_the_work_folder(backed_up: Sandbox) -> None:
    backed_up.run("export", "from:anna", "--format", "pdf", "--to", "out")
    kept = (backed_up.home / "work" / "renditions.db").read_bytes()
    assert len(kept) > 50_000
    assert b"%PDF" not in kept
    assert b"anna" not in kept
    assert (backed_up.home / "work" / "renditions.db").stat().st_mode & 0o077 == 0


def test_options_belong_to_their_form(backed_up: Sandbox) -> None:
    done = backed_up.run("export", "x", "--format", "eml", "--merge", "--to", "out")
    assert (done.code, "--merge goes with --format pdf, not with eml" in done.err) == (2, True)
    assert not (backed_up.home / "out").exists()
    shown = backed_up.run("export", "--help").out
    assert shown.index("Options of --format pdf") < shown.index("--merge")
    assert backed_up.run("export", "x", "--format", "pdf", "--workers", "0", "--to", "out").code == 2


def test_what_is_missing_is_named_with_its_command(backed_up: Sandbox, tmp_path: Path) -> None:
    """A Python that finds no WeasyPrint, and a fontconfig that finds no fonts."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.machinery as m\nfind = m.PathFinder.find_spec\n"
        "m.PathFinder.find_spec = lambda name, *rest: None if name == 'weasyprint' else find(name, *rest)\n"
    )
    done = backed_up.run("export", "x", "--format", "pdf", "--to", "out", PYTHONPATH=os.fspath(hidden))
    assert (done.code, "pip install 'mailark[pdf]'" in done.err) == (2, True)
    assert not (backed_up.home / "out").exists()


def test_remote_images_are_told(backed_up: Sandbox) -> None:
    html = "From: shop@example.com\r\nSubject: Sale\r\nContent-Type: text/html\r\n\r\n"
    html += "<p>Hello</p><img src='https://shop.example/a.png' width=300 height=200>"
    backed_up.server.append(backed_up.users["sales"], "INBOX", html.encode())
    backed_up.run("backup")
    done = backed_up.run("export", "subject:sale", "--format", "pdf", "--to", "out")
    end = "0 failed; tier 1: 1, remote images not shown in 1 message"
    assert done.last == f"complete: 1 message written, 0 there already, {end}"


def test_interrupted_and_run_again(backed_up: Sandbox) -> None:
    """Ctrl-C while pages are made: nothing is half written, and no process is left behind."""
    program = subprocess.Popen(
        [PROGRAM, "export", "from:anna", "--format", "pdf", "--to", "out"],
        cwd=backed_up.home,
        env=backed_up.environment,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 120
    while not (servers := servers_of(program.pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert servers
    program.send_signal(signal.SIGINT)
    _, told = program.communicate(timeout=120)
    assert (program.returncode, b"interrupted" in told) == (130, True)
    deadline = time.monotonic() + 20
    while left := [server for server in servers if Path(f"/proc/{server}").exists()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.01)
    assert not list((backed_up.home / "out").rglob(".*"))
    done = backed_up.run("export", "from:anna", "--format", "pdf", "--to", "out", "--json")
    assert (done.code, done.json["written"] + done.json["skipped"]) == (0, 6)


def servers_of(program: int) -> list[int]:
    """The fork servers that a process has started."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, IndexError):
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            if parent == str(program) and b"workers_server" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found
