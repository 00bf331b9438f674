"""What an opposing lawyer's expert tried on exports: content that gets lost or out, and tools that can be fooled."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from exporters import files
from exporters.production import pdftext
from exporters.production.lists import Ground, Lists
from exporters.production.order import Order
from exporters.production.verify_text import verify_text
from exporters.rendition import workers
from tests.exporters.production.kit import Production, attached, mail, outgoing, part

SECRET = b"what the price really was " * 9
WHY = Ground("trade secret")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def exceptions(production: Production) -> list[tuple[str, str]]:
    path = production.volume() / "data/REPORT/exceptions.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [(row["control_number"], row["exception"]) for row in csv.DictReader(file)]


def picture(name: str, kind: str, content_id: str) -> bytes:
    encoded = base64.encodebytes(b"\xff\xd8" * 99).replace(b"\n", b"\r\n")
    head = f"Content-Type: {kind}\r\nContent-Disposition: inline; filename={name}\r\nContent-Id: <{content_id}>\r\n"
    return head.encode() + b"Content-Transfer-Encoding: base64\r\n\r\n" + encoded


@pytest.mark.parametrize(
    ("html", "kind", "document"),
    [
        ("", "image/jpeg", True),
        ("<p>see below</p>", "image/jpeg", True),
        ("<p><img src='cid:scan@phone'></p>", "image/tiff", True),
        ("<p style='background: url(cid:scan@phone)'>x</p>", "image/jpeg", True),
        ("<p><img src='cid:scan@phone'></p>", "image/jpeg", False),
        ("<p><IMG border=0 SRC = cid:Scan&#64;phone></p>", "image/jpeg", False),
    ],
)
def test_a_picture_that_no_page_shows_is_a_document(tmp_path: Path, html: str, kind: str, document: bool) -> None:
    """Apple Mail gives a scan in a plain text a Content-ID and "inline"; it was in neither PDF nor ATTACHMENTS."""
    page = [f"Content-Type: text/html\r\n\r\n{html}".encode()] if html else []
    raw = mail("scan", "see below", [*page, picture("scan.jpg", kind, "scan@phone")])
    made = Production(tmp_path, [outgoing(raw)])
    made.run()
    assert [record["FILENAME"] for record in made.dat()[1:]] == ["scan.jpg"] * document


def test_a_copy_of_what_is_redacted_by_name_is_an_exception(tmp_path: Path) -> None:
    """The list names a file; the same bytes go out under another name in another message."""
    messages = [
        outgoing(mail("A", "x", [part("secret.txt", SECRET)])),
        outgoing(mail("B", "y", [part("b.txt", SECRET)])),
    ]
    made = Production(tmp_path, messages, Order("CASE-1", lists=Lists(redacted={"secret.txt": WHY})))
    made.run()
    first, second = (record["CONTROLNUMBER"] for record in made.dat() if record["DOCTYPE"] == "Attachment")
    assert (second, f"same content as {first}, not produced") in exceptions(made)


def test_what_a_withheld_message_had_attached_is_an_exception_elsewhere(tmp_path: Path) -> None:
    inner = mail("A", "x", [part("secret.txt", SECRET)])
    messages = [outgoing(inner), outgoing(mail("B", "y", [attached(mail("C", "z", [part("b.txt", SECRET)]))]))]
    lists = Lists(withheld={digest(inner): Ground("advice", "attorney-client")})
    made = Production(tmp_path, messages, Order("CASE-1", lists=lists))
    made.run()
    assert [text for _, text in exceptions(made) if "same content" in text] == [
        "same content as MAIL00000002, not produced"
    ]


def test_withheld_and_redacted_attachments_are_counted_as_what_they_are(tmp_path: Path) -> None:
    """The custody log said that no attachment was withheld, whatever was."""
    parts = [part("a.txt", SECRET), part("b.txt", b"b"), part("c.txt", b"c")]
    whole = mail("W", "x", [part("d.txt", b"d")])
    lists = Lists(
        withheld={digest(SECRET): Ground("advice", "attorney-client"), digest(whole): Ground("advice")},
        redacted={"b.txt": WHY},
    )
    made = Production(tmp_path, [outgoing(mail("A", "x", parts)), outgoing(whole)], Order("CASE-1", lists=lists))
    made.run()
    lines = (made.volume() / "data/REPORT/custody.jsonl").read_text("utf-8").splitlines()
    (step,) = (step for step in map(json.loads, lines) if step["action"] == "withheld and redacted")
    assert (step["withheld"], step["withheld_attachments"], step["redacted_attachments"]) == (1, 2, 1)
    with (made.volume() / "data/REPORT/withheld.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["withheld", "redacted", "withheld", "withheld"]


def test_the_bag_cannot_bring_its_own_validator(tmp_path: Path) -> None:
    """`python -m bagit` runs a bagit.py of the folder it stands in, and sha256sum does not miss a file too many."""
    made = Production(tmp_path, [outgoing(mail())])
    made.run()
    root = made.volume()
    text = (root / "VERIFY.txt").read_text("utf-8")
    (command,) = (line for line in text.splitlines() if line.startswith("python "))
    (root / "bagit.py").write_text("print('valid')\n")
    (root / "data/NATIVES/MAIL00000002.eml").write_bytes(b"planted")
    run = [sys.executable, *command.split()[1:]]
    assert subprocess.run(run, cwd=root, capture_output=True).returncode == 1
    (root / "data/NATIVES/MAIL00000002.eml").unlink()
    assert subprocess.run(run, cwd=root, capture_output=True).returncode == 0


def test_what_lies_beside_data_is_listed_for_the_eye(tmp_path: Path) -> None:
    """No command finds a file that was added there."""
    made = Production(tmp_path, [outgoing(mail())])
    made.run()
    here = {path.name for path in made.volume().iterdir()} - {"data"}
    text = (made.volume() / "VERIFY.txt").read_text("utf-8").partition("1. Every file")[0]
    assert {line.strip() for line in text.splitlines() if line.startswith("     ")} == here
    assert "run nothing" in verify_text("V", None, ()).decode()


def test_who_reads_foreign_pdf_has_no_secrets_and_can_do_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PDFium is a large parser in C++; a file in it must not get at the passphrase, the network or the disk."""
    monkeypatch.setenv("MAILARK_PASSPHRASE", "swordfish")
    (tmp_path / "pypdfium2.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    with pdftext.PdfReader() as reader:
        assert reader(b"no pdf")[1] == "PDF could not be read"
        process = reader._process
        assert process is not None
        status = Path(f"/proc/{process.pid}/status").read_text()
        # A process that cannot be dumped shows its environment to root alone.
        environment = Path(f"/proc/{process.pid}/environ").read_bytes() if os.geteuid() == 0 else b""
    assert "Seccomp:\t2" in status
    assert b"swordfish" not in environment
    assert not (tmp_path / "ran").exists()
    assert "MAILARK_PASSPHRASE" not in workers.environment()


def test_what_a_killed_export_left_goes_with_the_next(tmp_path: Path) -> None:
    """Hidden files of dead processes held whole mailboxes in plain, for ever; those of the living stay."""
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = [tmp_path / f".{dead.pid}.part", tmp_path / "sales" / f".{dead.pid}.12.part"]
    kept = [tmp_path / f".{os.getpid()}.part", tmp_path / ".mine.part", tmp_path / f"x.{dead.pid}.part"]
    (tmp_path / "sales").mkdir()
    for path in (*left, *kept):
        path.write_bytes(b"mail")
    files.sweep(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)


@pytest.mark.parametrize("where", ["body", "preamble"])
def test_what_is_redacted_and_stands_in_the_message_too_does_not_go_out(tmp_path: Path, where: str) -> None:
    """The copy that the PDF embeds had the words of the attachment between its parts, or in its body."""
    raw = mail("A", SECRET.decode() if where == "body" else "x", [part("a.txt", SECRET)])
    if where == "preamble":
        raw = raw.replace(b"\r\n\r\n--", b"\r\n\r\n" + SECRET + b"\r\n--", 1)
    made = Production(tmp_path, [outgoing(raw)], Order("CASE-1", lists=Lists(redacted={"a.txt": WHY})))
    made.run()
    assert ("", "not produced: what an attachment holds stands elsewhere in the message, too") in exceptions(made)
    assert not list(made.volume().rglob("*/NATIVES/*"))
    assert not [path for path in made.volume().rglob("*") if path.is_file() and SECRET.strip() in path.read_bytes()]


def test_a_message_attached_as_a_mere_file_is_named_as_not_looked_into(tmp_path: Path) -> None:
    """An .eml of type application/octet-stream may hold the very attachment that is redacted."""
    made = Production(tmp_path, [outgoing(mail("A", "x", [part("inner.eml", mail("B", "y", [part("a", SECRET)]))]))])
    made.run()
    assert ("MAIL00000002", "container (eml) not opened") in exceptions(made)
