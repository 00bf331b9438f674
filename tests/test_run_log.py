"""The memory of runs: bounded in bytes, and what `status` needs of an old run stays."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archiver import run_log
from archiver.run_log import RunLog
from archiver.state import State

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def report(accounts: int, size: int) -> str:
    each = {"exit_code": 3, "folders": ["合" * (size // accounts)]}
    return json.dumps({"accounts": [{"account": f"a{at}", **each} for at in range(accounts)]}, ensure_ascii=False)


def kept(state: State) -> list[int]:
    return [size for (size,) in state.rows("SELECT octet_length(report) FROM run ORDER BY id DESC")]


def test_old_reports_shrink_to_their_exit_codes(tmp_path: Path) -> None:
    state = State.open(tmp_path / "state.db", bytes(32))
    log = RunLog(state)
    for _ in range(450):
        log.end(log.begin(NOW), NOW, 3, report(5, 100_000))
    runs, sizes = log.latest(1000), kept(state)
    assert len(runs) == run_log.RUNS
    assert all(run.codes == {f"a{at}": 3 for at in range(5)} and run.exit_code == 3 for run in runs)
    assert sum(size > 1000 for size in sizes) == run_log.WHOLE // len(report(5, 100_000).encode())
    print(f"{len(runs)} runs in {sum(sizes) / 1e6:.1f} MB")
    assert sum(sizes) < run_log.WHOLE + 400 * 300


def test_many_accounts_shorten_the_memory_and_the_last_run_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log, "WHOLE", 50_000)
    monkeypatch.setattr(run_log, "IN_ALL", 200_000)
    state = State.open(tmp_path / "state.db", bytes(32))
    log = RunLog(state)
    for _ in range(30):
        log.end(log.begin(NOW), NOW, 0, report(1000, 100_000))
    assert 1 < len(log.latest()) < 30
    assert all(len(run.codes) == 1000 for run in log.latest())
    assert sum(kept(state)) <= run_log.IN_ALL
    log.end(log.begin(NOW), NOW, 7, report(10_000, 100_000))
    (only,) = log.latest()
    assert (only.exit_code, only.codes) == (7, {})


def test_a_killed_run_has_no_end(tmp_path: Path) -> None:
    log = RunLog(State.open(tmp_path / "state.db", bytes(32)))
    log.begin(NOW)
    (run,) = log.latest()
    assert (run.started, run.ended, run.exit_code, run.codes) == (NOW.isoformat(), None, None, {})
