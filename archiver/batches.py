"""What becomes durable together, and what is known of it when messages come again: packs, messages, segments."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import apsw

from archiver.model import FolderStatus, MessageId
from archiver.state import State


@dataclass(frozen=True, slots=True)
class PackRecord:
    """A sealed pack in the spool: its object name, SHA-256 of the ciphertext, bytes, and where the file lies."""

    name: str
    sha256: str
    size: int
    path: Path


@dataclass(slots=True)
class Batch:
    """What becomes durable together: at most one sealed pack, and everything that rests on it."""

    era: str
    lines: list[bytes] = field(default_factory=list)
    """Catalog lines in complete zstd frames."""
    pack: PackRecord | None = None
    messages: list[MessageId] = field(default_factory=list)
    segments: list[str] = field(default_factory=list)
    places: list[tuple[int, int, MessageId, tuple[str, ...], bytes | None]] = field(default_factory=list)
    """(folder id, UID, message, flags, key by which another epoch finds it again)"""
    reflagged: list[tuple[int, int, tuple[str, ...]]] = field(default_factory=list)
    gone: list[tuple[int, int]] = field(default_factory=list)
    cursors: list[tuple[int, FolderStatus]] = field(default_factory=list)
    opened: list[int] = field(default_factory=list)
    """Folder ids whose epoch `lines` announces."""
    closed: list[int] = field(default_factory=list)
    """Folder ids whose epoch is over; `gone` has all their places."""
    swept: list[tuple[int, int]] = field(default_factory=list)
    """(folder id, where its next flag sweep goes on)"""

    def __bool__(self) -> bool:
        return bool(self.lines or self.pack or self.cursors or self.opened or self.closed or self.swept)


class Batches:
    """The durable batches of this writer, in the state database."""

    def __init__(self, state: State) -> None:
        self._state = state

    def has_message(self, era: str, message: MessageId) -> bool:
        """Whether a sealed pack of this era holds the message."""
        return bool(self._state.rows("SELECT 1 FROM message WHERE era = ? AND id = ?", (era, bytes.fromhex(message))))

    def pack_of_segment(self, era: str, name: str) -> str | None:
        """Object name of the pack of this era that holds the segment, or None."""
        rows = self._state.rows(
            "SELECT pack.name FROM segment JOIN pack ON pack.id = segment.pack WHERE era = ? AND segment.name = ?",
            (era, name),
        )
        return str(rows[0][0]) if rows else None

    def record(self, batch: Batch) -> None:
        """Make a batch durable in one transaction: from here on its bytes are this writer's to push."""
        with self._state.transaction() as db:
            if batch.pack is not None:
                _record_pack(db, batch, batch.pack, self._state.stored(batch.pack.path))
            _record_places(db, batch)
            db.executemany("INSERT INTO lines(era, data) VALUES(?, ?)", [(batch.era, frame) for frame in batch.lines])
            db.executemany(
                "INSERT INTO cursor(folder, uidvalidity, uidnext, messages, modseq) VALUES(?, ?, ?, ?, ?)",
                [(f, s.uidvalidity, s.uidnext, s.messages, s.highestmodseq) for f, s in batch.cursors],
            )


def _record_pack(db: apsw.Connection, batch: Batch, pack: PackRecord, path: str) -> None:
    db.execute(
        "INSERT INTO pack(name, sha256, size, path) VALUES(?, ?, ?, ?)", (pack.name, pack.sha256, pack.size, path)
    )
    number = db.last_insert_rowid()
    db.executemany(
        "INSERT INTO message(era, id, pack) VALUES(?, ?, ?)",
        [(batch.era, bytes.fromhex(m), number) for m in batch.messages],
    )
    db.executemany(
        "INSERT INTO segment(era, name, pack) VALUES(?, ?, ?)", [(batch.era, s, number) for s in batch.segments]
    )


def _record_places(db: apsw.Connection, batch: Batch) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO place(folder, uid, message, flags, key) VALUES(?, ?, ?, ?, ?)",
        [(f, u, bytes.fromhex(m), " ".join(flags), key) for f, u, m, flags, key in batch.places],
    )
    db.executemany("DELETE FROM work WHERE folder = ? AND uid = ?", [(f, u) for f, u, *_ in batch.places])
    db.executemany(
        "UPDATE place SET flags = ? WHERE folder = ? AND uid = ?",
        [(" ".join(flags), f, u) for f, u, flags in batch.reflagged],
    )
    db.executemany("DELETE FROM place WHERE folder = ? AND uid = ?", batch.gone)
    db.executemany("UPDATE folder SET sweep = ? WHERE id = ?", [(uid, f) for f, uid in batch.swept])
    db.executemany("UPDATE folder SET announced = 1 WHERE id = ?", [(f,) for f in batch.opened])
    db.executemany("UPDATE folder SET live = 0 WHERE id = ?", [(f,) for f in batch.closed])
    db.executemany("DELETE FROM work WHERE folder = ?", [(f,) for f in batch.closed])
