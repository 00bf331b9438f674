"""Finds the messages of a new epoch again among those of epochs that ended, so that they need no download.

UIDs mean nothing across epochs (RFC 3501 section 2.3.1.1), so places are compared by a key of what a server tells of
any message: INTERNALDATE, RFC822.SIZE, Message-ID, Date and From. Only keys that stand for one message on either side
count, and of the messages they pair a sample, drawn by lot, is fetched and compared by hash: if one differs, all are
fetched. A key needs a Message-ID and an INTERNALDATE; what has none is fetched.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from archiver.backup.task import Task
from archiver.errors import ProtocolError
from archiver.model import Body, Fetched, MessageId, Refused, Row
from archiver.sources.interface import GONE, Source
from archiver.state import FolderState, State

SAMPLE = 16
"""Messages fetched of those that were found again. One altered at random in fifty is then noticed in one run of four,
a server that alters all of them always."""

HEADER = 256 * 1024
"""Bytes in which the header of a message is looked for."""

_NAMES = (b"date", b"from", b"message-id")
_VALUE = re.compile(rb"[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*")


@dataclass(frozen=True, slots=True)
class Link:
    """A place of the new epoch whose message is archived already."""

    row: Row
    message: MessageId
    key: bytes


def key_of(date: datetime | None, size: int, header: Body) -> bytes | None:
    """16 bytes that tell a message from others without its UID; None where too little is known.

    date: INTERNALDATE; size in bytes; header: the message, its header, or the three fields alone.
    """
    if date is None:
        return None
    found = list(_fields(_head(header)))
    if not any(name == b"message-id" and value for name, value in found):
        return None
    fields = b"".join(b"%b:%b\n" % pair for pair in found)
    return hashlib.sha256(b"%d\n%d\n" % (int(date.timestamp()), size) + fields).digest()[:16]


def _head(header: Body) -> bytes:
    """The message up to its first empty line, ended by CRLF or LF."""
    end = header.find(b"\n\r\n", 0, HEADER)
    bare = header.find(b"\n\n", 0, HEADER if end < 0 else end + 1)
    if bare >= 0:
        end = bare
    return bytes(header[: HEADER if end < 0 else end])


def _fields(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, value without folds and runs of blanks) of the fields of the key, sorted. Of every message: no expression
    goes over the whole header."""
    lower = b"\n" + head.lower()
    for name in _NAMES:
        mark, values = b"\n%b:" % name, []
        at = lower.find(mark)
        while at >= 0:
            value = _VALUE.match(head, at + len(mark) - 1)
            values.append(b" ".join(value[0].split()) if value else b"")
            at = lower.find(mark, at + 1)
        for text in sorted(values):
            yield name, text


class Linker:
    """Remembers the places that end in the run over one account. `take` archives or refuses a message and counts it."""

    def __init__(self, state: State, take: Callable[[Task, Fetched | Refused], None]) -> None:
        self._state, self._take = state, take
        self._former: dict[bytes, MessageId | None] = {}

    def ended(self, folder: FolderState) -> None:
        """An epoch is about to end. A key of two different messages stands for neither."""
        for key, message in self._state.keys(folder.id):
            if self._former.setdefault(key, message) != message:
                self._former[key] = None

    def links(self, source: Source, task: Task, rows: Sequence[Row]) -> tuple[list[Link], set[int]]:
        """(what may be linked, UIDs the sample has dealt with). Never raises for a folder: it is then fetched."""
        sampled: set[int] = set()
        if not self._former or not rows:
            return [], sampled
        try:
            found = self._matches(rows, source.headers(task.folder, [row.uid for row in rows]))
            sound = bool(found) and self._proven(source, task, found, sampled)
        except ProtocolError:
            sound = False
        return [link for link in found if link.row.uid not in sampled] if sound else [], sampled

    def _matches(self, rows: Iterable[Row], headers: Iterable[tuple[int, bytes]]) -> list[Link]:
        by_uid = {row.uid: row for row in rows}
        keys = {uid: key_of(row.date, row.size, header) for uid, header in headers if (row := by_uid.get(uid))}
        often = Counter(keys.values())
        return [
            Link(by_uid[uid], message, key)
            for uid, key in keys.items()
            if key is not None and often[key] == 1 and (message := self._former.get(key)) is not None
        ]

    def _proven(self, source: Source, task: Task, found: Sequence[Link], sampled: set[int]) -> bool:
        """Fetch the sample, which archives it; whether at least one could be compared and none differs."""
        chosen = {link.row.uid: link for link in random.SystemRandom().sample(found, min(SAMPLE, len(found)))}
        verdicts = []
        for item in source.fetch(task.folder, [link.row for link in chosen.values()]):
            if isinstance(item, Fetched):
                verdicts.append(hashlib.sha256(item.body).hexdigest() == chosen[item.uid].message)
            elif item.reason != GONE:
                verdicts.append(False)
                continue  # it is tried again with the others, and fails there by name
            self._take(task, item)
            sampled.add(item.uid)
        return bool(verdicts) and all(verdicts)
