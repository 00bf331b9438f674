"""The evidence in a bundle: a stranger with Python, openssl and the fingerprint of the recovery sheet checks it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.sandbox import Sandbox

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


def _verified(volume: Path, fingerprint: str) -> subprocess.CompletedProcess[str]:
    program = volume / "data/EVIDENCE/verify_proofs.py"
    return subprocess.run(
        [sys.executable, "-I", program, fingerprint], capture_output=True, text=True, timeout=120, cwd="/"
    )


@pytest.mark.slow
def test_a_bundle_proves_that_its_messages_were_archived(sandbox: Sandbox) -> None:
    sandbox.init()
    sandbox.run("backup")
    fingerprint = sandbox.run("reindex", "--json").json["fingerprint"]
    done = sandbox.run("export", "from:anna", "--format", "bundle", "--case", "C", "--to", "out", "--no-pdf")
    assert done.code == 0, done.err
    volume = sandbox.home / "out/C_VOL001"
    assert "python3 data/EVIDENCE/verify_proofs.py FINGERPRINT" in (volume / "VERIFY.txt").read_text("utf-8")
    natives = sorted((volume / "data/NATIVES").iterdir())
    told = _verified(volume, fingerprint)
    assert (told.returncode, told.stdout.count("proved  ")) == (0, len(natives)), told.stdout + told.stderr
    natives[0].write_bytes(natives[0].read_bytes().replace(b"anna", b"anne", 1))
    told = _verified(volume, fingerprint)
    assert told.returncode == 1
    assert f"FAILED  {natives[0].name}" in told.stdout
    assert _verified(volume, "0" * 64).returncode != 0
