"""How messages leave the archive: an exporter gets messages and a place to write, and says what became of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from archiver.model import Body, MessageId, Place, Problem, Verdict


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message on its way out. `places` in the order of first seen; `date` is the Date header, aware, or None.

    verdicts: what its signatures were worth when it was archived · copy_of: the id of the message that this one is a
    copy of, without what is not handed out; "" for a message as it was archived.
    """

    id: MessageId
    raw: Body
    places: tuple[Place, ...]
    subject: str
    date: datetime | None
    verdicts: tuple[Verdict, ...] = ()
    copy_of: MessageId = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the messages: each one given is counted once in `written`, `skipped` (there already, identical)
    or `failed`.

    files: the files that now hold messages, relative to the target, in the order they were first needed.
    """

    written: int
    skipped: int
    failed: tuple[Problem, ...]
    files: tuple[Path, ...]


def problem(message: Outgoing, reason: str) -> Problem:
    """The message as one that could not be written; its id and place, nothing of its content."""
    place = message.places[0] if message.places else None
    subject = f"message {message.id[:16]}"
    return Problem(subject, reason, place.account, place.folder, place.uid) if place else Problem(subject, reason)


class Exporter(Protocol):
    """One form of export. A form is a class in a file of its own and a row in `archiver/cli/forms/table.py`."""

    def export(self, messages: Iterable[Outgoing], target: Path) -> Report:
        """Write the messages below the folder `target`, creating it if needed; existing files are never overwritten.

        A message that cannot be written is a Problem in the report and the rest goes on. Running it again with the same
        messages in the same order writes nothing. Raises QuotaError when the disk is full: nothing else can be
        written then.
        """
