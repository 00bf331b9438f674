"""One fetch of many messages, carried through cuts, refusals and bad messages until each came or is refused by name."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence

from archiver.errors import ConnectError, QuotaError
from archiver.model import Fetched, Refused, Row
from archiver.sources import uids
from archiver.sources.interface import GONE
from archiver.sources.limits import Limits, printable, throttled
from archiver.sources.metadata import Found
from archiver.sources.pieces import Pieces
from archiver.sources.session import Session
from archiver.sources.stream import Batch, Command, Stream, batches

Open = Callable[[bool], Session]
"""Gives a connection with the folder open; True: after an error, so log in or open the folder again."""

NO_BODY = "the server gives no body for it"

HOPELESS = 20
"""Connections lost in a row without a single message; halving the largest command down to one message takes ten."""


class _Throttled(Exception):  # noqa: N818  # not an error: the server asks to wait, seconds as the argument
    """Leaves the loop over a connection."""


class Fetching:
    """Work left of one fetch. A command that fails is halved down to the one message at fault, which is tried again
    in later rounds, in pieces the last time, and then refused."""

    def __init__(self, rows: Sequence[Row], limits: Limits, line: int, open_folder: Open) -> None:
        self._limits = limits
        self._open = open_folder
        self._hints = {row.uid: row.size for row in rows}
        small = [row for row in rows if row.size <= limits.huge]
        self._queue: deque[Batch] = deque(batches(small, limits, line))
        self._pieces = sorted(row.uid for row in rows if row.size > limits.huge)
        self._absent: dict[int, str] = {}
        self._failed: dict[int, str] = {}
        self._tries: Counter[int] = Counter()
        self._failures = 0
        self._depth = limits.depth

    def run(self) -> Iterator[Fetched | Refused]:
        """Every message of the rows, or its refusal. ConnectError, QuotaError, ProtocolError when nothing goes on."""
        again = False
        while self._queue or self._pieces:
            yield from self._round(again)
            yield from self._in_pieces()
            yield from self._missing()
            again = bool(self._failed)
            yield from self._next_round()

    def _round(self, again: bool) -> Iterator[Fetched | Refused]:
        while self._queue:
            stream = Stream(self._open(again), self._depth)
            try:
                yield from self._streamed(stream)
            except ConnectError as error:
                self._cut(stream, error)
                again = True
            except _Throttled as pause:
                self._queue.extend(sorted(command.left) for command in stream.flight if command.left)
                stream.session.close()
                self._limits.sleep(pause.args[0])
            finally:
                if stream.flight:
                    stream.session.close()

    def _streamed(self, stream: Stream) -> Iterator[Fetched]:
        for event in stream.run(self._queue):
            if isinstance(event, Found):
                self._failures = 0
                if event.body or not self._hints[event.uid]:
                    yield _fetched(event)
                else:
                    self._absent[event.uid] = f"the server gives an empty body for {self._hints[event.uid]} bytes"
            elif event.kind != "OK" or event.left:
                self._incomplete(event)
            elif throttled(event.text) is not None:
                self._slow_down(stream)

    def _incomplete(self, command: Command) -> None:
        """A command left something out: the rest may be gone (OK), or one message is at fault (NO, BAD)."""
        if command.kind == "OK":
            self._absent |= dict.fromkeys(command.left, NO_BODY)
            return
        wait = throttled(command.text)
        if wait is not None:
            self._queue.extendleft([sorted(command.left)] if command.left else [])
            self._wait(wait, command.text)
        elif len(command.left) == 1:
            reason = f"the server says {command.kind}: {printable(command.text)}"
            self._absent |= dict.fromkeys(command.left, reason)
        else:
            self._queue.extend(_halves(sorted(command.left)))

    def _cut(self, stream: Stream, error: ConnectError) -> None:
        """The connection is lost. The message in transfer is suspected, else the oldest command; the rest goes on."""
        suspect = stream.session.reader.suspect()
        lefts = [sorted(command.left) for command in stream.flight]
        if any(suspect in left for left in lefts):
            self._failed[suspect] = str(error)
            lefts = [[uid for uid in left if uid != suspect] for left in lefts]
        elif lefts and len(lefts[0]) == stream.flight[0].size:  # the oldest command brought nothing
            first, *lefts = lefts
            if len(first) == 1:
                self._failed[first[0]] = str(error)
            lefts += _halves(first) if len(first) > 1 else []
        self._queue.extend(left for left in lefts if left)
        stream.session.close()
        self._failures += 1
        if self._failures >= HOPELESS:
            self._give_up(str(error))
        self._limits.back_off(min(self._failures, 4) - 1)

    def _give_up(self, reason: str) -> None:
        """The server breaks off whatever it is asked for: what is left is refused by name, and later runs try again."""
        left = [uid for batch in self._queue for uid in batch] + self._pieces
        self._queue.clear()
        self._pieces.clear()
        self._failed |= dict.fromkeys(left, reason)
        self._tries.update(dict.fromkeys(self._failed, self._limits.attempts))

    def _wait(self, seconds: float, text: bytes) -> None:
        self._failures += 1
        if seconds > self._limits.longest_wait or self._failures > self._limits.attempts:
            raise QuotaError(f"the server limits reading: {printable(text)}", "a later run resumes")
        raise _Throttled(seconds)

    def _slow_down(self, stream: Stream) -> None:
        """[THROTTLED] on an OK (Gmail): one command at a time, with a pause."""
        self._depth = stream.depth = 1
        self._limits.sleep(1.0)

    def _missing(self) -> Iterator[Refused]:
        """Messages left out or refused: those the server no longer has are gone, the others are tried again, alone."""
        if not self._absent:
            return
        absent, self._absent = self._absent, {}
        try:
            there = self._there(self._open(False), set(absent))
        except ConnectError:
            there = set(absent)
        for uid in sorted(absent.keys() - there):
            yield Refused(uid, GONE)
        self._failed |= {uid: absent[uid] for uid in absent.keys() & there}

    def _there(self, session: Session, wanted: set[int]) -> set[int]:
        there: set[int] = set()
        for part, _ in uids.compact(wanted, session.provider.line):
            reply = session.run("UID", b"FETCH", part, b"(UID)")
            there |= {found.uid for found in session.found()} if reply.kind == "OK" else wanted
        return there

    def _in_pieces(self) -> Iterator[Fetched | Refused]:
        wanted, self._pieces = self._pieces, []
        for uid in wanted:
            pieces = Pieces(uid, self._hints[uid], self._limits)
            try:
                item = self._really(self._one_in_pieces(uid, pieces))
                if isinstance(item, Refused) and item.reason != GONE and not self._tries[uid]:
                    self._failed[uid] = item.reason  # SIZE may have been wrong: it is tried whole, too
                else:
                    yield item
            finally:
                pieces.close()

    def _really(self, item: Fetched | Refused) -> Fetched | Refused:
        """A server that answers nothing at all for a message has not said that it is gone."""
        if isinstance(item, Fetched) or item.reason != GONE:
            return item
        try:
            there = self._there(self._open(False), {item.uid})
        except ConnectError:
            there = {item.uid}
        return Refused(item.uid, NO_BODY) if there else item

    def _one_in_pieces(self, uid: int, pieces: Pieces) -> Fetched | Refused:
        """Goes on after a cut; gives up when as many attempts in a row brought nothing new."""
        failures, allowed = 0, 1 if self._tries[uid] else self._limits.attempts
        while True:
            start = pieces.offset
            try:
                return pieces.run(self._open(failures > 0))
            except ConnectError as error:
                failures = 0 if pieces.offset > start else failures + 1
                if failures >= allowed:
                    return Refused(uid, str(error))
                self._limits.back_off(failures)

    def _next_round(self) -> Iterator[Refused]:
        """Messages that failed: once more alone, then in pieces, then refused."""
        failed, self._failed = self._failed, {}
        if failed:
            self._limits.back_off(0)
        for uid, reason in sorted(failed.items()):
            self._tries[uid] += 1
            if self._tries[uid] < self._limits.attempts - 1:
                self._queue.append([uid])
            elif self._tries[uid] < self._limits.attempts:
                self._pieces.append(uid)
            else:
                yield Refused(uid, reason)


def _halves(left: Batch) -> list[Batch]:
    middle = len(left) // 2
    return [half for half in (left[:middle], left[middle:]) if half]


def _fetched(found: Found) -> Fetched:
    return Fetched(found.uid, found.flags or (), found.date, found.body or b"")
