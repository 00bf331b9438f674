"""The terms a query is made of, and their values read from text."""

from __future__ import annotations

import calendar
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from archiver.catalog.tokens import phrase

PARTS = ("", "from", "to", "cc", "subject", "filename", "text")
ALIASES = {"file": "filename"}
PLACES = ("account", "folder", "flag", "label")
PATTERN_LIMIT = 1000
RESULTS = ("pass", "fail", "policy", "neutral", "temperror", "permerror", "not checked", "none")
UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


class Wrong(ValueError):  # noqa: N818  (never leaves the parser)
    """A term cannot be understood; `field`: its name is what is wrong, not its value."""

    def __init__(self, message: str, *, field: bool = False) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Words:
    """A phrase in one part (`field` "": in any); `start`: its last word is only a beginning."""

    field: str
    value: str
    start: bool = False

    def __str__(self) -> str:
        return f"{self.field}{':' if self.field else ''}{quoted(self.value)}{'*' if self.start else ''}"


@dataclass(frozen=True, slots=True)
class Placed:
    """The account, folder, flag or label of a place fits `pattern`, in which * and ? are wild and case is ignored."""

    field: str
    pattern: str

    def __str__(self) -> str:
        return f"{self.field}:{quoted(self.pattern)}"


@dataclass(frozen=True, slots=True)
class Size:
    """The raw message has more (or fewer) than `size` bytes."""

    larger: bool
    size: int

    def __str__(self) -> str:
        return f"{'larger' if self.larger else 'smaller'}:{self.size}"


@dataclass(frozen=True, slots=True)
class Dates:
    """Dated from the day `first` to the day `last`, both included; None is open."""

    first: date | None
    last: date | None

    def __str__(self) -> str:
        return f"date:{self.first or ''}..{self.last or ''}"


@dataclass(frozen=True, slots=True)
class Attached:
    """Has attachments."""

    def __str__(self) -> str:
        return "has:attachment"


@dataclass(frozen=True, slots=True)
class Judged:
    """A signature of this kind ("dkim", "arc") got this result when the message was archived; "none": there is none."""

    method: str
    result: str

    def __str__(self) -> str:
        return f"{self.method}:{quoted(self.result)}"


@dataclass(frozen=True, slots=True)
class Header:
    """Has this Message-ID, given without angle brackets."""

    message_id: str

    def __str__(self) -> str:
        return f"message-id:{quoted(self.message_id)}"


@dataclass(frozen=True, slots=True)
class Identified:
    """The SHA-256 of the raw message begins with these hexadecimal digits."""

    prefix: str

    def __str__(self) -> str:
        return f"id:{self.prefix}"


Term = Words | Placed | Size | Dates | Attached | Judged | Header | Identified


def quoted(value: str) -> str:
    """`value` between quotation marks, escaped."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def term(field: str, value: str, *, quoted: bool, star: bool) -> Term:
    """The term `field`:`value`; Wrong says what is the matter. `star`: a * follows the closing quotation mark."""
    field = ALIASES.get(field, field)
    if field in PARTS:
        return _words(field, value, quoted=quoted, star=star)
    if field not in FIELDS:
        raise Wrong(
            f"unknown field {field}: (known: {', '.join((*PARTS[1:], *FIELDS))}; quote it to search the text)",
            field=True,
        )
    if star or not value:
        raise Wrong(f"{field}: needs a value" if not value else f"{field}: takes no * after a quoted value")
    return FIELDS[field](value)


def _words(field: str, value: str, *, quoted: bool, star: bool) -> Words:
    if not quoted and value.endswith("*"):
        value, star = value.rstrip("*"), True
    if phrase(value) is None:
        raise Wrong("there is no letter or digit to search for")
    return Words(field, value, star)


def _placed(field: str) -> Callable[[str], Term]:
    def read(value: str) -> Term:
        if len(value) > PATTERN_LIMIT:
            raise Wrong(f"{field}: is longer than {PATTERN_LIMIT} characters")
        return Placed(field, value)

    return read


def _size(larger: bool) -> Callable[[str], Term]:
    def read(value: str) -> Term:
        found = re.fullmatch(r"([0-9]{1,15})([kmg]?)(?:i?b)?", unicodedata.normalize("NFKC", value).lower())
        if not found:
            raise Wrong("not a size; sizes look like 5M, 200K or 1000")
        return Size(larger, int(found[1]) * UNITS[found[2]])

    return read


def _attached(value: str) -> Term:
    if value.lower() not in ("attachment", "attachments"):
        raise Wrong("has: knows only has:attachment")
    return Attached()


def _judged(method: str) -> Callable[[str], Term]:
    def read(value: str) -> Term:
        result = value.lower().replace("-", " ")
        if result not in RESULTS:
            known = ", ".join(RESULTS).replace(" c", "-c")
            raise Wrong(f"{method}: knows only {known}")
        return Judged(method, result)

    return read


def _header(value: str) -> Term:
    inner = value.strip().removeprefix("<").removesuffix(">")
    if not inner:
        raise Wrong("message-id: needs a value")
    return Header(inner)


def _identified(value: str) -> Term:
    if not re.fullmatch(r"[0-9a-fA-F]{1,64}", value):
        raise Wrong("not an id; ids are up to 64 hexadecimal digits")
    return Identified(value.lower())


def _dates(value: str) -> Term:
    first, dots, last = value.partition("..")
    if not dots:
        return Dates(*_span(first))
    if not first and not last:
        raise Wrong("a range needs at least one end")
    found = Dates(_span(first)[0] if first else None, _span(last)[1] if last else None)
    if found.first and found.last and found.first > found.last:
        raise Wrong("the range runs backwards")
    return found


def _after(value: str) -> Term:
    return Dates(_span(value)[0], None)


def _before(value: str) -> Term:
    first = _span(value)[0]
    if first == date.min:
        raise Wrong("nothing lies before that")
    return Dates(None, first - timedelta(days=1))


def _span(text: str) -> tuple[date, date]:
    """The first and the last day of a year, a month or a day."""
    plain = unicodedata.normalize("NFKC", text)
    found = re.fullmatch(r"([0-9]{4})(?:年|(?:[-/年]([0-9]{1,2})(?:月|[-/月]([0-9]{1,2})日?)?))?", plain)
    if not found:
        raise Wrong("not a date; dates look like 2024, 2024-08 or 2024-08-15")
    year, month, day = (int(part) if part else 0 for part in found.groups())
    try:
        first = date(year, month or 1, day or 1)
        return first, first if day else date(year, month or 12, calendar.monthrange(year, month or 12)[1])
    except ValueError:
        raise Wrong("there is no such day") from None


FIELDS: dict[str, Callable[[str], Term]] = {
    **{field: _placed(field) for field in PLACES},
    "date": _dates,
    "after": _after,
    "before": _before,
    "larger": _size(True),
    "smaller": _size(False),
    "has": _attached,
    "dkim": _judged("dkim"),
    "arc": _judged("arc"),
    "message-id": _header,
    "id": _identified,
}
