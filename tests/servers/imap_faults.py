"""How real IMAP servers misbehave, each as one small class for the scripted server. Seen at the servers named."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from examples.imap_grammar import Command
from examples.imap_mailbox import Mail
from tests.servers.scripted import Fault, Signal

Chunks = Sequence[bytes | Signal]


def has_body(command: Command) -> bool:
    """Whether a command asks for messages."""
    return command.name == "UID FETCH" and b"BODY" in command.args


class Rows(Fault):
    """Changes FETCH responses by a function of (row, mail). uid: of one message only; bodies: only with a body."""

    def __init__(
        self,
        change: Callable[[bytes, Mail], bytes],
        uid: int = 0,
        bodies: bool = False,
        pieces: bool = True,
        most: int = 0,
    ) -> None:
        super().__init__()
        self._change, self._uid, self._bodies, self._pieces, self._most = change, uid, bodies, pieces, most

    def row(self, number: int, mail: Mail, items: bytes, row: bytes) -> bytes:
        if self._uid not in (0, mail.uid) or (self._bodies and b"BODY" not in items):
            return row
        if (not self._pieces and b"BODY.PEEK[]<" in items) or (self._most and self.times >= self._most):
            return row
        self.times += 1
        return self._change(row, mail)


class Lines(Fault):
    """Changes each chunk of the answers to one command; one that becomes empty is left out."""

    def __init__(self, name: str, change: Callable[[bytes], bytes], most: int = 0) -> None:
        super().__init__()
        self._name, self._change, self._most = name, change, most

    def answer(self, command: Command, chunks: list[bytes]) -> Chunks:
        if command.name != self._name or (self._most and self.times >= self._most):
            return chunks
        self.times += 1
        return [changed for chunk in chunks if (changed := self._change(chunk))]


class Replies(Fault):
    """Answers one command with one tagged line (NO, BAD …), the first `most` times; rows: after half of its rows."""

    def __init__(self, name: str, line: bytes, most: int = 1 << 30, rows: bool = False, bodies: bool = False) -> None:
        super().__init__()
        self._name, self._line, self._most, self._rows, self._bodies = name, line, most, rows, bodies

    def answer(self, command: Command, chunks: list[bytes]) -> Chunks:
        if command.name != self._name or self.times >= self._most or (self._bodies and not has_body(command)):
            return chunks
        self.times += 1
        kept = chunks[: len(chunks) // 2] if self._rows else []
        return [*kept, b"%s %s\r\n" % (command.tag, self._line)]


class UnsafeLogin(Fault):
    """NetEase: folders are opened only for clients that sent ID."""

    def answer(self, command: Command, chunks: list[bytes]) -> Chunks:
        if command.name == "ID":
            self.times += 1
        if command.name == "EXAMINE" and not self.times:
            return [b"%s NO EXAMINE Unsafe Login. Please contact kefu@188.com for help\r\n" % command.tag]
        return chunks


class AscendingOnly(Fault):
    """Tencent: a set that descends is BAD."""

    def answer(self, command: Command, chunks: list[bytes]) -> Chunks:
        if command.name != "UID FETCH":
            return chunks
        numbers = [int(number) for number in re.findall(rb"\d+", command.args.split(b" ")[0])]
        return chunks if numbers == sorted(numbers) else [b"%s BAD FETCH error\r\n" % command.tag]


class Stops(Fault):
    """Sends the rows up to a message, and of that one `keep` bytes; then closes the connection, or sends nothing more.

    grow: how many bytes more than there are the literal announces.
    """

    def __init__(self, uid: int, keep: int, how: Signal = Signal.CUT, most: int = 1 << 30, grow: int = 0) -> None:
        super().__init__()
        self._uid, self._keep, self._how, self._most, self._grow = uid, keep, how, most, grow

    def answer(self, command: Command, chunks: list[bytes]) -> Chunks:
        marks = [b"(UID %d " % self._uid in chunk for chunk in chunks]
        if not has_body(command) or not any(marks) or self.times >= self._most:
            return chunks
        self.times += 1
        position = marks.index(True)
        row = re.sub(rb"\{(\d+)\}", lambda size: b"{%d}" % (int(size[1]) + self._grow), chunks[position], count=1)
        return [*chunks[:position], row[: self._keep], self._how]


class Hangup(Fault):
    """BYE inside a command, once."""

    def answer(self, command: Command, chunks: list[bytes]) -> Chunks:
        if not has_body(command) or self.times:
            return chunks
        self.times += 1
        return [*chunks[:2], b"* BYE Session expired, please login again.\r\n", Signal.CUT]


class Around(Fault):
    """Puts lines before the first response of each answer that carries messages, the first `most` times."""

    def __init__(self, line: bytes, most: int = 1 << 30) -> None:
        super().__init__()
        self._line, self._most = line, most

    def answer(self, command: Command, chunks: list[bytes]) -> Chunks:
        if not has_body(command) or self.times >= self._most:
            return chunks
        self.times += 1
        return [self._line, *chunks]


class Shuffled(Fault):
    """Yahoo: rows in descending order, each twice."""

    def answer(self, command: Command, chunks: list[bytes]) -> Chunks:
        rows = chunks[:-1]
        return [*reversed(rows), *rows, chunks[-1]] if command.name == "UID FETCH" else chunks


class Vanishes(Fault):
    """Does something to the account after the first answer that carries messages."""

    def __init__(self, change: Callable[[], object]) -> None:
        super().__init__()
        self._change = change

    def answer(self, command: Command, chunks: list[bytes]) -> Chunks:
        if has_body(command):
            self.times += 1
            if self.times == 1:
                self._change()
        return chunks


class Greets(Fault):
    """Another first line."""

    def __init__(self, line: bytes, most: int = 1 << 30) -> None:
        super().__init__()
        self._line, self._most = line, most

    def greeting(self, line: bytes) -> bytes:
        self.times += 1
        return self._line if self.times <= self._most else line


class ShortList(Fault):
    """Outlook.com: LIST "" "*" ends before its end, with OK."""

    def __init__(self, keep: int) -> None:
        super().__init__()
        self._keep = keep

    def answer(self, command: Command, chunks: list[bytes]) -> Chunks:
        cut = command.name == "LIST" and b'"*"' in command.args
        self.times += cut
        return [*chunks[: self._keep], chunks[-1]] if cut else chunks


class ExamineLies(Fault):
    """Courier: UIDVALIDITY and the number of messages are right only in the answer to SELECT."""

    def answer(self, command: Command, chunks: list[bytes]) -> Chunks:
        if command.name != "EXAMINE":
            return chunks
        self.times += 1
        wrong = rb"[UIDVALIDITY %d]" % (7_000 + self.times)
        return [re.sub(rb"\[UIDVALIDITY \d+\]", wrong, chunk) for chunk in chunks]
