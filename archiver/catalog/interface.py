"""The local searchable picture of the archive. Disposable: the catalog lines of manifests bring it back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from archiver.model import Address, AttachmentInfo, Entry, MessageId, Place, Verdict


@dataclass(frozen=True, slots=True)
class Hit:
    """One message found; `pack` is the object that holds it, `date` the Date header else the earliest INTERNALDATE."""

    id: MessageId
    size: int
    pack: str
    subject: str
    from_: tuple[Address, ...]
    to: tuple[Address, ...]
    date: datetime | None
    message_id: str
    attachments: tuple[AttachmentInfo, ...]
    places: tuple[Place, ...]
    verdicts: tuple[Verdict, ...] = ()


class Catalog(Protocol):
    """Search raises ConfigError with the position of a mistake in the query."""

    def add(self, entries: Iterable[Entry]) -> None:
        """Take lines in, inside the open batch; a line seen before changes nothing."""

    def seal(self, writer: str, seq: int) -> None:
        """Make everything added since the last call durable, as the lines of this writer's manifest `seq`."""

    def sealed(self) -> dict[str, int]:
        """The last manifest taken in, for each writer; whatever is newer must be read from a store."""

    def search(self, query: str, *, limit: int | None = None, sort: str = "date") -> Sequence[Hit]:
        """Messages that match, newest first (`sort`: date, -date, relevance, size)."""

    def places(self, message: MessageId) -> Sequence[Place]:
        """Every place the message is or was."""

    def forget_all(self) -> None:
        """Empty the catalog."""
