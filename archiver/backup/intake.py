"""Turns fetched messages into sealed packs and catalog lines: hash, split, have read, pack; then one durable batch."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from itertools import chain
from pathlib import Path

from archiver.authenticity.checker import Checker, Examination
from archiver.backup.drafts import Completion, Drafts, frames
from archiver.backup.feed import BatchLines
from archiver.backup.filling import Filling, Notes
from archiver.backup.linking import Link, key_of
from archiver.backup.understanding import Here, Reader, Understood
from archiver.batches import Batch, Batches, PackRecord
from archiver.errors import MailarkError
from archiver.model import (
    HUGE,
    Body,
    CertificateEntry,
    Entry,
    Fetched,
    FolderStatus,
    MessageId,
    PlaceEntry,
    Verdict,
)
from archiver.state import FolderState, State
from archiver.vault.keys import Machine, era_of
from archiver.vault.pack import PackWriter
from archiver.vault.segments import Split, split

LARGE = 2 * 1024 * 1024
"""Bytes from which on messages are taken apart one at a time: each costs several times its size in memory meanwhile."""


class Intake:
    """Takes messages from any number of threads; raises again in all of them what broke it in one.

    feed: called with each durable batch's catalog lines (documents of JSONL), in the order of the batches ·
    signatures: checks those of new messages; None: nobody does · reader: understands them; None: the intake itself ·
    ahead: called with the lines of messages, without their pack, before the batch is durable to which they belong.
    """

    def __init__(
        self,
        machine: Machine,
        state: State,
        spool: Path,
        feed: Callable[[BatchLines], None],
        now: Callable[[], datetime],
        signatures: Checker | None = None,
        reader: Reader | None = None,
        ahead: Callable[[bytes], None] | None = None,
    ) -> None:
        self._signatures, self._reader, self._ahead = signatures, reader or Here(), ahead
        self._machine, self._batches, self._spool, self._feed, self._now = machine, Batches(state), spool, feed, now
        self._lock = threading.RLock()
        self._large = threading.Lock()
        self._broken: MailarkError | None = None
        self._counter = self._seals = 0
        self._open = self._begin()
        self._notes = self._begin_notes()

    def take(self, folder: FolderState, fetched: Fetched) -> bool:
        """Archive one message and its place; True if its bytes were new. Durable only after the next `flush`.

        Raises QuotaError for a full disk, IntegrityError when a pack does not read back as written.
        """
        message = hashlib.sha256(fetched.body).hexdigest()
        seals = self._seals
        fresh = not self._holds(message)
        with self._large if len(fetched.body) >= LARGE else nullcontext():
            prepared = self._prepare(message, fetched.body) if fresh else None
            examined = self._signatures.examine(fetched.body) if fresh and self._signatures is not None else None
        with self._lock:
            self._raise_if_broken()
            fresh = prepared is not None and not self._holds(message, seals)
            if fresh and prepared is not None:
                self._store(message, fetched.body, prepared)
                if examined is not None:
                    self._open.examined[message] = examined
            self._place(folder, fetched, message)
            if self._open.full:
                self._seal()
            if self._notes.full:
                self._seal_notes()
        return fresh

    def link(self, folder: FolderState, links: Sequence[Link]) -> None:
        """Places of messages that are archived already."""
        entries = [self._entry(folder, one.row.uid, one.row.flags, one.row.date, one.message) for one in links]
        values = [(folder.id, one.row.uid, one.message, one.row.flags, one.key) for one in links]
        self.note(entries, lambda batch: batch.places.extend(values))

    def note(self, entries: Sequence[Entry], record: Callable[[Batch], None]) -> None:
        """Add catalog lines and state changes that rest on nothing new (flags, gone places, links, epochs).

        They become durable in the order of the calls, with the next batch or, when there are many, before it.
        """
        with self._lock:
            self._raise_if_broken()
            self._notes.lines.add(entries)
            self._notes.count += len(entries)
            record(self._notes.record)
            if self._notes.full:
                self._seal_notes()

    def complete(self, folder: FolderState, status: FolderStatus, certificate: CertificateEntry | None) -> None:
        """The folder's work of this run is done; its cursor moves when the commit that carries it is settled."""
        with self._lock:
            self._raise_if_broken()
            if certificate is not None:
                self._open.places.add([certificate])
            self._open.record.cursors.append((folder.id, status))

    def flush(self) -> None:
        """Seal what is open and make it durable."""
        with self._lock:
            self._raise_if_broken()
            self._seal()

    # -- preparing, outside the lock

    def _prepare(self, message: MessageId, body: Body) -> tuple[Split | None, Understood]:
        """Understood first: where another process does that, the message is taken apart meanwhile."""
        understood = self._reader.submit(message, body)
        if isinstance(body, bytes) and len(body) < HUGE:
            key = self._machine.segment_key(self._open.era)
            return split(body, lambda data: _segment_name(key, data), sha256=message), understood
        return None, understood

    def _holds(self, message: MessageId, seals: int = -1) -> bool:
        """`seals`: how many there were when it was known that no sealed pack has the message."""
        return message in self._open.claimed or (
            seals != self._seals and self._batches.has_message(self._open.era, message)
        )

    # -- filling the batch, under the lock

    def _begin(self) -> Filling:
        era = era_of(self._now())
        return Filling(era, Batch(era), texts=Drafts(self._ahead))

    def _begin_notes(self) -> Notes:
        return Notes(Batch(era_of(self._now())))

    def _writer(self) -> PackWriter:
        if self._open.pack is None:
            self._counter += 1
            path = self._spool / f"open-{self._counter}.pack"
            self._open.pack = PackWriter(path, self._machine.recipient(self._open.era), era=self._open.era)
        return self._open.pack

    def _store(self, message: MessageId, body: Body, prepared: tuple[Split | None, Understood]) -> None:
        parts, understood = prepared
        writer = self._writer()
        with self._breaking():
            if parts is None:
                writer.add(f"m/{message}.eml", body)
            else:
                self._store_split(writer, message, parts)
        self._open.claimed.add(message)
        self._open.messages.append(message)
        self._open.texts.expect(understood)

    def _store_split(self, writer: PackWriter, message: MessageId, parts: Split) -> None:
        located = {}
        for name, data in parts.segments.items():
            if name in self._open.segments:
                continue
            earlier = self._batches.pack_of_segment(self._open.era, name)
            if earlier is not None:
                located[name] = earlier
            else:
                writer.add(f"b/{name}", data)
                self._open.segments.add(name)
        writer.add(f"m/{message}.json", parts.recipe.located(located).to_json())
        writer.add(f"m/{message}.skel", parts.skeleton)

    def _place(self, folder: FolderState, fetched: Fetched, message: MessageId) -> None:
        """A place rests on the open pack if that has its message."""
        uid, flags, date, body = fetched.uid, fetched.flags, fetched.date, fetched.body
        entry = self._entry(folder, uid, flags, date, message)
        place = (folder.id, uid, message, flags, key_of(date, len(body), body))
        if message in self._open.claimed:
            self._open.places.add([entry])
            self._open.record.places.append(place)
        else:
            self._notes.lines.add([entry])
            self._notes.record.places.append(place)
            self._notes.count += 1

    def _entry(
        self, folder: FolderState, uid: int, flags: tuple[str, ...], date: datetime | None, message: MessageId
    ) -> PlaceEntry:
        return PlaceEntry(message, folder.account, folder.name, folder.epoch, uid, flags, date, self._now())

    def _seal(self) -> None:
        """Notes first: a cursor must not be durable before what its folder's listing brought."""
        filled, self._open = self._open, self._begin()
        with self._breaking():
            verdicts = self._close_pack(filled)
        self._seal_notes()
        record, pack = filled.record, filled.record.pack.name if filled.record.pack else ""
        with self._breaking():
            texts = filled.texts.documents(Completion(pack, verdicts))
            self._make_durable(record, chain(texts, filled.places.documents()))
            if record.lines:
                self._feed(BatchLines(filled.places.documents(), pack, verdicts))

    def _seal_notes(self) -> None:
        notes, self._notes = self._notes, self._begin_notes()
        with self._breaking():
            self._make_durable(notes.record, notes.lines.documents())
            if notes.lines:
                self._feed(BatchLines(notes.lines.documents()))

    def _make_durable(self, batch: Batch, documents: Iterable[bytes]) -> None:
        batch.lines = list(frames(documents))
        if batch:
            self._batches.record(batch)

    def _close_pack(self, filled: Filling) -> dict[MessageId, tuple[Verdict, ...]]:
        """Seal the pack, if there is one, with the lines that rest on it; the verdicts on its messages' signatures."""
        if filled.pack is None:
            return {}
        documents = chain(filled.places.documents(), self._notes.lines.documents())
        for number, document in enumerate(documents):
            filled.pack.add(f"c/{number}.jsonl", document)
        sealed = filled.pack.finish()
        filled.record.pack = PackRecord(sealed.name, sealed.sha256, sealed.size, sealed.path)
        filled.record.messages = filled.messages
        filled.record.segments = sorted(filled.segments)
        return self._verdicts(filled.examined)

    def _verdicts(self, examined: dict[MessageId, Examination]) -> dict[MessageId, tuple[Verdict, ...]]:
        """By now DNS has answered, as a rule."""
        if self._signatures is None:
            return {}
        return dict(zip(examined, self._signatures.verdicts(list(examined.values())), strict=True))

    @contextmanager
    def _breaking(self) -> Iterator[None]:
        """What fails here fails in all threads: what was taken in is not durable."""
        try:
            yield
        except MailarkError as error:
            self._broken = error
            raise

    def _raise_if_broken(self) -> None:
        if self._broken is not None:
            raise self._broken


def _segment_name(key: bytes, data: bytes) -> str:
    """Keyed, so that a store that knows an attachment cannot tell whether the archive holds it."""
    return hmac.digest(key, data, "sha256").hex()
