"""The parts of IMAP's grammar a small server needs: arguments, sets of numbers, dates, strings (RFC 3501 section 9)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone

Argument = bytes | list["Argument"]

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_TOKEN = re.compile(rb' *(?:(\()|(\))|"((?:[^"\\\r\n]|\\["\\])*)"|((?:[^ ()"\[]|\[[^\]]*\])+))')
_DATE = re.compile(rb"\s*(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")


class SyntaxMistakeError(ValueError):
    """The command is not one this server understands; it answers BAD."""


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
    if not numbers:
        return set()
    found: set[int] = set()
    for part in text.replace(b"*", b"%d" % numbers[-1]).split(b","):
        ends = sorted(map(int, part.split(b":")))
        found.update(number for number in numbers if ends[0] <= number <= ends[-1])
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


def pattern(reference: bytes, name: bytes) -> re.Pattern[str]:
    """What LIST looks for: `*` is anything, `%` anything within a level (RFC 3501 section 6.3.8)."""
    text = re.escape((reference + name).decode("ascii", "replace"))
    return re.compile(text.replace(r"\*", ".*").replace("%", "[^/]*"), re.DOTALL)
