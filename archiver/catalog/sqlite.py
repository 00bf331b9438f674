"""The catalog in one encrypted SQLite file with a contentless FTS5 index: words are found, texts are not kept."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import tzinfo
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import apsw

from archiver.catalog import lines, live, reading, schema
from archiver.catalog.intake import Intake
from archiver.catalog.interface import Hit
from archiver.catalog.live import LiveFolder
from archiver.model import CertificateEntry, Entry, MessageId, Place, Verdict
from archiver.sealed_db import MIB, open_database, translated

_SEAL = """
    INSERT INTO sealed (writer, seq) VALUES (?, ?)
    ON CONFLICT (writer) DO UPDATE SET seq = max(seq, excluded.seq)"""


class SqliteCatalog:
    """A `Catalog`. Thread-safe: one connection writes, under a lock; searches have connections of their own.

    Searches see what was sealed. Every method raises IntegrityError for a damaged file, QuotaError for a full disk,
    LockedError when another process writes for longer than the time-out.
    """

    def __init__(self, path: Path, key: bytes, writer: apsw.Connection, zone: tzinfo | None) -> None:
        self._path, self._key, self._zone = path, key, zone
        self._writer, self._intake = writer, Intake(writer)
        self._waiting: dict[str, int] = {}
        self._lock = threading.RLock()
        self._idle: list[apsw.Connection] = []

    @classmethod
    def open(cls, path: Path, key: bytes, *, zone: tzinfo | None = None) -> Self:
        """Open or create the catalog at `path` with a 32-byte key.

        zone: where the days of queries begin; None: in the time zone of this machine. A catalog that another
        version wrote comes back empty, as `sealed()` then tells.
        """
        writer = open_database(path, key, cache=16 * MIB, durable=False)
        try:
            with translated(path):
                schema.prepare(writer)
        except BaseException:
            writer.close()
            raise
        return cls(path, key, writer, zone)

    def add(self, entries: Iterable[Entry]) -> None:
        """Take lines in, inside the open batch; a line seen before changes nothing.

        An error, of `entries` too, rolls the whole open batch back: it must not be sealed then.
        """
        with self._adding():
            self._intake.take(entries)

    def add_lines(self, document: bytes) -> None:
        """Take in a document of catalog lines, as `add`. IntegrityError when it is not one."""
        self.add(lines.load(document))

    def add_ahead(self, document: bytes) -> None:
        """Take in lines of messages before their pack has a name; until `name`, no seal is carried out."""
        with self._adding():
            self._intake.take(lines.load(document), ahead=True)

    def name(self, pack: str, verdicts: Mapping[MessageId, Iterable[Verdict]]) -> None:
        """The messages that came ahead lie in this pack, which is durable; their signatures were worth this."""
        with self._lock:
            with self._adding():
                self._intake.name(pack, verdicts)
            for writer, seq in self._waiting.items():
                self._seal(writer, seq)
            self._waiting.clear()

    def seal(self, writer: str, seq: int) -> None:
        """Commit everything added since the last call together with the number of the manifest it belongs to.

        While messages wait for the name of their pack, it may never be durable: then `name` carries the seal out.
        """
        with self._lock:
            if self._intake.unnamed is not None:
                self._waiting[writer] = seq
            else:
                self._seal(writer, seq)

    def _seal(self, writer: str, seq: int) -> None:
        with self._lock, translated(self._path):
            if not self._writer.in_transaction:
                self._writer.execute("BEGIN IMMEDIATE")
            self._writer.execute(_SEAL, (writer, seq))
            self._writer.execute("COMMIT")

    def rollback(self) -> None:
        """Drop everything added since the last seal, and the seals that wait."""
        with self._lock, translated(self._path):
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            self._intake.forget()
            self._waiting.clear()

    def sealed(self) -> dict[str, int]:
        """The last manifest taken in, for each writer."""
        with self._reader() as reader:
            rows: Iterable[Any] = reader.execute("SELECT writer, seq FROM sealed")
            return dict(rows)

    def search(self, query: str, *, limit: int | None = None, sort: str = "date") -> Sequence[Hit]:
        """Messages that match, newest first (`sort`: date, -date, relevance, size). ConfigError shows a mistake."""
        with self._reader() as reader:
            return reading.search(reader, query, limit, sort, self._zone)

    def get(self, message: MessageId) -> Hit | None:
        """The message of this id, or of the only id that begins so; ConfigError if there are several."""
        with self._reader() as reader:
            return reading.get(reader, message)

    def places(self, message: MessageId) -> Sequence[Place]:
        """Every place the message is or was."""
        with self._reader() as reader:
            return reading.places(reader, message)

    def certificates(self, account: str | None = None) -> Sequence[CertificateEntry]:
        """The latest certificate of each folder, of one account or of all."""
        with self._reader() as reader:
            return reading.certificates(reader, account)

    def packs(self) -> set[str]:
        """Names of the packs that hold a message the catalog knows."""
        with self._reader() as reader:
            return live.packs(reader)

    def messages(self) -> Iterator[tuple[MessageId, str]]:
        """Every message with the pack that holds it."""
        with self._reader() as reader:
            yield from live.messages(reader)

    def live_folders(self) -> Iterator[LiveFolder]:
        """The latest epoch of every folder with the places that are not gone."""
        with self._reader() as reader:
            yield from live.folders(reader)

    def forget_all(self) -> None:
        """Empty the catalog, and what was added since the last seal with it."""
        with self._lock, translated(self._path):
            self.rollback()
            self._writer.execute("BEGIN IMMEDIATE")
            schema.recreate(self._writer)
            self._writer.execute("COMMIT")
            self._writer.execute("VACUUM")

    def close(self) -> None:
        """Drop what is not sealed and close the file; nothing may be called afterwards."""
        with self._lock, translated(self._path):
            self.rollback()
            for reader in self._idle:
                reader.close()
            self._idle.clear()
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _adding(self) -> Iterator[None]:
        """The open batch; an error loses it."""
        with self._lock, translated(self._path):
            try:
                if not self._writer.in_transaction:
                    self._writer.execute("BEGIN IMMEDIATE")
                yield
            except BaseException:
                self.rollback()
                raise

    @contextmanager
    def _reader(self) -> Iterator[apsw.Connection]:
        """A connection for one search, with one picture of the catalog for all its statements."""
        with translated(self._path):
            try:
                reader = self._idle.pop()
            except IndexError:
                reader = open_database(self._path, self._key, cache=4 * MIB, durable=False)
            reader.execute("BEGIN")
            try:
                yield reader
            finally:
                reader.execute("ROLLBACK")
                self._idle.append(reader)
