"""The messages still to be fetched, in the state database: planned, left over by a run that was cut, or quarantined."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from archiver.model import Row
from archiver.state import State


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message that could not be saved yet, by name, with the reason; every run tries it again."""

    account: str
    folder: str
    epoch: int
    uid: int
    attempts: int
    reason: str


class Worklist:
    """Each call is one transaction."""

    def __init__(self, state: State) -> None:
        self._state = state

    def plan(self, folder_id: int, rows: Iterable[Row]) -> None:
        """Put messages on the worklist; one that is there already keeps its attempts and reason."""
        values = [(folder_id, r.uid, " ".join(r.flags), r.size, r.date.isoformat() if r.date else None) for r in rows]
        with self._state.transaction() as db:
            db.executemany("INSERT OR IGNORE INTO work(folder, uid, flags, size, date) VALUES(?, ?, ?, ?, ?)", values)

    def of(self, folder_id: int) -> list[Row]:
        """The messages of a folder still to be fetched, quarantined ones included, by UID."""
        rows = self._state.rows("SELECT uid, flags, size, date FROM work WHERE folder = ? ORDER BY uid", (folder_id,))
        return [
            Row(uid, tuple(flags.split()), size, datetime.fromisoformat(date) if date else None)
            for uid, flags, size, date in rows
        ]

    def drop(self, folder_id: int, uids: Iterable[int]) -> None:
        """Forget work on messages that the server no longer has."""
        with self._state.transaction() as db:
            db.executemany("DELETE FROM work WHERE folder = ? AND uid = ?", [(folder_id, uid) for uid in uids])

    def quarantine(self, folder_id: int, uid: int, reason: str) -> None:
        """Note why a message on the worklist could not be saved in this run."""
        with self._state.transaction() as db:
            db.execute(
                "UPDATE work SET attempts = attempts + 1, reason = ? WHERE folder = ? AND uid = ?",
                (reason, folder_id, uid),
            )

    def quarantined(self, account: str | None = None) -> list[Quarantined]:
        """Every message that failed by name and has not been saved since."""
        rows = self._state.rows(
            "SELECT account, name, epoch, uid, attempts, reason FROM work JOIN folder ON folder.id = work.folder "
            "WHERE reason IS NOT NULL AND (?1 IS NULL OR account = ?1) ORDER BY account, name, uid",
            (account,),
        )
        return [Quarantined(*row) for row in rows]
