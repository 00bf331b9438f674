"""The holds that stand, as this machine has read them: so that a nightly run need not read every manifest for them.

Each chain of manifests is read on from where it was read last, in the one store that is about to be written: no store
waits for another. What a hold's own command has seen in all stores is noted as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from archiver.errors import IntegrityError, ObjectMissingError
from archiver.state import State
from archiver.stores.interface import Store
from archiver.vault import signing
from archiver.vault.holds import KINDS, Hold, Stated, standing
from archiver.vault.manifest import Manifest, Note, verify

SCHEMA = """
CREATE TABLE IF NOT EXISTS chain(writer TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hold_line(
  writer TEXT NOT NULL, seq INTEGER NOT NULL, time TEXT NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL,
  PRIMARY KEY(writer, seq, kind, text)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class _Said:
    """The lines about holds of one manifest."""

    name: str
    time: datetime
    notes: tuple[Note, ...]


class KnownHolds:
    """What the state remembers. Thread-safe."""

    def __init__(self, state: State, root: Ed25519PublicKey) -> None:
        self._state, self._root = state, root
        with state.transaction() as db:
            db.execute(SCHEMA)

    def in_store(self, store: Store) -> list[Hold]:
        """The holds that stand, by everything known and what the store has since. Costs a listing of the writers, and
        for each of them its key, its new manifests, and one request for the next.

        Raises what the store raises, and IntegrityError for what is not signed as it must be: `check` names it.
        """
        names = [found.name for found in store.list(signing.WRITERS)]
        for writer, key in signing.verify_writers(store.get, names, self._root).items():
            self.learn(self._new(store, writer, key))
        return standing(self._said())

    def learn(self, manifests: Iterable[Manifest]) -> None:
        """Note what verified manifests say of holds, and that they were read: those of a writer in their order."""
        heads: dict[str, int] = {}
        lines = []
        for manifest in manifests:
            heads[manifest.writer] = max(manifest.seq, heads.get(manifest.writer, 0))
            when = manifest.time.isoformat()
            found = (note for note in manifest.notes if note.kind in KINDS)
            lines += [(manifest.writer, manifest.seq, when, note.kind, note.text) for note in found]
        if not heads:
            return
        with self._state.transaction() as db:
            db.executemany("INSERT OR IGNORE INTO hold_line VALUES(?, ?, ?, ?, ?)", lines)
            db.executemany(
                "INSERT INTO chain VALUES(?, ?) ON CONFLICT(writer) DO UPDATE SET seq = max(seq, excluded.seq)",
                list(heads.items()),
            )

    def _new(self, store: Store, writer: str, key: Ed25519PublicKey) -> Iterator[Manifest]:
        rows = self._state.rows("SELECT seq FROM chain WHERE writer = ?", (writer,))
        seq, archive = (rows[0][0] if rows else 0) + 1, signing.archive_id(self._root)
        while True:
            try:
                manifest = verify(store.get(f"manifests/{writer}/{seq:010d}"), key)
            except ObjectMissingError:
                return
            if (manifest.archive, manifest.writer, manifest.seq) != (archive, writer, seq):
                raise IntegrityError(f"{store.url}: manifests/{writer}/{seq:010d} is another manifest", "mailark check")
            yield manifest
            seq += 1

    def _said(self) -> list[Stated]:
        rows = self._state.rows("SELECT writer, seq, time, kind, text FROM hold_line ORDER BY writer, seq")
        return [
            _Said(f"manifests/{writer}/{seq:010d}", datetime.fromisoformat(time), (Note(kind, text, optional=True),))
            for writer, seq, time, kind, text in rows
        ]
