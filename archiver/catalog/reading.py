"""Rows of the catalog -> hits, places and certificates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any

import apsw

from archiver.catalog.intake import EPOCH, MICROSECOND
from archiver.catalog.interface import Hit
from archiver.catalog.lines import moment
from archiver.catalog.query import parse
from archiver.catalog.sql import condition, labelled, span, wanted
from archiver.errors import ConfigError
from archiver.model import Address, AttachmentInfo, CertificateEntry, MessageId, Place, Verdict

ORDERS = {
    "date": "m.moment DESC, m.id",
    "-date": "m.moment NULLS LAST, m.id",
    "size": "m.size DESC, m.id",
    "relevance": "bm25(texts, 8, 4, 2, 1, 4, 1), m.moment DESC, m.id",
}
_HIT = """
    SELECT m.number, m.id, m.size, k.name, m.subject, m.senders, m.recipients, m.date, m.moment, m.message_id,
        m.attachments, m.verdicts
    FROM messages m JOIN packs k ON k.number = m.pack"""
_PLACES = """
    SELECT f.account, f.name, p.epoch, p.uid, p.flags, p.date, p.first_seen, p.seen, p.gone,
        (SELECT min(e.seen) FROM epochs e WHERE e.folder = p.folder AND e.epoch > p.epoch)
    FROM places p JOIN folders f ON f.number = p.folder
    WHERE p.message = ? ORDER BY f.account, f.name, p.epoch, p.uid"""
_CERTIFICATES = """
    SELECT f.account, f.name, c.epoch, c.on_server, c.archived, c.failed, c.seen
    FROM certificates c JOIN folders f ON f.number = c.folder
    WHERE c.seen = (SELECT max(l.seen) FROM certificates l WHERE l.folder = c.folder) AND (?1 IS NULL OR f.account = ?1)
    GROUP BY c.folder HAVING c.epoch = max(c.epoch) ORDER BY f.account, f.name"""


def search(connection: apsw.Connection, query: str, limit: int | None, sort: str, zone: tzinfo | None) -> list[Hit]:
    """The messages that match; ConfigError for a mistake in the query or an unknown order."""
    if sort not in ORDERS:
        raise ConfigError(f"there is no order {sort!r}", hint=f"known orders: {', '.join(ORDERS)}")
    node = parse(query)
    connection.create_scalar_function("labelled", labelled, 2, deterministic=True)
    where, values = condition(node, zone)
    words = wanted(node) if sort == "relevance" else None
    sql = _HIT
    if words is not None:
        sql += f" JOIN texts ON texts.rowid = m.number WHERE texts MATCH ? AND {where}"
        values = [words, *values]
    else:
        sql += f" WHERE {where}"
    sql += f" ORDER BY {ORDERS[sort if sort != 'relevance' or words else 'date']} LIMIT ?"
    rows = connection.execute(sql, (*values, -1 if limit is None else max(limit, 0))).fetchall()
    return [_hit(connection, row) for row in rows]


def get(connection: apsw.Connection, prefix: str) -> Hit | None:
    """The one message whose id begins with `prefix`; ConfigError if several do, or if it is no id."""
    wanted_id = prefix.lower()
    if not wanted_id or len(wanted_id) > 64 or set(wanted_id) - set("0123456789abcdef"):
        raise ConfigError(f"{prefix[:80]!r} is no message id", hint="ids are up to 64 hexadecimal digits")
    rows = connection.execute(f"{_HIT} WHERE m.id BETWEEN ? AND ? LIMIT 2", span(wanted_id)).fetchall()
    if len(rows) > 1:
        raise ConfigError(f"several messages begin with {wanted_id}", hint="give more digits of the id")
    return _hit(connection, rows[0]) if rows else None


def places(connection: apsw.Connection, message: MessageId) -> list[Place]:
    """Every place of one message, in the order of account, folder, epoch and UID."""
    found = connection.execute("SELECT number FROM messages WHERE id = ?", (bytes.fromhex(message),)).fetchone()
    return _places(connection, found[0]) if found else []


def certificates(connection: apsw.Connection, account: str | None) -> list[CertificateEntry]:
    """The latest certificate of each folder."""
    return [
        CertificateEntry(where, folder, epoch, on_server, archived, tuple(json.loads(failed)), _utc(seen))
        for where, folder, epoch, on_server, archived, failed, seen in connection.execute(_CERTIFICATES, (account,))
    ]


def _hit(connection: apsw.Connection, row: tuple[Any, ...]) -> Hit:
    number, id_, size, pack, subject, senders, recipients, date, when, message_id, attachments, verdicts = row
    return Hit(
        id=id_.hex(),
        size=size,
        pack=pack,
        subject=subject,
        from_=_addresses(senders),
        to=_addresses(recipients),
        date=moment(date) if date else None if when is None else _utc(when),
        message_id=message_id,
        attachments=tuple(AttachmentInfo(*one) for one in json.loads(attachments or "[]")),
        places=tuple(_places(connection, number)),
        verdicts=tuple(_verdicts(connection, verdicts)) if verdicts else (),
    )


def _verdicts(connection: apsw.Connection, text: str) -> Iterator[Verdict]:
    for method, result, domain, selector, reason, key in json.loads(text):
        found = connection.execute("SELECT record FROM dns_keys WHERE number = ?", (key,)).fetchone()
        yield Verdict(method, result, domain, selector, reason, found[0] if found else "")


def _places(connection: apsw.Connection, number: int) -> list[Place]:
    return [
        Place(
            account=account,
            folder=folder,
            epoch=epoch,
            uid=uid,
            flags=tuple(flags.split()),
            date=moment(date),
            first_seen=_utc(first_seen),
            last_seen=_ended(seen, gone, following),
        )
        for account, folder, epoch, uid, flags, date, first_seen, seen, gone, following in connection.execute(
            _PLACES, (number,)
        )
    ]


def _ended(seen: int, gone: int | None, following: int | None) -> datetime | None:
    """When a place was found to be no more: told so after it was last seen, or its folder began a new epoch."""
    if gone is not None and gone >= seen:
        return _utc(gone)
    return None if following is None else _utc(following)


def _addresses(text: str) -> tuple[Address, ...]:
    return tuple(Address(name, addr) for name, addr in json.loads(text))


def _utc(when: int) -> datetime:
    return EPOCH + when * MICROSECOND
