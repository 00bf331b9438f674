"""The commits of this writer, as the state keeps them: recorded before anything is sent, until all stores hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import apsw

from archiver.batches import PackRecord
from archiver.model import MessageId
from archiver.state import State
from archiver.store_names import rename_stores
from archiver.stores.table import identity
from archiver.vault.commit import Commit, Staged

SCHEMA = """
CREATE TABLE IF NOT EXISTS commits(
  seq INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, manifest BLOB, time TEXT NOT NULL,
  settled INTEGER NOT NULL DEFAULT 0, released INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS object(
  seq INTEGER NOT NULL, name TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, path TEXT NOT NULL,
  PRIMARY KEY(seq, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS confirmation(
  seq INTEGER NOT NULL, store TEXT NOT NULL, PRIMARY KEY(seq, store)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much is in the spool and in no commit yet: packs, eras that have catalog lines, bytes of both together."""

    packs: int
    eras: int
    size: int


@dataclass(frozen=True, slots=True)
class Pending:
    """What is durable in the spool and in no commit yet. The ids bound it: batches recorded meanwhile stay pending."""

    packs: tuple[PackRecord, ...]
    lines: tuple[tuple[str, int], ...]
    """(era, number of a zstd frame of catalog lines, see `CommitJournal.frame`), oldest first."""
    messages: tuple[MessageId, ...]
    """Messages that lie in these packs, sorted, each once: at the turn of a year one may lie in packs of both."""
    last_pack: int
    last_lines: int
    last_cursor: int

    def __bool__(self) -> bool:
        return bool(self.packs or self.lines)


class CommitJournal:
    """Implements `archiver.vault.commit.Journal` over the state database."""

    def __init__(self, state: State) -> None:
        self._state = state
        with state.transaction() as db:
            db.execute(SCHEMA)
            rename_stores(db, "confirmation")

    def pending(self) -> Pending:
        """Everything recorded since the last commit."""
        rows = self._state.rows
        packs = self._sealed()
        last_pack = max(packs, default=0)
        lines = rows("SELECT era, id FROM lines ORDER BY id")
        cursor = rows("SELECT coalesce(max(id), 0) FROM cursor WHERE seq IS NULL")[0][0]
        messages = rows(
            "SELECT DISTINCT message.id FROM message JOIN pack ON pack.id = message.pack "
            "WHERE pack.seq IS NULL AND pack.id <= ?",
            (last_pack,),
        )
        return Pending(
            packs=tuple(packs.values()),
            lines=tuple((era, number) for era, number in lines),
            messages=tuple(sorted(bytes(m[0]).hex() for m in messages)),
            last_pack=last_pack,
            last_lines=max((number for _, number in lines), default=0),
            last_cursor=cursor,
        )

    def sealed(self) -> tuple[PackRecord, ...]:
        """The packs that are in no commit yet, oldest first."""
        return tuple(self._sealed().values())

    def _sealed(self) -> dict[int, PackRecord]:
        rows = self._state.rows("SELECT id, name, sha256, size, path FROM pack WHERE seq IS NULL ORDER BY id")
        found = self._state.located
        return {number: PackRecord(name, sha256, size, found(path)) for number, name, sha256, size, path in rows}

    def waiting(self) -> Waiting:
        """What `pending` would give, in numbers."""
        packs, size = self._state.rows("SELECT count(*), coalesce(sum(size), 0) FROM pack WHERE seq IS NULL")[0]
        eras, lines = self._state.rows("SELECT count(DISTINCT era), coalesce(sum(length(data)), 0) FROM lines")[0]
        return Waiting(packs, eras, size + lines)

    def frame(self, number: int) -> bytes:
        """A zstd frame of catalog lines that is in no commit yet."""
        return bytes(self._state.rows("SELECT data FROM lines WHERE id = ?", (number,))[0][0])

    def head(self) -> tuple[int, str]:
        """(seq, SHA-256) of the last recorded manifest; (0, "") before the first."""
        rows = self._state.rows("SELECT seq, sha256 FROM commits ORDER BY seq DESC LIMIT 1")
        return (rows[0][0], rows[0][1]) if rows else (0, "")

    def record(self, commit: Commit, sha256: str, pending: Pending, when: datetime) -> None:
        """Bind what was pending to this commit, in one transaction, before anything is sent."""
        with self._state.transaction() as db:
            db.execute(
                "INSERT INTO commits(seq, name, sha256, manifest, time) VALUES(?, ?, ?, ?, ?)",
                (commit.seq, commit.name, sha256, commit.manifest, when.isoformat()),
            )
            db.executemany(
                "INSERT INTO object(seq, name, sha256, size, path) VALUES(?, ?, ?, ?, ?)",
                [
                    (commit.seq, o.name, o.sha256, o.size, self._state.stored(o.path) if o.path else "")
                    for o in commit.objects
                ],
            )
            db.execute("UPDATE pack SET seq = ? WHERE seq IS NULL AND id <= ?", (commit.seq, pending.last_pack))
            db.execute("UPDATE cursor SET seq = ? WHERE seq IS NULL AND id <= ?", (commit.seq, pending.last_cursor))
            db.execute("DELETE FROM lines WHERE id <= ?", (pending.last_lines,))
            _forget_older(db)

    # -- archiver.vault.commit.Journal

    def unfinished(self) -> list[Commit]:
        """Commits that some store may still lack, oldest first.

        The latest is always among them: a store that is configured later is known by lacking it.
        """
        rows = self._state.rows("SELECT seq, name, manifest FROM commits WHERE manifest IS NOT NULL ORDER BY seq")
        return [Commit(seq, name, bytes(manifest), self._objects(seq)) for seq, name, manifest in rows]

    def _objects(self, seq: int) -> tuple[Staged, ...]:
        rows = self._state.rows("SELECT name, size, sha256, path FROM object WHERE seq = ? ORDER BY name", (seq,))
        found = self._state.located
        return tuple(Staged(name, size, sha256, found(path) if path else None) for name, size, sha256, path in rows)

    def confirmations(self, seq: int) -> frozenset[str]:
        """Identities of the stores that hold this commit (see `archiver.stores.table.identity`)."""
        return frozenset(r[0] for r in self._state.rows("SELECT store FROM confirmation WHERE seq = ?", (seq,)))

    def confirm(self, seq: int, store_url: str) -> None:
        """A store holds the manifest, and so everything it names."""
        with self._state.transaction() as db:
            db.execute("INSERT OR IGNORE INTO confirmation(seq, store) VALUES(?, ?)", (seq, identity(store_url)))

    def settle(self, seq: int) -> None:
        """Enough stores hold the commit: the folder cursors it carries move."""
        with self._state.transaction() as db:
            db.execute("UPDATE commits SET settled = 1 WHERE seq = ? AND settled = 0", (seq,))
            _apply_cursors(db, "seq <= ?", (seq,))

    def move_idle_cursors(self) -> None:
        """Move cursors that no commit has to carry, for their folders' new status brought nothing to archive."""
        with self._state.transaction() as db:
            busy = list(db.execute("SELECT 1 FROM pack WHERE seq IS NULL UNION ALL SELECT 1 FROM lines LIMIT 1"))
            unsettled = list(db.execute("SELECT 1 FROM commits WHERE settled = 0 LIMIT 1"))
            if not busy and not unsettled:
                _apply_cursors(db, "1")

    def release(self, seq: int) -> None:
        """All stores hold the commit: its spool files go."""
        paths = [staged.path for staged in self._objects(seq) if staged.path is not None]
        with self._state.transaction() as db:
            db.execute("UPDATE commits SET released = 1 WHERE seq = ? AND released = 0", (seq,))
            db.execute("UPDATE object SET path = '' WHERE seq = ? AND path != ''", (seq,))
            _forget_older(db)
        for path in paths:  # a kill in between leaves files that no record speaks of: the next run sweeps them
            path.unlink(missing_ok=True)

    def files(self) -> frozenset[Path]:
        """The spool files that are still needed."""
        rows = self._state.rows(
            "SELECT path FROM pack WHERE seq IS NULL UNION SELECT path FROM object WHERE path != ''"
        )
        return frozenset(self._state.located(row[0]) for row in rows if row[0])

    # -- status

    def settled(self) -> int:
        """The last commit that enough stores hold; 0 before the first."""
        return int(self._state.rows("SELECT coalesce(max(seq), 0) FROM commits WHERE settled = 1")[0][0])

    def lacking(self, stores: Sequence[str]) -> dict[str, list[tuple[int, str]]]:
        """For each store the commits it does not hold: (seq, time recorded), oldest first."""
        rows = self._state.rows("SELECT seq, time FROM commits WHERE manifest IS NOT NULL ORDER BY seq")
        return {
            url: [(seq, time) for seq, time in rows if identity(url) not in self.confirmations(seq)] for url in stores
        }


def _forget_older(db: apsw.Connection) -> None:
    """Of released commits only the latest of all is kept, without files."""
    db.execute(
        "UPDATE commits SET manifest = NULL "
        "WHERE released = 1 AND manifest IS NOT NULL AND seq < (SELECT max(seq) FROM commits)"
    )
    db.execute("DELETE FROM object WHERE seq IN (SELECT seq FROM commits WHERE manifest IS NULL)")


def _apply_cursors(db: apsw.Connection, which: str, values: Sequence[int] = ()) -> None:
    """The last cursor recorded for a folder is the one of its latest run. `which` is a condition of this module."""
    selected = f"SELECT folder, uidvalidity, uidnext, messages, modseq FROM cursor WHERE {which} ORDER BY id"  # noqa: S608
    for folder, uidvalidity, uidnext, messages, modseq in list(db.execute(selected, values)):
        db.execute(
            "UPDATE folder SET uidnext = ?, messages = ?, modseq = ?, skipped = 0 WHERE id = ? AND uidvalidity = ?",
            (uidnext, messages, modseq, folder, uidvalidity),
        )
    db.execute(f"DELETE FROM cursor WHERE {which}", values)  # noqa: S608
