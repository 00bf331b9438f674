"""The runs of `backup` as the state remembers them, bounded in bytes: a report names every folder and every failure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

import apsw

from archiver.state import State

RUNS = 400
"""Runs that are remembered, the latest."""

WHOLE = 4 * 1024 * 1024
"""Bytes of reports that are kept whole, from the latest on; of older ones each account's exit code is left."""

IN_ALL = 16 * 1024 * 1024
"""Bytes of all reports together: with very many accounts fewer runs are remembered."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run; a killed one has no end. codes: the exit code of each account."""

    started: str
    ended: str | None
    exit_code: int | None
    codes: dict[str, int]


class RunLog:
    """Each call is one transaction."""

    def __init__(self, state: State) -> None:
        self._state = state

    def begin(self, started: datetime) -> int:
        """The number of a run that begins."""
        with self._state.transaction() as db:
            db.execute("INSERT INTO run(started) VALUES(?)", (started.isoformat(),))
            return db.last_insert_rowid()

    def end(self, run: int, ended: datetime, exit_code: int, report: str) -> None:
        """Keep a run's report, which is JSON."""
        with self._state.transaction() as db:
            values = (ended.isoformat(), exit_code, report, run)
            db.execute("UPDATE run SET ended = ?, exit_code = ?, report = ? WHERE id = ?", values)
            db.execute("DELETE FROM run WHERE id <= ?", (run - RUNS,))
            _shorten(db)
            _forget(db)

    def latest(self, limit: int = RUNS) -> list[Run]:
        """The latest runs, newest first."""
        sql = "SELECT started, ended, exit_code, report FROM run ORDER BY id DESC LIMIT ?"
        rows = self._state.rows(sql, (limit,))
        return [Run(started, ended, code, _codes(report)) for started, ended, code, report in rows]


def _beyond(db: apsw.Connection, allowed: int) -> list[tuple[int, str]]:
    """(number, report) of the runs before the latest ones, whose reports together have so many bytes."""
    return list(
        db.execute(
            "SELECT id, report FROM (SELECT id, report, sum(octet_length(report)) OVER (ORDER BY id DESC) AS size "
            "FROM run WHERE report IS NOT NULL) WHERE size > ?",
            (allowed,),
        )
    )


def _shorten(db: apsw.Connection) -> None:
    for run, report in _beyond(db, WHOLE):
        codes = [{"account": account, "exit_code": code} for account, code in _codes(report).items()]
        short = json.dumps({"accounts": codes}, ensure_ascii=False)
        if len(short) < len(report):
            db.execute("UPDATE run SET report = ? WHERE id = ?", (short, run))


def _forget(db: apsw.Connection) -> None:
    """The latest run is always known, if only by its exit code."""
    beyond = [run for run, _ in _beyond(db, IN_ALL)]
    db.executemany("UPDATE run SET report = NULL WHERE id = ?", [(run,) for run in beyond])
    db.executemany("DELETE FROM run WHERE id = ? AND id < (SELECT max(id) FROM run)", [(run,) for run in beyond])


def _codes(report: str | None) -> dict[str, int]:
    return {account["account"]: account["exit_code"] for account in json.loads(report or "{}").get("accounts", ())}
