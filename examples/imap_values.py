"""What a message answers to FETCH and SEARCH (RFC 3501 sections 7.4.2 and 6.4.4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from archiver.sources.names import encode
from examples.imap_grammar import SyntaxMistakeError, chosen, internal_date, literal, quoted
from examples.imap_mailbox import Mail

_BODY = re.compile(rb"BODY(?:\.PEEK)?\[([^\]]*)\](?:<(\d+)\.(\d+)>)?", re.IGNORECASE)
_FIELD = re.compile(rb"[^\r\n]+\r?\n(?:[ \t][^\r\n]*\r?\n)*")
_LABELS = b"X-GM-LABELS"


def row(number: int, mail: Mail, items: Sequence[bytes]) -> bytes:
    """One FETCH response without its line end. What is Gmail's own comes first, as it does there."""
    ordered = sorted(items, key=lambda item: item.upper() != _LABELS)
    return b"* %d FETCH (" % number + b" ".join(_value(mail, item) for item in ordered) + b")"


def found(pairs: Sequence[tuple[int, Mail]], words: Sequence[bytes]) -> Sequence[tuple[int, Mail]]:
    """Which (number, message) SEARCH finds by ALL, UID set, and HEADER name text: what clients that restore ask for."""
    if [word.upper() for word in words[:1]] == [b"CHARSET"]:
        words = words[2:]
    there = [mail.uid for _number, mail in pairs]
    while words:
        key, *words = words
        if key.upper() == b"HEADER" and len(words) >= 2:
            name, text, *words = words
            pairs = [pair for pair in pairs if _header_holds(pair[1], name, text)]
        elif key.upper() == b"UID" and words:
            uids, *words = words
            among = chosen(uids, there)
            pairs = [pair for pair in pairs if pair[1].uid in among]
        elif key.upper() != b"ALL":
            raise SyntaxMistakeError("this server searches by ALL, UID and HEADER only")
    return pairs


def _header_holds(mail: Mail, name: bytes, text: bytes) -> bool:
    lines = (line.partition(b":") for line in _FIELD.findall(_header(mail)))
    return any(key.strip().upper() == name.upper() and text.lower() in value.lower() for key, _colon, value in lines)


def _value(mail: Mail, item: bytes) -> bytes:
    plain: Mapping[bytes, Callable[[], bytes]] = {
        b"UID": lambda: b"%d" % mail.uid,
        b"FLAGS": lambda: b"(" + " ".join(sorted(mail.flags)).encode("ascii") + b")",
        b"INTERNALDATE": lambda: internal_date(mail.date),
        b"RFC822.SIZE": lambda: b"%d" % len(mail.body),
        b"MODSEQ": lambda: b"(%d)" % mail.modseq,
        _LABELS: lambda: b"(" + b" ".join(map(_label, sorted(mail.labels))) + b")",
    }
    if item.upper() in plain:
        return item.upper() + b" " + plain[item.upper()]()
    body_part = _BODY.fullmatch(item)
    if not body_part:
        raise SyntaxMistakeError(f"no fetch item {item!r}")
    section, start, size = body_part.groups()
    body = _section(mail, section)
    if start is None:
        return b"BODY[" + section + b"] " + literal(body)
    return b"BODY[%b]<%d> " % (section, int(start)) + literal(body[int(start) : int(start) + int(size)])


def _section(mail: Mail, section: bytes) -> bytes:
    if not section:
        return mail.body
    if section.upper() == b"HEADER":
        return _header(mail) + b"\r\n"
    fields = re.fullmatch(rb"HEADER\.FIELDS \(([^)]*)\)", section, re.IGNORECASE)
    if not fields:
        raise SyntaxMistakeError("this server gives whole messages and headers only")
    names = fields[1].upper().replace(b'"', b"").split()
    kept = [line for line in _FIELD.findall(_header(mail)) if line.partition(b":")[0].strip().upper() in names]
    return b"".join(kept) + b"\r\n"


def _header(mail: Mail) -> bytes:
    return re.split(rb"\r?\n\r?\n", mail.body, maxsplit=1)[0] + b"\r\n"


def _label(name: str) -> bytes:
    """As Gmail writes labels: an atom where it can be one, else a quoted string."""
    raw = encode(name)
    return raw if re.fullmatch(rb"[A-Za-z0-9&+,/-]+", raw) else quoted(raw)
