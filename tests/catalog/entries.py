"""Catalog lines for tests, made from few words."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from archiver.catalog.interface import Catalog, Hit
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

KEY = bytes(range(32))
START = datetime(2024, 8, 15, 12, tzinfo=UTC)


def digest(name: str | int) -> str:
    """A message id that follows from a name."""
    return hashlib.sha256(str(name).encode()).hexdigest()


def day(number: int) -> datetime:
    """So many days after the start."""
    return START + timedelta(days=number)


def message(name: str | int = 1, text: str = "", **more: Any) -> MessageEntry:
    """A message of 1,000 bytes in pack "packs/p", dated at the start."""
    return MessageEntry(**{"id": digest(name), "size": 1000, "pack": "packs/p", "text": text, "date": START, **more})


def place(name: str | int = 1, **more: Any) -> PlaceEntry:
    """UID 1 of li@example.com's INBOX, epoch 1, unread, seen at the start."""
    defaults = {"account": "li@example.com", "folder": "INBOX", "epoch": 1, "uid": 1, "flags": (), "date": START}
    return PlaceEntry(**{"message": digest(name), **defaults, "seen": START, **more})


CONTRACT = message(
    "contract",
    "请查收采购合同，thanks. PI-2024-0815",
    subject="采购合同 PI-2024-0815",
    from_=(Address("李伟", "li.wei@example.com"),),
    to=(Address("Hans Müller", "mueller@kunde.example"), Address("", "sales@kunde.example")),
    cc=(Address("张敏", "zhang@example.com"),),
    message_id="<a.b@example.com>",
    references=("<x@y>",),
    attachments=(AttachmentInfo("合同-final.pdf", "application/pdf", 12345),),
    defects=("bad date",),
    verdicts=(
        Verdict("dkim", "pass", "example.com", "s1", "covers only the first 10 bytes", "v=DKIM1; p=AB"),
        Verdict("dkim", "not checked", "kunde.example", "s1", 'DNS said ["arc","pass",'),
    ),
)


STORY: list[Entry] = [
    FolderEntry("li@example.com", "INBOX", 1, 100, day(0)),
    message(date=None),
    place(uid=1, date=day(-3)),
    FlagsEntry("li@example.com", "INBOX", 1, 1, ("\\Seen",), day(1)),
    FlagsEntry("li@example.com", "INBOX", 1, 1, ("\\Seen", "\\Flagged"), day(2)),
    GoneEntry("li@example.com", "INBOX", 1, 1, day(3)),
    CertificateEntry("li@example.com", "INBOX", 1, 2, 1, ("UID 7",), day(3)),
]


def fill(catalog: Catalog, *entries: Entry, seq: int = 1) -> None:
    """Add and seal as manifest `seq` of writer w."""
    catalog.add(entries)
    catalog.seal("w", seq)


def ids(hits: Sequence[Hit]) -> list[str]:
    """The ids of hits in their order."""
    return [hit.id for hit in hits]
