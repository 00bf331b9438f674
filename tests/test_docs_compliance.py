"""docs/compliance.md is true: its commands are run as they stand there, those of the receiver too."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from archiver.cli.forms.bundle import BUNDLE
from exporters.production.record import FIELDS
from tests.cli.sandbox import company
from tests.servers.dovecot import Dovecot

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs/compliance.md").read_text("utf-8")


def blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_commands_work_as_they_stand(tmp_path: Path, dovecot: Dovecot) -> None:
    sandbox = company(tmp_path, dovecot, tmp_path)
    assert sandbox.run("init", "--generate-passphrase").code == 0
    assert sandbox.run("backup").code == 0
    first, second, signing, checking = blocks()
    secret = sandbox.run("search", "--ids", "采购合同").out.split()[0]
    (tmp_path / "privileged.csv").write_text(f"sha256,reason,basis\n{secret},advice,attorney-client\n", "utf-8")
    (tmp_path / "redactions.csv").write_text("attachment,reason\nprices.xlsx,trade secret\n", "utf-8")
    (tmp_path / "signer-password").write_text("correct horse\n", "utf-8")
    (tmp_path / "signer-password").chmod(0o600)
    for block in (first, second, signing):
        _run(block, tmp_path, sandbox.environment)
    for volume in ("CASE-7_VOL001", "CASE-8_VOL001", "CASE-9_VOL001"):
        folder = tmp_path / "handover" / volume
        for line in checking.strip().splitlines():
            _run(line, folder, sandbox.environment)
    with (tmp_path / "handover/CASE-8_VOL001/data/REPORT/withheld.csv").open(encoding="utf-8-sig") as file:
        assert [row["sha256"] for row in csv.DictReader(file)] == [secret]


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
