"""Catalog lines -> rows. Every statement merges, so that lines may come twice and in any order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

import apsw

from archiver.catalog.lines import stamp, verdict_texts
from archiver.catalog.tokens import indexed
from archiver.model import (
    Address,
    CertificateEntry,
    Entry,
    FlagsEntry,
    FolderEntry,
    GoneEntry,
    MessageEntry,
    MessageId,
    PlaceEntry,
    Verdict,
)

CHUNK = 4000
"""Lines taken together."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

# FTS5 empties its write buffer before every statement that SQLite may have to undo alone, such as one with RETURNING;
# these here leave it alone, so that it is written when it is full.
_MESSAGE = """
    INSERT OR IGNORE INTO messages
    (id, pack, size, moment, date, message_id, subject, senders, recipients, attachments, verdicts)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_STUBBED = "SELECT number FROM messages WHERE id = ? AND pack IS NULL"
_FILL = """
    UPDATE messages SET pack = ?2, size = ?3, moment = coalesce(?4, moment), date = ?5, message_id = ?6, subject = ?7,
        senders = ?8, recipients = ?9, attachments = ?10, verdicts = ?11
    WHERE id = ?1"""
_TEXT = "INSERT INTO texts (rowid, subject, sender, recipient, cc, filename, text) VALUES (?, ?, ?, ?, ?, ?, ?)"
_EPOCH = """
    INSERT INTO epochs (folder, epoch, uidvalidity, seen) VALUES (?, ?, ?, ?)
    ON CONFLICT (folder, epoch) DO UPDATE SET seen = min(seen, excluded.seen)"""
_UNNAMED = "INSERT INTO packs (name) VALUES (x'')"  # a blob, which no name of a line is equal to
_NAME = "UPDATE packs SET name = ? WHERE number = ?"
_VERDICTS = "UPDATE messages SET verdicts = ? WHERE id = ? AND pack = ?"
_STUB = "INSERT INTO messages (id) VALUES (?) ON CONFLICT (id) DO NOTHING"
_PLACE = """
    INSERT INTO places (folder, epoch, uid, message, flags, date, first_seen, seen, flagged)
    VALUES (?, ?, ?, (SELECT number FROM messages WHERE id = ?), ?, ?, ?7, ?7, ?7)
    ON CONFLICT (folder, epoch, uid) DO UPDATE SET
        message = coalesce(message, excluded.message),
        date = coalesce(date, excluded.date),
        first_seen = min(coalesce(first_seen, excluded.first_seen), excluded.first_seen),
        seen = max(coalesce(seen, excluded.seen), excluded.seen),
        flags = iif(flagged IS NULL OR flagged < excluded.flagged, excluded.flags, flags),
        flagged = max(coalesce(flagged, excluded.flagged), excluded.flagged)"""
_MOMENT = "UPDATE messages SET moment = min(coalesce(moment, ?1), ?1) WHERE id = ?2 AND date IS NULL"
_FLAGS = """
    INSERT INTO places (folder, epoch, uid, flags, flagged) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (folder, epoch, uid) DO UPDATE SET flags = excluded.flags, flagged = excluded.flagged
    WHERE flagged IS NULL OR flagged <= excluded.flagged"""
_GONE = """
    INSERT INTO places (folder, epoch, uid, gone) VALUES (?, ?, ?, ?)
    ON CONFLICT (folder, epoch, uid) DO UPDATE SET gone = max(coalesce(gone, excluded.gone), excluded.gone)"""
_CERTIFICATE = """
    INSERT INTO certificates (folder, seen, epoch, on_server, archived, failed) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING"""


def micros(when: datetime) -> int:
    """Microseconds since 1970; a time without an offset counts as UTC."""
    return ((when if when.utcoffset() is not None else when.replace(tzinfo=UTC)) - EPOCH) // MICROSECOND


def clean(text: str) -> str:
    """`text` as a database can hold it: without NUL and lone surrogates."""
    return (
        text.replace("\0", "") if text.isascii() else text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    )


class Intake:
    """Feeds lines into the tables through one connection. Remembers the numbers of folders, packs and keys.

    Messages may come ahead of the name of their pack. There is one such pack at a time; `unnamed` is its number.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._numbers: dict[tuple[str, ...], int] = {}
        self.unnamed: int | None = None

    def take(self, entries: Iterable[Entry], *, ahead: bool = False) -> None:
        """Take all entries in, inside the transaction that is open; `ahead`: messages whose pack has no name yet."""
        if ahead and self.unnamed is None:
            self._connection.execute(_UNNAMED)
            self.unnamed = self._connection.last_insert_rowid()
        source = iter(entries)
        while chunk := list(islice(source, CHUNK)):
            kinds: dict[type[Any], list[Any]] = {}
            for entry in chunk:
                kinds.setdefault(type(entry), []).append(entry)
            for kind, method in self._methods(ahead):
                if kind in kinds:
                    method(kinds[kind])

    def name(self, pack: str, verdicts: Mapping[MessageId, Iterable[Verdict]]) -> None:
        """Give the pack of the messages that came ahead its name, and these messages the verdicts on signatures."""
        number, self.unnamed = self.unnamed, None
        if number is not None:
            self._connection.execute(_NAME, (clean(pack), number))
            rows = (
                (_json(self._verdicts(found)), bytes.fromhex(id_), number) for id_, found in verdicts.items() if found
            )
            self._many(_VERDICTS, rows)

    def forget(self) -> None:
        """Forget the remembered numbers; to be called after a rollback."""
        self._numbers.clear()
        self.unnamed = None

    def _methods(self, ahead: bool) -> Iterator[tuple[type[Any], Any]]:
        yield MessageEntry, partial(self._messages, ahead)
        yield FolderEntry, self._epochs
        yield PlaceEntry, self._places
        yield FlagsEntry, self._flags
        yield GoneEntry, self._gone
        yield CertificateEntry, self._certificates

    def _messages(self, ahead: bool, entries: list[MessageEntry]) -> None:
        rows = ((self._message(entry, self.unnamed if ahead else self._pack(entry.pack)), entry) for entry in entries)
        new = ((number, entry) for row, entry in rows if (number := self._taken(row)) is not None)
        self._connection.executemany(_TEXT, ((number, *_texts(entry)) for number, entry in new))

    def _taken(self, row: tuple[object, ...]) -> int | None:
        """The number of a message that was not known, or only by its places; None of any other."""
        self._connection.execute(_MESSAGE, row)
        if self._connection.changes():
            return self._connection.last_insert_rowid()
        stub = self._connection.execute(_STUBBED, row[:1]).fetchone()
        if stub is None:
            return None
        self._connection.execute(_FILL, row)
        return int(stub[0])

    def _pack(self, name: str) -> int:
        return self._number("SELECT number FROM packs WHERE name = ?", "INSERT INTO packs (name) VALUES (?)", name)

    def _message(self, entry: MessageEntry, pack: int | None) -> tuple[object, ...]:
        attachments = [(one.name, one.type, one.size) for one in entry.attachments]
        return (
            bytes.fromhex(entry.id),
            pack,
            entry.size,
            micros(entry.date) if entry.date else None,
            stamp(entry.date),
            clean(entry.message_id.strip().removeprefix("<").removesuffix(">")),
            clean(entry.subject),
            _json([(one.name, one.addr) for one in entry.from_]),
            _json([(one.name, one.addr) for one in entry.to]),
            _json(attachments) if attachments else None,
            _json(self._verdicts(entry.verdicts)) if entry.verdicts else None,
        )

    def _verdicts(self, verdicts: Iterable[Verdict]) -> list[list[str | int]]:
        """Method and result first: queries look for these."""
        select, insert = "SELECT number FROM dns_keys WHERE record = ?", "INSERT INTO dns_keys (record) VALUES (?)"
        return [[*values, self._number(select, insert, key) if key else 0] for *values, key in verdict_texts(verdicts)]

    def _epochs(self, entries: list[FolderEntry]) -> None:
        self._many(_EPOCH, ((*self._at(one), one.uidvalidity, micros(one.seen)) for one in entries))

    def _places(self, entries: list[PlaceEntry]) -> None:
        ids = [bytes.fromhex(one.message) for one in entries]
        self._many(_STUB, ((id_,) for id_ in ids))
        self._many(
            _PLACE,
            (
                (*self._at(one), one.uid, id_, _flagtext(one.flags), stamp(one.date), micros(one.seen))
                for one, id_ in zip(entries, ids, strict=True)
            ),
        )
        self._many(_MOMENT, ((micros(one.date), id_) for one, id_ in zip(entries, ids, strict=True) if one.date))

    def _flags(self, entries: list[FlagsEntry]) -> None:
        self._many(_FLAGS, ((*self._at(one), one.uid, _flagtext(one.flags), micros(one.seen)) for one in entries))

    def _gone(self, entries: list[GoneEntry]) -> None:
        self._many(_GONE, ((*self._at(one), one.uid, micros(one.seen)) for one in entries))

    def _certificates(self, entries: list[CertificateEntry]) -> None:
        for one in entries:
            folder, epoch = self._at(one)
            failed = _json(one.failed)
            self._connection.execute(
                _CERTIFICATE, (folder, micros(one.seen), epoch, one.on_server, one.archived, failed)
            )

    def _many(self, sql: str, rows: Iterable[tuple[object, ...]]) -> None:
        self._connection.executemany(sql, list(rows))

    def _at(self, one: FolderEntry | PlaceEntry | FlagsEntry | GoneEntry | CertificateEntry) -> tuple[int, int]:
        select = "SELECT number FROM folders WHERE account = ? AND name = ?"
        insert = "INSERT INTO folders (account, name) VALUES (?, ?)"
        return self._number(select, insert, one.account, one.folder), one.epoch

    def _number(self, select: str, insert: str, *names: str) -> int:
        """The number of a folder, pack or key, made when it is new."""
        known = self._numbers.get((select, *names))
        if known is not None:
            return known
        values = tuple(map(clean, names))
        found = self._connection.execute(select, values).fetchone()
        if found is None:
            self._connection.execute(insert, values)
        number = int(found[0]) if found else self._connection.last_insert_rowid()
        self._numbers[select, *names] = number
        return number


def _texts(entry: MessageEntry) -> tuple[str, ...]:
    return (
        indexed(entry.subject),
        indexed(_people(entry.from_)),
        indexed(_people(entry.to)),
        indexed(_people(entry.cc)),
        indexed("  ".join(one.name for one in entry.attachments)),
        indexed(entry.text),
    )


def _people(addresses: tuple[Address, ...]) -> str:
    return " ".join(f"{one.name} {one.addr}" for one in addresses)


def _flagtext(flags: tuple[str, ...]) -> str:
    """Flags with a space on either side of each, so that one is found by LIKE '% flag %'."""
    return clean(f" {' '.join(flags)} ") if flags else ""


def _json(value: object) -> str:
    return clean(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
