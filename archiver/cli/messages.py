"""Found messages as tables and as JSON; ids as people type them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from archiver.catalog.interface import Catalog, Hit
from archiver.cli.output import MIN_ID, SHORT_ID, fit, moment, one_line, size, table
from archiver.errors import ConfigError
from archiver.labels import parted
from archiver.model import Address, MessageId, Place, Verdict


def hits_table(hits: Sequence[Hit]) -> str:
    """A line a message: short id, date, sender, subject, size, attachments."""
    rows = [
        (
            hit.id[:SHORT_ID],
            moment(hit.date),
            fit(one_line(sender(hit)), 24),
            one_line(hit.subject) or "(no subject)",
            size(hit.size),
            str(len(hit.attachments) or ""),
        )
        for hit in hits
    ]
    return table(("Id", "Date", "From", "Subject", "Size", "Att."), rows, numbers=(4, 5), stretch=3)


def sender(hit: Hit) -> str:
    """The first author's name, else the address."""
    return next((address.name or address.addr for address in hit.from_), "")


def hit_json(hit: Hit) -> dict[str, Any]:
    """The documented shape of a message in JSON; times in RFC 3339, sizes in bytes."""
    values = asdict(hit)
    values["from"] = values.pop("from_")
    order = ("id", "date", "from", "to", "subject", "message_id", "size", "pack", "attachments", "places", "verdicts")
    return {name: values[name] for name in order}


def addressed(addresses: Iterable[Address]) -> str:
    """Addresses as a header shows them."""
    return ", ".join(f"{a.name} <{a.addr}>" if a.name and a.addr else a.name or a.addr for a in addresses)


def place_line(place: Place) -> str:
    """Where a message is or was, and from when to when."""
    until = f"gone since {moment(place.last_seen)}" if place.last_seen else "still there"
    flags, labels = parted(place.flags)
    marks = " ".join(flags) or "no flags"
    if labels:
        marks += f"; labels: {', '.join(label.removeprefix(chr(92)) for label in labels)}"
    return f"{place.account}/{place.folder}  UID {place.uid}  seen since {moment(place.first_seen)}, {until}  ({marks})"


def verdict_line(verdict: Verdict) -> str:
    """What a signature was worth when the message was archived."""
    reason = f" ({verdict.reason})" if verdict.reason else ""
    return f"{verdict.method.upper()} of {verdict.domain or 'nobody'}: {verdict.result}{reason}"


def found(catalog: Catalog, beginning: str) -> Hit:
    """The message whose id begins so; ConfigError when there is none, or more than one."""
    if not re.fullmatch(rf"[0-9a-fA-F]{{{MIN_ID},64}}", beginning):
        raise ConfigError(f'"{one_line(beginning)[:80]}" is not a message id: {MIN_ID} to 64 hexadecimal digits')
    hits = catalog.search(f"id:{beginning.lower()}", limit=2)
    if len(hits) != 1:
        raise ConfigError(f"{'no' if not hits else 'more than one'} message has an id that begins with {beginning}")
    return hits[0]


def ids_from(lines: Iterable[str]) -> list[MessageId]:
    """Full ids, one a line, as `search --ids` prints them; empty lines are skipped, doubles taken once."""
    ids: dict[MessageId, None] = {}
    for number, line in enumerate(lines, 1):
        if word := line.strip().lower():
            if not re.fullmatch(r"[0-9a-f]{64}", word):
                raise ConfigError(f"line {number} is not a full message id", "mailark search --ids QUERY")
            ids[word] = None
    return list(ids)
