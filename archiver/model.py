"""The words of the archive as values, shared by all rooms. No I/O here.

message: the exact RFC 5322 bytes, named by their SHA-256 · place: where a message is or was (account, folder epoch,
UID) · epoch: one life of a folder, begun anew whenever UIDVALIDITY changes (RFC 3501 section 2.3.1.1).
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass, field
from datetime import datetime

MessageId = str
"""SHA-256 of the raw message, 64 lower-case hex digits."""

Body = bytes | mmap.mmap
"""Raw message bytes; a read-only map of a spooled file when the message is huge (see `HUGE`)."""

HUGE = 64 * 1024 * 1024
"""Bytes from which on a message is fetched in pieces, spooled to disk, and stored whole."""


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """What a server says of a folder (RFC 3501 section 6.3.10, RFC 7162). 0 means: not told."""

    uidvalidity: int
    uidnext: int
    messages: int
    highestmodseq: int = 0


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder of an account. `name` is decoded, levels joined by "/"; `raw` is the name as the server wrote it."""

    name: str
    raw: bytes
    delimiter: str = "/"
    attributes: tuple[str, ...] = ()
    status: FolderStatus | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Metadata of one message in a folder, as listed. `size` (bytes) is a hint only; `date` is INTERNALDATE."""

    uid: int
    flags: tuple[str, ...]
    size: int
    date: datetime | None


@dataclass(frozen=True, slots=True)
class Fetched:
    """One message as it came from a source. `flags` are sorted and without \\Recent; `date` is INTERNALDATE."""

    uid: int
    flags: tuple[str, ...]
    date: datetime | None
    body: Body


@dataclass(frozen=True, slots=True)
class Refused:
    """One message a source could not give, and why; it is quarantined by this reason and tried again in later runs."""

    uid: int
    reason: str


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox of RFC 5322 section 3.4, decoded: display name and addr-spec, either may be empty."""

    name: str
    addr: str


@dataclass(frozen=True, slots=True)
class AttachmentInfo:
    """What the catalog keeps of an attachment. `size` is in decoded bytes."""

    name: str
    type: str
    size: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one signature in a message was worth when the message was archived.

    method: "dkim" (RFC 6376) or "arc" (RFC 8617) · result: a word of RFC 8601 section 2.7.1 ("pass", "fail", …) or "not
    checked" · domain, selector: the signature's d= and s= · reason: why it is not a pass, one line · key: the TXT
    record as DNS answered it, "" when it did not.
    """

    method: str
    result: str
    domain: str = ""
    selector: str = ""
    reason: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class MessageEntry:
    """Catalog line: a stored message, and what was understood of it. `pack`: object name; `date`: the Date header."""

    id: MessageId
    size: int
    pack: str
    subject: str = ""
    from_: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    date: datetime | None = None
    message_id: str = ""
    references: tuple[str, ...] = ()
    text: str = ""
    attachments: tuple[AttachmentInfo, ...] = ()
    defects: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """Catalog line: an epoch of a folder began. `epoch` counts from 1 within (account, folder)."""

    account: str
    folder: str
    epoch: int
    uidvalidity: int
    seen: datetime


@dataclass(frozen=True, slots=True)
class PlaceEntry:
    """Catalog line: a message was seen at a place for the first time. `date` is INTERNALDATE."""

    message: MessageId
    account: str
    folder: str
    epoch: int
    uid: int
    flags: tuple[str, ...]
    date: datetime | None
    seen: datetime


@dataclass(frozen=True, slots=True)
class FlagsEntry:
    """Catalog line: the flags of a place changed."""

    account: str
    folder: str
    epoch: int
    uid: int
    flags: tuple[str, ...]
    seen: datetime


@dataclass(frozen=True, slots=True)
class GoneEntry:
    """Catalog line: a place is no longer on the server. The message stays archived."""

    account: str
    folder: str
    epoch: int
    uid: int
    seen: datetime


@dataclass(frozen=True, slots=True)
class CertificateEntry:
    """Catalog line: what a run found complete in a folder: on the server = archived + len(failed), else it failed."""

    account: str
    folder: str
    epoch: int
    on_server: int
    archived: int
    failed: tuple[str, ...]
    seen: datetime


Entry = MessageEntry | FolderEntry | PlaceEntry | FlagsEntry | GoneEntry | CertificateEntry


@dataclass(frozen=True, slots=True)
class Place:
    """A place as the catalog tells it. `last_seen` is None while the message is still there."""

    account: str
    folder: str
    epoch: int
    uid: int
    flags: tuple[str, ...]
    date: datetime | None
    first_seen: datetime
    last_seen: datetime | None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that failed by name. `subject` says which (account, folder, UID, store, object), `reason` why."""

    subject: str
    reason: str
    account: str = ""
    folder: str = ""
    uid: int = 0
    details: dict[str, str] = field(default_factory=dict)
