"""Catalog lines: what the catalog knows, as JSON, one object a line. Part of the archive format.

UTF-8, one JSON object (RFC 8259) a line, each ended by LF. The key "t" names the kind of line:

    message      id size pack date · subject from to cc mid refs text attachments defects verdicts
    folder       account folder epoch uidvalidity seen                     an epoch of a folder began
    place        message account folder epoch uid flags date seen          seen there for the first time
    flags        account folder epoch uid flags seen                       flags changed
    gone         account folder epoch uid seen                             no longer on the server
    certificate  account folder epoch on_server archived failed seen       what a run found complete

Keys after the dot are left out when empty; `date` may be null. Addresses are [name, addr], attachments [name, type,
size in decoded bytes], verdicts [method, result, domain, selector, reason, key], all of them texts. Times are RFC 3339;
an offset of -00:00: the local offset is unknown (RFC 3339 section 4.3). `id` and `message` are the SHA-256 of the raw
message in lower-case hexadecimal, `pack` is the name of the object that holds it. A reader ignores keys and kinds of
line it does not know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from typing import Any

from archiver.errors import IntegrityError
from archiver.model import (
    Address,
    AttachmentInfo,
    CertificateEntry,
    Entry,
    FlagsEntry,
    FolderEntry,
    GoneEntry,
    MessageEntry,
    PlaceEntry,
    Verdict,
)

LINE_LIMIT = 256 * 1024 * 1024
"""Bytes a line may have."""

INT_LIMIT = 2**63
STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})")
DIGEST = re.compile(r"[0-9a-f]{64}")
SURROGATE = re.compile(r"\\u[dD][89abAB]")

VERDICT = tuple(one.name for one in fields(Verdict))

Kind = tuple[type[Any], tuple[tuple[str, str, Callable[[Any], Any], Callable[[Any], Any]], ...]]
"""A class of entry and its fields: (key, attribute, value -> JSON, JSON -> value, raising ValueError)."""


def dump(entries: Iterable[Entry]) -> bytes:
    """The entries as lines. Lone surrogates, which UTF-8 cannot carry, become "?"."""
    return b"".join(map(_line, entries))


def load(data: bytes | Iterable[bytes]) -> Iterator[Entry]:
    """The entries of `data` (bytes, or its lines). IntegrityError numbers the line that is not as specified."""
    for number, line in enumerate(_lines(data) if isinstance(data, bytes) else data, 1):
        if len(line) > LINE_LIMIT:
            raise IntegrityError(f"catalog line {number}: longer than {LINE_LIMIT} bytes")
        if not line.strip():
            continue
        try:
            entry = _entry(line)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise IntegrityError(f"catalog line {number}: not as specified ({type(error).__name__})") from None
        if entry is not None:
            yield entry


def stamp(when: datetime | None) -> str | None:
    """RFC 3339; -00:00 stands for an unknown offset. Offsets with seconds, which it cannot write, become UTC."""
    if when is None:
        return None
    offset = when.utcoffset()
    if offset is None:
        return when.replace(tzinfo=None).isoformat() + "-00:00"
    if offset.seconds % 60 or offset.microseconds:
        when = (when.replace(tzinfo=None) - offset).replace(tzinfo=UTC)
    return when.isoformat()


def moment(text: Any) -> datetime | None:
    """The opposite of `stamp`; ValueError unless it is None or an RFC 3339 time."""
    if text is None:
        return None
    if not (isinstance(text, str) and STAMP.fullmatch(text)):
        raise ValueError("time")
    when = datetime.fromisoformat(text)
    return when.replace(tzinfo=None) if text.endswith("-00:00") else when


def _lines(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        yield data[start:end]
        start = end + 1


def _line(entry: Entry) -> bytes:
    name = NAMES[type(entry)]
    values: dict[str, Any] = {"t": name}
    for key, attribute, encode, _ in KINDS[name][1]:
        value = getattr(entry, attribute)
        if value or attribute not in OPTIONAL:
            values[key] = encode(value)
    return (json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n").encode("utf-8", "replace")


def _entry(line: bytes) -> Entry | None:
    text = line.decode("utf-8")
    values = json.loads(text)
    if not isinstance(values, dict) or not isinstance(values.get("t"), str):
        raise ValueError("line")
    if SURROGATE.search(text):
        json.dumps(values, ensure_ascii=False).encode("utf-8")  # a lone surrogate is no text: UnicodeEncodeError
    kind = KINDS.get(values["t"])
    if kind is None:
        return None
    made, columns = kind
    entry: Entry = made(**{attribute: decode(values[key]) for key, attribute, _, decode in columns if key in values})
    return entry


def _same(value: Any) -> Any:
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("text")
    return value


def _digest(value: Any) -> str:
    if not DIGEST.fullmatch(_text(value)):
        raise ValueError("SHA-256")
    return str(value)


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < INT_LIMIT:
        raise ValueError("number")
    return value


def _time(value: Any) -> datetime:
    when = moment(value)
    if when is None:
        raise ValueError("time")
    return when


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(_text, _list(value)))


def _list(value: Any, length: int | None = None) -> list[Any]:
    if not isinstance(value, list) or length not in (None, len(value)):
        raise ValueError("list")
    return value


def _addresses(value: Any) -> tuple[Address, ...]:
    return tuple(Address(_text(name), _text(addr)) for name, addr in (_list(one, 2) for one in _list(value)))


def _attachments(value: Any) -> tuple[AttachmentInfo, ...]:
    triples = (_list(one, 3) for one in _list(value))
    return tuple(AttachmentInfo(_text(name), _text(kind), _number(size)) for name, kind, size in triples)


def _verdicts(value: Any) -> tuple[Verdict, ...]:
    return tuple(Verdict(*map(_text, _list(one, len(VERDICT)))) for one in _list(value))


def verdict_texts(value: Iterable[Verdict]) -> list[list[str]]:
    """Verdicts as they stand in a line."""
    return [[getattr(one, name) for name in VERDICT] for one in value]


def _pairs(value: tuple[Address, ...]) -> list[tuple[str, str]]:
    return [(one.name, one.addr) for one in value]


def _triples(value: tuple[AttachmentInfo, ...]) -> list[tuple[str, str, int]]:
    return [(one.name, one.type, one.size) for one in value]


_WHERE = (("account", "account", _same, _text), ("folder", "folder", _same, _text), ("epoch", "epoch", _same, _number))
_UID = ("uid", "uid", _same, _number)
_SEEN = ("seen", "seen", stamp, _time)
_FLAGS = ("flags", "flags", _same, _texts)
_DATE = ("date", "date", stamp, moment)

KINDS: dict[str, Kind] = {
    "message": (
        MessageEntry,
        (
            ("id", "id", _same, _digest),
            ("size", "size", _same, _number),
            ("pack", "pack", _same, _text),
            ("subject", "subject", _same, _text),
            ("from", "from_", _pairs, _addresses),
            ("to", "to", _pairs, _addresses),
            ("cc", "cc", _pairs, _addresses),
            _DATE,
            ("mid", "message_id", _same, _text),
            ("refs", "references", _same, _texts),
            ("text", "text", _same, _text),
            ("attachments", "attachments", _triples, _attachments),
            ("defects", "defects", _same, _texts),
            ("verdicts", "verdicts", verdict_texts, _verdicts),
        ),
    ),
    "folder": (FolderEntry, (*_WHERE, ("uidvalidity", "uidvalidity", _same, _number), _SEEN)),
    "place": (PlaceEntry, (("message", "message", _same, _digest), *_WHERE, _UID, _FLAGS, _DATE, _SEEN)),
    "flags": (FlagsEntry, (*_WHERE, _UID, _FLAGS, _SEEN)),
    "gone": (GoneEntry, (*_WHERE, _UID, _SEEN)),
    "certificate": (
        CertificateEntry,
        (
            *_WHERE,
            ("on_server", "on_server", _same, _number),
            ("archived", "archived", _same, _number),
            ("failed", "failed", _same, _texts),
            _SEEN,
        ),
    ),
}
OPTIONAL = {one.name for one in fields(MessageEntry) if one.default is not MISSING} - {"date"}
NAMES = {made: name for name, (made, _) in KINDS.items()}
