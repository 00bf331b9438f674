"""Turns fetched messages into sealed packs and catalog lines: hash, split, parse, pack; then one durable batch."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from archiver.authenticity.checker import Checker, Examination
from archiver.backup.linking import Link, key_of
from archiver.catalog import lines
from archiver.entries import entry_of
from archiver.errors import MailarkError
from archiver.model import (
    HUGE,
    Body,
    Entry,
    Fetched,
    FolderStatus,
    MessageEntry,
    MessageId,
    PlaceEntry,
    Verdict,
)
from archiver.state import Batch, FolderState, PackRecord, State
from archiver.vault import zstd
from archiver.vault.keys import Machine, era_of
from archiver.vault.pack import PackWriter
from archiver.vault.segments import Split, split

PACK_SIZE = 32 * 1024 * 1024
"""Ciphertext bytes at which a pack is closed: Drive takes about 2 files a second, S3 bills by request."""

LINES_SIZE = 64 * 1024 * 1024
"""Bytes of message text at which a batch is closed, whatever its pack's size: bounds the memory of a run."""

LARGE = 2 * 1024 * 1024
"""Bytes from which on messages are taken apart one at a time: each costs several times its size in memory meanwhile."""

LINES_LEVEL = 6
"""Zstandard level of catalog lines: 9 % smaller than at level 3, for one second of CPU in 100 MB of text."""


@dataclass(slots=True)
class _Open:
    """The batch being filled."""

    era: str
    pack: PackWriter | None = None
    messages: list[MessageId] = field(default_factory=list)
    claimed: set[MessageId] = field(default_factory=set)
    segments: set[str] = field(default_factory=set)
    entries: list[Entry] = field(default_factory=list)
    text: int = 0
    examined: dict[MessageId, Examination] = field(default_factory=dict)
    record: Batch = field(default_factory=lambda: Batch(""))


class Intake:
    """Takes messages from any number of threads; raises again in all of them what broke it in one.

    feed: called with each durable batch's catalog lines (a document of JSONL), in the order of the batches ·
    signatures: checks those of new messages; None: nobody does.
    """

    def __init__(
        self,
        machine: Machine,
        state: State,
        spool: Path,
        feed: Callable[[bytes], None],
        now: Callable[[], datetime],
        signatures: Checker | None = None,
    ) -> None:
        self._signatures = signatures
        self._machine, self._state, self._spool, self._feed, self._now = machine, state, spool, feed, now
        self._lock = threading.RLock()
        self._large = threading.Lock()
        self._broken: MailarkError | None = None
        self._counter = 0
        self._open = self._begin()

    def take(self, folder: FolderState, fetched: Fetched) -> bool:
        """Archive one message and its place; True if its bytes were new. Durable only after the next `flush`.

        Raises QuotaError for a full disk, IntegrityError when a pack does not read back as written.
        """
        message = hashlib.sha256(fetched.body).hexdigest()
        fresh = not self._holds(message)
        with self._large if len(fetched.body) >= LARGE else nullcontext():
            prepared = self._prepare(message, fetched.body) if fresh else None
            examined = self._signatures.examine(fetched.body) if fresh and self._signatures is not None else None
        with self._lock:
            self._raise_if_broken()
            fresh = prepared is not None and not self._holds(message)
            if fresh and prepared is not None:
                self._store(message, fetched.body, prepared)
                if examined is not None:
                    self._open.examined[message] = examined
            self._place(folder, fetched, message)
            if self._full():
                self._seal()
        return fresh

    def link(self, folder: FolderState, links: Sequence[Link]) -> None:
        """Places of messages that are archived already."""
        places = [self._entry(folder, link.row.uid, link.row.flags, link.row.date, link.message) for link in links]
        values = [(folder.id, link.row.uid, link.message, link.row.flags, link.key) for link in links]
        self.note(places, lambda batch: batch.places.extend(values))

    def note(self, entries: Iterable[Entry], record: Callable[[Batch], None]) -> None:
        """Add catalog lines and state changes that bring no new bytes (flags, gone places, certificates, cursors)."""
        with self._lock:
            self._raise_if_broken()
            self._open.entries.extend(entries)
            record(self._open.record)

    def complete(self, folder: FolderState, status: FolderStatus) -> None:
        """The folder's work of this run is done; its cursor moves when the commit that carries it is settled."""
        self.note((), lambda batch: batch.cursors.append((folder.id, status)))

    def flush(self) -> None:
        """Seal what is open and make it durable."""
        with self._lock:
            self._raise_if_broken()
            self._seal()

    # -- preparing, outside the lock

    def _prepare(self, message: MessageId, body: Body) -> tuple[Split | None, MessageEntry]:
        if isinstance(body, bytes) and len(body) < HUGE:
            key = self._machine.segment_key(self._open.era)
            named = split(body, lambda data: _segment_name(key, data), sha256=message)
            return named, entry_of(message, body)
        return None, entry_of(message, body)

    def _holds(self, message: MessageId) -> bool:
        return message in self._open.claimed or self._state.has_message(self._open.era, message)

    # -- filling the batch, under the lock

    def _begin(self) -> _Open:
        era = era_of(self._now())
        return _Open(era, record=Batch(era))

    def _writer(self) -> PackWriter:
        if self._open.pack is None:
            self._counter += 1
            path = self._spool / f"open-{self._counter}.pack"
            self._open.pack = PackWriter(path, self._machine.recipient(self._open.era), era=self._open.era)
        return self._open.pack

    def _store(self, message: MessageId, body: Body, prepared: tuple[Split | None, MessageEntry]) -> None:
        parts, entry = prepared
        writer = self._writer()
        try:
            if parts is None:
                writer.add(f"m/{message}.eml", body)
            else:
                self._store_split(writer, message, parts)
        except MailarkError as error:
            self._broken = error
            raise
        self._open.claimed.add(message)
        self._open.messages.append(message)
        self._open.entries.append(entry)
        self._open.text += len(entry.text)

    def _store_split(self, writer: PackWriter, message: MessageId, parts: Split) -> None:
        located = {}
        for name, data in parts.segments.items():
            if name in self._open.segments:
                continue
            earlier = self._state.pack_of_segment(self._open.era, name)
            if earlier is not None:
                located[name] = earlier
            else:
                writer.add(f"b/{name}", data)
                self._open.segments.add(name)
        writer.add(f"m/{message}.json", parts.recipe.located(located).to_json())
        writer.add(f"m/{message}.skel", parts.skeleton)

    def _place(self, folder: FolderState, fetched: Fetched, message: MessageId) -> None:
        uid, flags, date, body = fetched.uid, fetched.flags, fetched.date, fetched.body
        self._open.entries.append(self._entry(folder, uid, flags, date, message))
        self._open.record.places.append((folder.id, uid, message, flags, key_of(date, len(body), body)))

    def _entry(
        self, folder: FolderState, uid: int, flags: tuple[str, ...], date: datetime | None, message: MessageId
    ) -> PlaceEntry:
        return PlaceEntry(message, folder.account, folder.name, folder.epoch, uid, flags, date, self._now())

    def _full(self) -> bool:
        packed = self._open.pack.size if self._open.pack is not None else 0
        return packed >= PACK_SIZE or self._open.text >= LINES_SIZE

    # -- sealing, under the lock

    def _seal(self) -> None:
        batch, self._open = self._open, self._begin()
        try:
            document = lines.dump(self._close_pack(batch))
            batch.entries.clear()  # as large as the document, which says the same
            if document:
                batch.record.lines = zstd.compress(document, LINES_LEVEL)
            if batch.record:
                self._state.record(batch.record)
        except MailarkError as error:
            self._broken = error
            raise
        if document:
            self._feed(document)

    def _close_pack(self, batch: _Open) -> list[Entry]:
        """Seal the pack, if there is one; its object name completes the message lines."""
        if batch.pack is None:
            return batch.entries
        places = lines.dump(entry for entry in batch.entries if not isinstance(entry, MessageEntry))
        batch.pack.add(f"c/{hashlib.sha256(places).hexdigest()}.jsonl", places)
        sealed = batch.pack.finish()
        batch.record.pack = PackRecord(sealed.name, sealed.sha256, sealed.size, sealed.path)
        batch.record.messages = batch.messages
        batch.record.segments = sorted(batch.segments)
        verdicts = self._verdicts(batch.examined)
        return [
            replace(e, pack=sealed.name, verdicts=verdicts.get(e.id, ())) if isinstance(e, MessageEntry) else e
            for e in batch.entries
        ]

    def _verdicts(self, examined: dict[MessageId, Examination]) -> dict[MessageId, tuple[Verdict, ...]]:
        """By now DNS has answered, as a rule."""
        if self._signatures is None:
            return {}
        return dict(zip(examined, self._signatures.verdicts(list(examined.values())), strict=True))

    def _raise_if_broken(self) -> None:
        if self._broken is not None:
            raise self._broken


def _segment_name(key: bytes, data: bytes) -> str:
    """Keyed, so that a store that knows an attachment cannot tell whether the archive holds it."""
    return hmac.digest(key, data, "sha256").hex()
