"""What the servers held when the archive last saw them: what a new writer takes over from a lost one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apsw

from archiver.model import MessageId

LIVE = """
    SELECT uid, messages.id, flags FROM places JOIN messages ON messages.number = places.message
    WHERE folder = ? AND epoch = ? AND messages.pack IS NOT NULL
    AND (gone IS NULL OR (seen IS NOT NULL AND gone < seen)) ORDER BY uid"""


@dataclass(frozen=True, slots=True)
class LiveFolder:
    """The latest epoch of a folder, and its live places: (UID, message, flags separated by spaces).

    A place whose message no pack is known to hold is not among them: the message is to be fetched again.
    """

    account: str
    folder: str
    epoch: int
    uidvalidity: int
    places: tuple[tuple[int, MessageId, str], ...]


def packs(reader: apsw.Connection) -> set[str]:
    """Names of the packs that some message lies in."""
    return {str(name) for (name,) in reader.execute("SELECT name FROM packs")}


def messages(reader: apsw.Connection) -> Iterator[tuple[MessageId, str]]:
    """Every message with the pack that holds it."""
    rows: Iterable[Any] = reader.execute("SELECT id, name FROM messages JOIN packs ON packs.number = messages.pack")
    for message, pack in rows:
        yield bytes(message).hex(), pack


def folders(reader: apsw.Connection) -> Iterator[LiveFolder]:
    """Every folder, one at a time."""
    latest: Iterable[Any] = reader.execute(
        "SELECT folders.number, account, name, epoch, uidvalidity FROM folders "
        "JOIN epochs ON epochs.folder = folders.number GROUP BY folders.number HAVING epoch = max(epoch)"
    ).fetchall()
    for number, account, name, epoch, uidvalidity in latest:
        rows: Iterable[Any] = reader.execute(LIVE, (number, epoch))
        places = tuple((uid, bytes(message).hex(), " ".join(flags.split())) for uid, message, flags in rows)
        yield LiveFolder(account, name, epoch, uidvalidity, places)
