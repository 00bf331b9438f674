"""Reads server responses in imaplib's place, one connection each: streams FETCH data out as it arrives, and forgives.

imaplib keeps every body until its command is complete and gives up at a blank line, a lower-case word or an OK without
text, all of which real servers send. The reader stands in for `IMAP4._get_response` on one object; what it forgives it
reads the way it was meant, and after anything else it raises ConnectError, for then the two sides are out of step.
"""

from __future__ import annotations

import imaplib
import mmap
import re
import tempfile
from collections.abc import Callable
from typing import Any

from archiver.errors import ConnectError
from archiver.model import Body
from archiver.sources import uids
from archiver.sources.limits import MIB, Limits, printable, spooling

LONGEST_LINE = 16 * MIB
LARGEST_STRING = 1 * MIB
"""Most bytes of a literal outside FETCH: a folder's name, a challenge."""

imaplib.__dict__["_MAXLINE"] = LONGEST_LINE  # 1,000,000 is too short for a set of many UIDs

Line = tuple[str, list[Body]]
"""An untagged response: its word in capitals, and [text, literal, text, …] of what follows."""

_NUMBERED = re.compile(rb"(?:\* *)?(\d+) +(FETCH|EXISTS|EXPUNGE|RECENT)\b *", re.IGNORECASE)
_WORD = re.compile(rb"\* *([A-Za-z][A-Za-z0-9-]*) *")
_TAGGED = re.compile(rb"(\S+) +(OK|NO|BAD)\b ?(.*)", re.IGNORECASE | re.DOTALL)
_LITERAL = re.compile(rb"\{(\d+)\+?\}$")
_UID = re.compile(rb"\bUID (\d+)", re.IGNORECASE)


class Reader:
    """`on_fetch` takes each FETCH response; `lines` collects the others; `exists` follows the open folder's count.

    `imap` is an imaplib.IMAP4, of which private parts are used (hence Any); the pinned IMAPClient is tested for them.
    """

    def __init__(self, imap: Any, limits: Limits) -> None:
        self._imap = imap
        self._limits = limits
        self._tag_start: bytes = imap.tagpre
        self._partial = b""
        self.on_fetch: Callable[[list[Body]], None] | None = None
        self.lines: list[Line] = []
        self.exists = 0
        imap._get_response = self._response

    def suspect(self) -> int:
        """The UID of the message during whose transfer the connection failed, or 0."""
        found = _UID.search(self._partial)
        return int(found[1]) if found else 0

    def _response(self) -> bytes | None:
        """Read one response. As in imaplib: None for a request to go on, else the first line."""
        line = self._line().lstrip(b"\0 ")
        if line.startswith(self._tag_start):
            self._completion(line)
        elif numbered := _NUMBERED.match(line):
            self._numbered(int(numbered[1]), numbered[2].upper(), line[numbered.end() :])
        elif word := _WORD.match(line):
            self._untagged(word[1].upper().decode("ascii"), line[word.end() :])
        elif line.startswith(b"+"):
            self._imap.continuation_response = line[1:].strip()
            return None
        elif line:
            raise ConnectError("the server sent a line that is no IMAP response")
        return line or b"*"

    def _completion(self, line: bytes) -> None:
        match = _TAGGED.match(line)
        waiting = self._imap.tagged_commands
        if match is None or match[1] not in waiting:
            raise ConnectError("the server completed a command that was not sent")
        waiting[match[1]] = (match[2].upper().decode("ascii"), [match[3]])

    def _numbered(self, number: int, word: bytes, rest: bytes) -> None:
        if word == b"FETCH":
            self._partial = rest
            parts = self._with_literals(rest, self._body)
            if self.on_fetch is not None:
                self.on_fetch(parts)
            self._partial = b""
        elif word == b"EXISTS":
            self.exists = number
        elif word == b"EXPUNGE":
            self.exists = max(0, self.exists - 1)

    def _untagged(self, word: str, rest: bytes) -> None:
        if word == "BYE":
            raise ConnectError(f"the server hung up: {printable(rest)}")
        if word == "VANISHED" and not rest.upper().startswith(b"(EARLIER)"):
            self.exists = max(0, self.exists - uids.count(uids.parse(rest)))
        self.lines.append((word, self._with_literals(rest, self._string)))

    def _with_literals(self, rest: bytes, read: Callable[[int], Body]) -> list[Body]:
        parts: list[Body] = [rest]
        while rest.endswith(b"}") and (match := _LITERAL.search(rest)):
            parts.append(read(int(match[1])))
            rest = self._line()
            parts.append(rest)
        return parts

    def _body(self, size: int) -> Body:
        return self._exactly(size) if size <= self._limits.huge else self._spooled(size)

    def _string(self, size: int) -> bytes:
        if size > LARGEST_STRING:
            raise ConnectError(f"the server announced a string of {size} bytes")
        return self._exactly(size)

    def _spooled(self, size: int) -> mmap.mmap:
        """A literal larger than was announced by SIZE: never held in memory whole."""
        if size > self._limits.largest:
            raise ConnectError(f"the server announced a message of {size} bytes")
        with spooling(), tempfile.TemporaryFile(dir=self._limits.spool) as spool:
            for start in range(0, size, MIB):
                spool.write(self._exactly(min(MIB, size - start)))
            spool.flush()
            return mmap.mmap(spool.fileno(), 0, access=mmap.ACCESS_READ)

    def _exactly(self, size: int) -> bytes:
        try:
            data: bytes = self._imap.read(size)
        except (OSError, ValueError, imaplib.IMAP4.error) as error:
            raise ConnectError(f"the connection failed inside a message: {type(error).__name__}") from None
        if len(data) != size:
            raise ConnectError(f"the connection ended {size - len(data)} bytes before the end of a message")
        return data

    def _line(self) -> bytes:
        try:
            line: bytes = self._imap.readline()
        except (OSError, ValueError, imaplib.IMAP4.error) as error:
            raise ConnectError(f"the connection failed: {type(error).__name__}") from None
        if not line.endswith(b"\n"):
            raise ConnectError("the connection ended in the middle of a line" if line else "the server hung up")
        return line[:-2] if line.endswith(b"\r\n") else line[:-1]
