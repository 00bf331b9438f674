"""The documents are true: their commands are run, their configurations read, the files they name exist."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from archiver import config, errors
from archiver.catalog import query
from archiver.cli.main import COMMANDS
from tests.cli.sandbox import Sandbox, company
from tests.servers.dovecot import Dovecot

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ["README.md", "docs/operating.md", "docs/design.md"]
COMMAND_DOCUMENTS = DOCUMENTS[:2]
PLACES = {
    "/srv/mailark": "first",
    "/mnt/backup/mailark": "second",
    "/mnt/backup/third": "third",
    "/var/lib/mailark": "work",
}
KNOWN_TOOLS = {"python3", "ln", "cp", "systemctl", "/opt/mailark/bin/pip"}
"""Tools whose lines are not run: they would change the machine. Files and make targets they name must exist."""


@dataclass(frozen=True)
class Block:
    """A fenced block and the line it begins on."""

    language: str
    text: str
    line: int


def blocks(document: str) -> list[Block]:
    text = (ROOT / document).read_text("utf-8")
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(match[1], match[2], text.count("\n", 0, match.start()) + 1) for match in found]


def command_lines(document: str) -> list[str]:
    return [
        line for block in blocks(document) if block.language == "sh" for line in block.text.splitlines() if line.strip()
    ]


@pytest.fixture
def ready(tmp_path: Path, dovecot: Dovecot) -> Sandbox:
    """A company whose stores lie where the documents say, seen from the sandbox's own folder."""
    return company(tmp_path, dovecot, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("document", COMMAND_DOCUMENTS)
def test_every_command_runs_and_ends_with_0(document: str, ready: Sandbox) -> None:
    lines = [line for line in command_lines(document) if line.startswith("mailark ")]
    assert len(lines) >= 15
    for line in lines:
        if line.startswith("mailark recover"):
            shutil.rmtree(ready.home / "work")  # the machine is gone
        if "--new" in line:
            shutil.rmtree(ready.home / "second")
        done = _run(line, ready)
        assert done.returncode == 0, (line, done.stdout.decode(), done.stderr.decode())


def _run(line: str, sandbox: Sandbox) -> subprocess.CompletedProcess[bytes]:
    for place, folder in PLACES.items():
        line = line.replace(place, str(sandbox.home / folder))
    if "3f2a9c0d41be" in line:
        line = line.replace("3f2a9c0d41be", sandbox.run("search", "--ids", "采购合同").out[:12])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=sandbox.home,
        env={**sandbox.environment, "PATH": path},
        capture_output=True,
        timeout=120,
    )


@pytest.mark.parametrize("document", COMMAND_DOCUMENTS)
def test_other_commands_name_what_exists(document: str) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for line in command_lines(document):
        tool, *arguments = shlex.split(line)
        if tool == "mailark":
            continue
        if tool == "make":
            assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in arguments), line
            continue
        assert tool in KNOWN_TOOLS, line
        assert all(list(ROOT.glob(word)) for word in arguments if word.startswith("examples/")), line


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((ROOT / document).parent / target).exists(), target


def test_every_command_is_explained() -> None:
    text = (ROOT / "docs/operating.md").read_text("utf-8")
    headings = " ".join(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert [name for name in COMMANDS if not re.search(rf"\b{name}\b", headings)] == []


def test_configurations_are_read(tmp_path: Path) -> None:
    (tmp_path / "company-ca.pem").touch()
    (tmp_path / "mailark.toml").write_bytes((ROOT / "examples/mailark.toml").read_bytes())
    assert [account.name for account in config.load(tmp_path / "mailark.toml").accounts] == [
        "sales",
        "buying",
        "director",
        "office",
    ]
    found = [block for document in DOCUMENTS for block in blocks(document) if block.language == "toml"]
    assert found
    for block in found:
        (tmp_path / "mailark.toml").write_text(block.text, "utf-8")
        assert config.load(tmp_path / "mailark.toml").accounts


def test_every_key_of_the_configuration_is_explained() -> None:
    text = (ROOT / "docs/operating.md").read_text("utf-8")
    source = (ROOT / "archiver/config.py").read_text("utf-8")
    keys = set(re.findall(r'(?:text|number|strings|choice)\("(\w+)"', source)) | set(
        re.findall(r'(?:_globs|_read_as)\(table, "(\w+)"', source)
    )
    assert {"stores", "copies", "work", "host", "timeout", "skip"} <= keys
    assert [key for key in sorted(keys) if f"`{key}`" not in text] == []


@pytest.mark.slow
def test_documents_of_json_have_the_documented_keys(ready: Sandbox) -> None:
    assert ready.run("init", "--generate-passphrase").code == 0
    assert ready.run("backup").code == 0
    text = (ROOT / "docs/operating.md").read_text("utf-8")
    rows = re.findall(r"^\| `mailark (.*--json.*)` \| (.*) \|$", text, re.MULTILINE)
    assert len(rows) >= 10
    for line, keys in rows:
        done = ready.run(*shlex.split(line))
        assert list(done.json) == re.findall(r"`(\w+)`", keys), line
        if line.startswith("backup"):
            told = text[text.index("A folder in `backup` has") : text.index("A message in `search`")]
            fields = re.findall(r"`(\w+)`", told.replace(" (`uid`, `reason`)", "").partition("has")[2])
            assert fields == list(done.json["accounts"][0]["folders"][0])


def test_queries_of_the_documents_are_queries() -> None:
    text = (ROOT / "docs/operating.md").read_text("utf-8")
    table = text[text.index("| write | finds |") : text.index("Newest first;")]
    examples = [
        example for row in table.strip().splitlines()[2:] for example in re.findall(r"`([^`]+)`", row.split("|")[1])
    ]
    assert len(examples) > 15
    for example in examples:
        query.parse(example + "x" if example.endswith(":") else example)


def test_exit_codes_of_the_documents_are_those_of_the_errors() -> None:
    codes = {kind.exit_code for kind in vars(errors).values() if isinstance(kind, type)}
    for document in COMMAND_DOCUMENTS:
        text = (ROOT / document).read_text("utf-8")
        told = {int(code) for code in re.findall(r"^\| (\d)\b.*\|", text[text.index("## Exit codes") :], re.MULTILINE)}
        assert told == codes | {0}, document
