"""FETCH responses (RFC 3501 section 7.4.2) -> values: a regular expression for the usual, a lexer for the rest.

A response comes as [text, literal, text, literal, …, text], as on the wire, without its number and the word FETCH.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, cast

from archiver.labels import flag_of
from archiver.model import Body, Row
from archiver.sources.names import decode


@dataclass(slots=True)
class Found:
    """What one FETCH response told; None where it did not. `origin`: the offset of a piece, -1 for a whole body.

    labelled: `flags` holds the message's labels, too (see `archiver.labels`).
    """

    uid: int
    flags: tuple[str, ...] | None = None
    date: datetime | None = None
    size: int | None = None
    body: Body | None = None
    origin: int = -1
    labelled: bool = False

    def row(self) -> Row:
        """As a row of a listing."""
        return Row(self.uid, self.flags or (), self.size or 0, self.date)


_ROW = re.compile(
    rb'\(UID (\d+) FLAGS \(([^()"]*)\)(?: INTERNALDATE "([^"]*)")?(?: RFC822\.SIZE (\d+))?(?: MODSEQ \(\d+\))?\)'
)
_HEAD = re.compile(
    rb'\(UID (\d+) FLAGS \(([^()"]*)\) INTERNALDATE "([^"]*)"(?: MODSEQ \(\d+\))? BODY\[\](?:<(\d+)>)? ~?\{\d+\}'
)
_TOKEN = re.compile(
    rb' *(?:(?P<open>\()|(?P<close>\))|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<literal>~?\{\d+\+?\})'
    rb'|(?P<atom>[^\s()"\[{]+(?:\[[^\]]*\])?(?:<\d+>)?|[^\s()"]+))',
    re.DOTALL,
)
_DATE = re.compile(rb"\s*(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_MONTHS = {name: n for n, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_ORIGIN = re.compile(rb"<(\d+)>$")


def parse(parts: Sequence[Body]) -> Found | None:
    """The response's values, or None for one without a UID (it tells of a message nobody asked about).

    Raises ValueError when the text is no FETCH response: then the reader and the server are out of step.
    """
    head = cast(bytes, parts[0])
    if len(parts) == 1:
        if row := _ROW.fullmatch(head):
            uid, marks, date, size = row.groups()
            return Found(int(uid), flags(marks), internaldate(date) if date else None, int(size) if size else None)
    elif len(parts) == 3 and parts[2] == b")" and (match := _HEAD.fullmatch(head)):
        uid, marks, date, origin = match.groups()
        return Found(int(uid), flags(marks), internaldate(date), None, parts[1], int(origin) if origin else -1)
    return _from_items(_items(parts))


@lru_cache(maxsize=4096)
def flags(text: bytes) -> tuple[str, ...]:
    """Sorted flags without \\Recent, which only says that another session saw the message first."""
    names = {_text(name) for name in text.split()}
    return tuple(sorted(name for name in names if name.lower() != "\\recent"))


def internaldate(text: bytes) -> datetime | None:
    """A date-time of RFC 3501 section 9; None for one that does not exist, such as 00-Jan-0000."""
    match = _DATE.match(text)
    if match is None:
        return None
    day, month, year, hour, minute, second, sign, hours, minutes = match.groups()
    try:
        zone = _zone(sign, int(hours), int(minutes))
        number = _MONTHS.get(month.lower(), 0)
        return datetime(int(year), number, int(day), int(hour), int(minute), min(int(second), 59), tzinfo=zone)
    except ValueError:
        return None


@lru_cache(maxsize=256)
def _zone(sign: bytes, hours: int, minutes: int) -> timezone:
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if sign == b"-" else offset)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("gb18030", "replace")


def _from_items(items: list[Any]) -> Found | None:
    pairs = zip(items[::2], items[1::2], strict=False)
    values = {key.upper(): value for key, value in pairs if isinstance(key, bytes)}
    uid = values.get(b"UID")
    if not isinstance(uid, bytes) or not uid.isdigit():
        return None
    found = Found(int(uid))
    if isinstance(marks := values.get(b"FLAGS"), list):
        found.flags = flags(b" ".join(mark for mark in marks if isinstance(mark, bytes)))
    if b"X-GM-LABELS" in values and found.flags is not None:
        labels = values[b"X-GM-LABELS"] or []
        named = {flag_of(decode(label)) for label in labels if isinstance(label, bytes)}
        found.flags, found.labelled = tuple(sorted({*found.flags, *named})), True
    if isinstance(date := values.get(b"INTERNALDATE"), bytes):
        found.date = internaldate(date)
    if isinstance(size := values.get(b"RFC822.SIZE"), bytes):
        found.size = _number(size)
    for key, value in values.items():
        if key.startswith(b"BODY[") and not isinstance(value, list):
            origin = _ORIGIN.search(key)
            found.body, found.origin = value, int(origin[1]) if origin else -1
    return found


def _number(text: bytes) -> int:
    """A size as servers write it, "1024.0" and "-1" included; 0 when it says nothing."""
    try:
        return max(0, int(float(text)))
    except (ValueError, OverflowError):
        return 0


def _items(parts: Sequence[Body]) -> list[Any]:
    """The one list of the response: atoms and strings as bytes, NIL as None, lists as lists.

    In a list of flags or labels NIL is a name like any other: an astring (RFC 3501 section 9) may be this atom.
    """
    stack: list[list[Any]] = [[]]
    for kind, value in _tokens(parts):
        if kind == "open":
            stack.append([])
        elif kind == "close":
            if len(stack) < 2:
                raise ValueError("a bracket too many")
            done = stack.pop()
            stack[-1].append(done)
        else:
            nil = kind == "atom" and len(stack) == 2 and cast(bytes, value).upper() == b"NIL"
            stack[-1].append(None if nil else value)
    if len(stack) != 1 or len(stack[0]) != 1 or not isinstance(stack[0][0], list):
        raise ValueError("no list of items")
    return stack[0][0]


def _tokens(parts: Sequence[Body]) -> Iterator[tuple[str, Body]]:
    for index in range(0, len(parts), 2):
        text, position = cast(bytes, parts[index]).rstrip(), 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise ValueError("no item of a FETCH response")
            position = match.end()
            kind = cast(str, match.lastgroup)
            if kind == "literal":
                if position != len(text) or index + 1 == len(parts):
                    raise ValueError("a literal in the middle of a line")
                yield kind, parts[index + 1]
            else:
                yield kind, _value(kind, match[kind])


def _value(kind: str, text: bytes) -> bytes:
    return re.sub(rb"\\(.)", rb"\1", text[1:-1], flags=re.DOTALL) if kind == "quoted" else text
