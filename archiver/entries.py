"""What the catalog is told of a message: understood once, when it is archived or when a pack is read again."""

from __future__ import annotations

from archiver.mime import parse
from archiver.model import HUGE, AttachmentInfo, Body, MessageEntry, MessageId

PARSED_HEAD = 8 * 1024 * 1024
"""Of a huge message only this many bytes are understood; it is stored whole."""


def entry_of(message: MessageId, body: Body, pack: str = "") -> MessageEntry:
    """The catalog line of a message; `pack` is the object that holds it, filled in later when it is not sealed yet."""
    huge = len(body) >= HUGE
    parsed = parse(bytes(body[:PARSED_HEAD]) if huge else bytes(body), truncated=huge)
    return MessageEntry(
        id=message,
        size=len(body),
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
