"""docs/compliance.md is true: its commands are run as they stand there, those of the receiver too."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path

import pytest

from archiver.cli.forms.bundle import BUNDLE
from exporters.production.record import FIELDS
from tests.cli.sandbox import WHEN, company
from tests.servers.dovecot import Dovecot

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs/compliance.md").read_text("utf-8")


def blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_commands_work_as_they_stand(tmp_path: Path, dovecot: Dovecot) -> None:
    sandbox = company(tmp_path, dovecot, tmp_path)
    dovecot.append(sandbox.users["sales"], "INBOX", _prices(), [], WHEN)
    assert sandbox.run("init", "--generate-passphrase").code == 0
    assert sandbox.run("backup").code == 0
    first, second, supplement, signing, checking = blocks()
    secret = sandbox.run("search", "--ids", "采购合同").out.split()[0]
    (tmp_path / "privileged.csv").write_text(f"sha256,reason,basis\n{secret},advice,attorney-client\n", "utf-8")
    (tmp_path / "redactions.csv").write_text("attachment,reason\nprices.xlsx,trade secret\n", "utf-8")
    (tmp_path / "signer-password").write_text("correct horse\n", "utf-8")
    (tmp_path / "signer-password").chmod(0o600)
    for block in (first, second, signing):
        _run(block, tmp_path, sandbox.environment)
    _supplement(supplement, tmp_path / "elsewhere", secret, sandbox.environment)
    for volume in ("CASE-7_VOL001", "CASE-8_VOL001", "CASE-9_VOL001"):
        folder = tmp_path / "handover" / volume
        for line in checking.strip().splitlines():
            _run(line, folder, sandbox.environment)
    with (tmp_path / "handover/CASE-8_VOL001/data/REPORT/withheld.csv").open(encoding="utf-8-sig") as file:
        withheld = [row["sha256"] for row in csv.DictReader(file)]
    assert len(withheld) == 2 and secret in withheld, "and the attachment"


def _prices() -> bytes:
    """A message with the attachment that the list of redactions names."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Anna Li <anna@example.com>", "buyer@example.org", "Prices"
    made["Date"], made["Message-ID"] = WHEN, "<prices@example.com>"
    made.set_content("Please find our prices.")
    made.add_attachment(b"PK prices", maintype="application", subtype="octet-stream", filename="prices.xlsx")
    return made.as_bytes()


def _supplement(script: str, folder: Path, message: str, environment: dict[str, str]) -> None:
    """Nothing is missing in this archive: the list is empty, so a message is put on it."""
    folder.mkdir()
    listing, order = script.split("> missing\n")
    _run(f"{listing}> missing", folder, environment)
    assert (folder / "missing").read_text().strip() == ""
    (folder / "missing").write_text(f"{message}\n")
    _run(order, folder, environment)
    assert (folder / "supplement/CASE-9-2_VOL001").is_dir()


def _run(script: str, folder: Path, environment: dict[str, str]) -> None:
    """Every line ends with 0."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env={**environment, "PATH": path},
        capture_output=True,
        timeout=180,
    )
    assert done.returncode == 0, (script, done.stdout.decode(), done.stderr.decode())


def test_every_option_is_explained() -> None:
    table = TEXT[TEXT.index("| option | meaning") : TEXT.index("`sha256` of a message")]
    assert [option.opts[0] for option in BUNDLE.options if f"`{option.opts[0]}" not in table] == []


def test_every_field_is_explained() -> None:
    table = TEXT[TEXT.index("| fields | meaning") : TEXT.index("### The custody log")]
    assert [name for name in FIELDS if f"`{name}`" not in table] == []


def test_links_lead_somewhere() -> None:
    headings = {re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-") for line in TEXT.splitlines()}
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        file, _, heading = target.partition("#")
        assert not file or (ROOT / "docs" / file).exists(), target
        assert not heading or heading in headings, target
