"""Bodies as they arrive, with several FETCH commands under way; nothing but the message in transfer is in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from archiver.errors import ConnectError
from archiver.model import Body, Row
from archiver.sources import uids
from archiver.sources.limits import Limits
from archiver.sources.metadata import Found, parse
from archiver.sources.session import Session

Batch = list[int]
"""UIDs of one command, ascending."""


@dataclass(slots=True)
class Command:
    """A FETCH under way: the UIDs still to come; when complete, its outcome (OK, NO or BAD) and the server's words."""

    tag: bytes
    left: set[int]
    size: int
    kind: str = ""
    text: bytes = b""


def batches(rows: Sequence[Row], limits: Limits, line: int) -> Iterator[Batch]:
    """Rows cut into commands by bytes, number and length of a line. `size` is a hint, 0 counts as a small mail."""
    batch: Batch = []
    size = 0
    for row in sorted(rows, key=lambda row: row.uid):
        expected = row.size or 20_000
        if batch and (size + expected > limits.batch or len(batch) >= limits.batch_messages):
            yield from (held for _, held in uids.compact(batch, line))
            batch, size = [], 0
        batch.append(row.uid)
        size += expected
    yield from (held for _, held in uids.compact(batch, line))


class Stream:
    """The commands of one connection. After a ConnectError, `flight` has what had not come."""

    def __init__(self, session: Session, depth: int) -> None:
        self.session = session
        self.depth = depth
        self.flight: deque[Command] = deque()
        self._arrived: deque[Found] = deque()

    def run(self, queue: deque[Batch]) -> Iterator[Found | Command]:
        """Messages as they come, each once, and each command when it is complete. Raises ConnectError.

        What the consumer appends to the queue is sent as well.
        """
        self.session.reader.on_fetch = self._take
        while queue or self.flight:
            while queue and len(self.flight) < self.depth:
                self._send(queue[0])
                queue.popleft()  # not before it is under way: a failure to send must not lose it
            self.session.step()
            while self._arrived:
                yield self._arrived.popleft()
            while self.flight and (done := self.session.finished(self.flight[0].tag)):
                command = self.flight.popleft()
                command.kind, command.text = done
                yield command
            self.session.reader.lines.clear()

    def _send(self, batch: Batch) -> None:
        ((wanted, _),) = uids.compact(batch, 1 << 30)
        items = self.session.items(b"INTERNALDATE", b"BODY.PEEK[]")
        self.flight.append(Command(self.session.send("UID", b"FETCH", wanted, items), set(batch), len(batch)))

    def _take(self, parts: list[Body]) -> None:
        try:
            found = parse(parts)
        except ValueError as error:
            raise ConnectError(f"a message cannot be read: {error}") from None
        if found is None or found.body is None or found.origin > 0:
            return
        for command in self.flight:
            if found.uid in command.left:
                command.left.remove(found.uid)
                self._arrived.append(found)
                return
