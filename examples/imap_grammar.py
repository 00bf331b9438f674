"""The parts of IMAP's grammar a small server needs: commands, sets of numbers, dates, strings (RFC 3501 section 9)."""

from __future__ import annotations

import base64
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import BinaryIO

Argument = bytes | list["Argument"]

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
LONGEST_LINE = 64 * 1024  # bytes
LARGEST_LITERAL = 64 * 1024 * 1024  # bytes
_COMMAND = re.compile(rb"(\S+) ((?:UID )?[A-Za-z]+) ?(.*)", re.DOTALL | re.IGNORECASE)
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}$")
_TOKEN = re.compile(rb' *(?:(\()|(\))|"((?:[^"\\\r\n]|\\["\\])*)"|((?:[^ ()"\[]|\[[^\]]*\])+))')
_DATE = re.compile(rb"\s*(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")


class SyntaxMistakeError(ValueError):
    """The command is not one this server understands; it answers BAD."""


@dataclass(frozen=True)
class Command:
    """What a client sent: `name` in capitals ("UID FETCH"); `pieces` are text, literal, text, literal, … text.

    The answer to a SASL challenge (RFC 3501 section 6.2.2) counts as a literal, decoded.
    """

    tag: bytes
    name: str
    pieces: tuple[bytes, ...]

    @property
    def args(self) -> bytes:
        """The text as it came, without the literals."""
        return b"".join(self.pieces[::2])

    @property
    def literal(self) -> bytes:
        """The last literal; empty when there is none."""
        return self.pieces[-2] if len(self.pieces) > 1 else b""


def read_command(stream: BinaryIO, ready: Callable[[], object]) -> Command | None:
    """The next command; None at the end of the connection, or when a line or literal is longer than any limit.

    `ready` asks the client to go on.
    """
    line = stream.readline(LONGEST_LINE)
    pieces: list[bytes] = []
    while line.endswith(b"\n"):
        line = line.rstrip(b"\r\n")
        found = _LITERAL.search(line)
        if not found:
            return _command((*pieces, line), stream, ready)
        if int(found[1]) > LARGEST_LITERAL:
            return None
        if not found[2]:
            ready()
        pieces += [line[: found.start()], stream.read(int(found[1]))]
        line = stream.readline(LONGEST_LINE)
    return None


def _command(pieces: tuple[bytes, ...], stream: BinaryIO, ready: Callable[[], object]) -> Command | None:
    found = _COMMAND.fullmatch(pieces[0])
    if not found:
        return Command(pieces[0].partition(b" ")[0] or b"*", "", pieces)
    name = found[2].decode("ascii").upper()
    if name != "AUTHENTICATE":
        return Command(found[1], name, (found[3], *pieces[1:]))
    ready()
    answer = stream.readline(LONGEST_LINE)
    try:
        return Command(found[1], name, (found[3], base64.b64decode(answer, validate=False), b""))
    except ValueError:
        return None


def arguments(pieces: Sequence[bytes]) -> list[Argument]:
    """The arguments of a command; `pieces` are text, literal, text, literal, … text."""
    stack: list[list[Argument]] = [[]]
    for number, piece in enumerate(pieces):
        if number % 2:
            stack[-1].append(piece)
            continue
        for opened, closed, quoted, atom in _tokens(piece):
            if opened:
                stack.append([])
            elif closed and len(stack) > 1:
                inner = stack.pop()
                stack[-1].append(inner)
            elif closed:
                raise SyntaxMistakeError("a ) too many")
            else:
                stack[-1].append(atom or re.sub(rb"\\(.)", rb"\1", quoted))
    if len(stack) != 1:
        raise SyntaxMistakeError("a ) is missing")
    return stack[0]


def _tokens(text: bytes) -> Iterator[tuple[bytes, bytes, bytes, bytes]]:
    position, text = 0, text.rstrip(b" ")
    while position < len(text):
        found = _TOKEN.match(text, position)
        if not found:
            raise SyntaxMistakeError(f"not understood at byte {position}")
        opened, closed, quoted, atom = found.groups()
        yield opened or b"", closed or b"", quoted or b"", atom or b""
        position = found.end()


def chosen(text: bytes, numbers: Sequence[int]) -> set[int]:
    """Which of the ascending `numbers` a sequence-set names; `*` is the last, and ranges may be written either way."""
    if not re.fullmatch(rb"(?:\d+|\*)(?::(?:\d+|\*))?(?:,(?:\d+|\*)(?::(?:\d+|\*))?)*", text):
        raise SyntaxMistakeError("not a set of numbers")
    found: set[int] = set()
    last = b"%d" % (numbers[-1] if numbers else 0)
    for part in text.replace(b"*", last).split(b","):
        ends = sorted(map(int, part.split(b":")))
        found.update(numbers[bisect_left(numbers, ends[0]) : bisect_right(numbers, ends[-1])])
    return found


def internal_date(when: datetime) -> bytes:
    """`date-time` in quotes."""
    sign, minutes = "+", int((when.utcoffset() or timedelta()).total_seconds()) // 60
    if minutes < 0:
        sign, minutes = "-", -minutes
    zone = f"{sign}{minutes // 60:02d}{minutes % 60:02d}"
    return f'"{when.day:2d}-{MONTHS[when.month - 1]}-{when.year:04d} {when:%H:%M:%S} {zone}"'.encode("ascii")


def read_date(text: bytes) -> datetime:
    """The opposite of `internal_date`, without its quotes."""
    found = _DATE.fullmatch(text)
    if not found:
        raise SyntaxMistakeError("not a date")
    day, month, year, hour, minute, second, sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == b"-" else 1)
    zone = timezone(offset) if offset else UTC
    number = MONTHS.index(month.decode().title()) + 1
    return datetime(int(year), number, int(day), int(hour), int(minute), int(second), tzinfo=zone)


def quoted(text: bytes) -> bytes:
    """A string in quotes."""
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def literal(data: bytes) -> bytes:
    """Any bytes, after their number."""
    return b"{%d}\r\n" % len(data) + data


def pattern(text: bytes) -> re.Pattern[bytes]:
    """What LIST looks for: `*` is anything, `%` anything within a level (RFC 3501 section 6.3.8)."""
    return re.compile(re.escape(text).replace(rb"\*", b".*").replace(b"%", b"[^/]*"), re.DOTALL)
