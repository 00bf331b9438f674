"""`make demo` from beginning to end, as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "examples.demo", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=300, check=False)


@pytest.mark.slow
def test_demo(tmp_path: Path) -> None:
    done = run(tmp_path / "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    commands = [line.split()[2] for line in done.stdout.splitlines() if line.startswith("$ mailark ")]
    wanted = ["init", "backup", "search", "show", "export", "restore", "check", "repair"]
    assert list(dict.fromkeys(commands)) == wanted
    assert "采购合同 HD-2024-018 已签字盖章" in done.stdout
    assert "CMS Verification successful" in done.stdout
    assert "not installed here" not in done.stdout
    assert next((tmp_path / "demo" / "contracts-pdf").rglob("*草稿*.pdf")).read_bytes().startswith(b"%PDF-1.7")
    assert {"mailark.toml", "passphrase", "store-a", "store-b"} <= {path.name for path in (tmp_path / "demo").iterdir()}


def test_demo_touches_no_folder_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    done = run(tmp_path)
    assert done.returncode != 0
    assert "not the demo's" in done.stderr
    assert (tmp_path / "mine").read_text() == "precious"
