"""kill -9 in the middle of a bundle, several times: the run that is let end gives what one run would have given."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.exporters.production.kit import Production, many

COUNT = 60
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys, time
from pathlib import Path
from tests.exporters.production.kit import Production, many
messages = many(60)
def slow():
    for message in messages[:-1]:
        time.sleep(0.02)
        yield message
    time.sleep(600)  # however late it is killed, it has not ended
Production(Path(sys.argv[1]), messages).run(slow())
"""


@pytest.mark.slow
def test_killed_three_times(tmp_path: Path) -> None:
    whole = Production(tmp_path / "whole", many(COUNT))
    whole.run()
    made = Production(tmp_path / "killed", many(COUNT))
    reached = [_killed_at(made.target, lines) for lines in (2, 3, 40)]
    report = made.run()
    assert report.written + report.skipped == COUNT and report.skipped >= 40
    assert made.contents() == whole.contents()
    print(f"killed with {reached} messages done")


def _killed_at(target: Path, lines: int) -> int:
    """Start a run, kill it once so many messages are done; how many were."""
    journal = target / ".CASE-1.unfinished.jsonl"
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, target], cwd=ROOT)
    end = time.monotonic() + 300
    while (done := journal.read_bytes().count(b"\n") - 1 if journal.exists() else 0) < lines:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return done
