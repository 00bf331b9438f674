"""What the intake fills: a pack with the lines that rest on it, and notes that rest on no pack."""

from __future__ import annotations

from dataclasses import dataclass, field

from archiver.authenticity.checker import Examination
from archiver.backup.drafts import Drafts
from archiver.batches import Batch
from archiver.model import MessageId
from archiver.vault.pack import PackWriter

PACK_SIZE = 40 * 1024 * 1024
"""Ciphertext bytes at which a pack is closed. A night may write 4 + bytes/32 MiB objects (Drive takes about 2 files a
second, S3 bills by request): what packs have above 32 MiB pays for the commits in between."""

HELD = 96 * 1024 * 1024
"""Bytes of waiting catalog lines, compressed, at which a batch is closed whatever its pack has: bounds the memory."""

RECORDS = 100_000
"""Messages and places at which it is closed, for the same reason; real mail fills a pack long before."""

NOTES = 20_000
"""Lines that rest on no pack at which they are made durable by themselves."""


@dataclass(slots=True)
class Filling:
    """The pack being filled, and what becomes durable with it: its messages, their places, certificates, cursors."""

    era: str
    record: Batch
    pack: PackWriter | None = None
    messages: list[MessageId] = field(default_factory=list)
    claimed: set[MessageId] = field(default_factory=set)
    examined: dict[MessageId, Examination] = field(default_factory=dict)
    segments: set[str] = field(default_factory=set)
    texts: Drafts = field(default_factory=Drafts)
    places: Drafts = field(default_factory=Drafts)

    @property
    def full(self) -> bool:
        """Whether it is time to seal."""
        packed = self.pack.size if self.pack is not None else 0
        held = self.texts.held + self.places.held
        return packed >= PACK_SIZE or held >= HELD or len(self.record.places) >= RECORDS


@dataclass(slots=True)
class Notes:
    """Lines and changes that rest on nothing but what is durable already."""

    record: Batch
    lines: Drafts = field(default_factory=Drafts)
    count: int = 0

    @property
    def full(self) -> bool:
        """Whether they are too many to wait for the pack."""
        return self.count >= NOTES
