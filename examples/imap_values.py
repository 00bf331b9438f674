"""What a message answers to FETCH and SEARCH."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from examples.imap_grammar import SyntaxMistakeError, internal_date
from examples.imap_mail import Mail

_ITEM = re.compile(rb"(BODY(?:\.PEEK)?)\[([^\]]*)\](?:<(\d+)\.(\d+)>)?", re.IGNORECASE)


def value(mail: Mail, item: bytes) -> bytes:
    """One data item of a FETCH with its value (RFC 3501 section 7.4.2); SyntaxMistakeError when it is none we give."""
    plain: Mapping[bytes, Callable[[], bytes]] = {
        b"UID": lambda: b"UID %d" % mail.uid,
        b"FLAGS": lambda: b"FLAGS (" + " ".join(sorted(mail.flags)).encode("ascii") + b")",
        b"INTERNALDATE": lambda: b"INTERNALDATE " + internal_date(mail.date),
        b"RFC822.SIZE": lambda: b"RFC822.SIZE %d" % len(mail.raw),
    }
    if item.upper() in plain:
        return plain[item.upper()]()
    found = _ITEM.fullmatch(item)
    if not found:
        raise SyntaxMistakeError(f"no fetch item {item!r}")
    section, start = found[2].upper(), int(found[3] or 0)
    body = mail.raw if not section else _header(mail, section)
    origin = b"" if found[3] is None else b"<%d>" % start
    body = body if found[3] is None else body[start : start + int(found[4])]
    return b"BODY[" + section + b"]" + origin + b" {%d}\r\n" % len(body) + body


def _header(mail: Mail, section: bytes) -> bytes:
    block = mail.raw.partition(b"\r\n\r\n")[0] + b"\r\n"
    if section == b"HEADER":
        return block + b"\r\n"
    fields = re.fullmatch(rb"HEADER\.FIELDS \(([^)]*)\)", section)
    if not fields:
        raise SyntaxMistakeError("this server gives whole messages and headers only")
    names = fields[1].replace(b'"', b"").split()
    kept = [line for line in _fields(block) if line.partition(b":")[0].strip().upper() in names]
    return b"".join(kept) + b"\r\n"


def _fields(block: bytes) -> list[bytes]:
    return re.findall(rb"[^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*", block)


def header_holds(mail: Mail, name: bytes, text: bytes) -> bool:
    """Whether a header field holds the text, as SEARCH HEADER asks (RFC 3501 section 6.4.4)."""
    block = mail.raw.partition(b"\r\n\r\n")[0] + b"\r\n"
    lines = (line.partition(b":") for line in _fields(block))
    return any(key.strip().upper() == name.upper() and text.lower() in value.lower() for key, _colon, value in lines)
