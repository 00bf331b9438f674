"""What the catalog is told of a message: understood once, when it is archived or when a pack is read again."""

from __future__ import annotations

from archiver.mime import parse
from archiver.model import HUGE, AttachmentInfo, Body, MessageEntry, MessageId

PARSED_HEAD = 8 * 1024 * 1024
"""Of a huge message only this many bytes are understood; it is stored whole."""


def entry_of(message: MessageId, body: Body, pack: str = "") -> MessageEntry:
    """The catalog line of a message; `pack` is the object that holds it, filled in later when it is not sealed yet."""
    return understood(message, len(body), read_part(body), pack)


def read_part(body: Body) -> bytes:
    """What of a message is read to understand it: all, unless it is huge."""
    return bytes(body[:PARSED_HEAD] if len(body) >= HUGE else body)


def understood(message: MessageId, size: int, part: bytes, pack: str = "") -> MessageEntry:
    """The line of a message of `size` bytes, of which `part` was read. Never raises; a defect says what went wrong."""
    parsed = parse(part, truncated=size > len(part))
    return MessageEntry(
        id=message,
        size=size,
        pack=pack,
        subject=parsed.subject,
        from_=parsed.from_,
        to=parsed.to,
        cc=parsed.cc,
        date=parsed.date,
        message_id=parsed.message_id,
        references=parsed.references,
        text=parsed.text,
        attachments=tuple(AttachmentInfo(a.name, a.type, a.size) for a in parsed.attachments),
        defects=parsed.defects,
    )


def not_understood(message: MessageId, size: int, why: str) -> MessageEntry:
    """The line of a message that could not be read; `why`, in fixed words, is its defect, as `parse` names it."""
    return MessageEntry(message, size, "", defects=(f"not parsed: {why}",))
