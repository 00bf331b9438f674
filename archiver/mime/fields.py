"""Single header fields: parameters (RFC 2045, RFC 2231), dates (RFC 5322 section 3.3), message ids."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from archiver.mime.charsets import Decoder
from archiver.mime.headers import decode_words, one_line

ID_LIMIT = 1_000
"""Message ids taken from References and In-Reply-To together."""

_PARAMETER = re.compile(r';\s*([^\s=;"]{1,80})\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)', re.DOTALL)
_PIECE = re.compile(r"([^*]+)\*(\d{1,3})?(\*?)")
_VALUE_LIMIT = 16 * 1024
_USUAL_LIMIT = 128
"""Characters of a value that is remembered: nearly all parts of nearly all messages have one of a few dozen."""
_ID = re.compile(r"<([^<>\s]+)>")
_DATE = re.compile(
    r"(\d{1,2})[ \t-]+([A-Za-z]{3})[A-Za-z]*\.?[ \t,-]+(\d{2,4})[ \t,]+(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?(?:\.\d+)?"
    r"[ \t]*(AM|PM)?[ \t]*([+-]\d{1,2}:?\d{2}\b|[A-Za-z]{1,5}\b)?"
)
_CTIME = re.compile(
    r"([A-Za-z]{3})[A-Za-z]*[ \t]+(\d{1,2}),?[ \t]+(\d{1,2}):(\d{2})(?::(\d{2}))?[ \t]+"
    r"(?:([A-Za-z]{1,5}|[+-]\d{4})[ \t]+)?(\d{4})"
)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?(?:[+-]\d{2}:?\d{2}|Z)?")
_MONTHS = {
    name: i + 1
    for i, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
}
_ZONES = {
    "EST": -5,
    "EDT": -4,
    "CST": -6,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
    "JST": 9,
    "HKT": 8,
    "CET": 1,
    "CEST": 2,
}


def parse_parameters(value: str) -> tuple[str, Mapping[str, str]]:
    """The leading token in lower case, and the parameters as raw latin-1 values: `name`, `name*`, `name*0` … as
    written.
    """
    return _usual(value) if len(value) <= _USUAL_LIMIT else _parameters(value[:_VALUE_LIMIT])


def _parameters(value: str) -> tuple[str, Mapping[str, str]]:
    token, semicolon, _ = value.partition(";")
    parameters: dict[str, str] = {}
    if semicolon:
        for name, raw in _PARAMETER.findall(value, len(token)):
            parameters.setdefault(name.lower(), _unquoted(raw))
    return token.strip(" \t\r\n\"'").lower(), parameters


_usual = lru_cache(maxsize=1024)(_parameters)


def _unquoted(raw: str) -> str:
    if not raw.startswith('"'):
        return raw.strip()
    text = raw.strip()
    text = text[1:-1] if text.endswith('"') and len(text) > 1 else text[1:]
    if "\\" not in text:
        return text
    # In raw GBK or Big5 a backslash is often the second byte of a character.
    return re.sub(r"\\(.)", r"\1", text) if text.isascii() and ":\\" not in text else text.replace('\\"', '"')


def parameter(parameters: Mapping[str, str], name: str, decoder: Decoder) -> str:
    """A parameter as text: RFC 2231 pieces joined as bytes before decoding, else RFC 2047 words or raw bytes."""
    plain = parameters.get(name)
    if plain is None or name + "*" in parameters:
        pieces = sorted(_pieces(parameters, name))
        if pieces:
            return _decode_pieces(pieces, decoder)
    return decode_words(plain, decoder) if plain else ""


def _pieces(parameters: Mapping[str, str], name: str) -> Iterable[tuple[int, bool, str]]:
    for key, value in parameters.items():
        match = _PIECE.fullmatch(key)
        if match and match[1] == name:
            yield int(match[2] or 0), bool(match[3]) or match[2] is None, value


def _decode_pieces(pieces: list[tuple[int, bool, str]], decoder: Decoder) -> str:
    label = ""
    if pieces[0][1] and pieces[0][2].count("'") >= 2:
        label, _, rest = pieces[0][2].split("'", 2)
        pieces[0] = (pieces[0][0], True, rest)
    if not any(encoded for _, encoded, _ in pieces):
        return decode_words("".join(value for _, _, value in pieces), decoder)
    data = b"".join(
        unquote_to_bytes(v.encode("latin-1")) if encoded else v.encode("latin-1") for _, encoded, v in pieces
    )
    return one_line(decoder.decode(data, label))


def parse_date(value: str) -> datetime | None:
    """The moment a Date header names, aware; UTC where no zone is given. None if unreadable or not in 1970 to 2999."""
    value = value[:200]
    match = _DATE.search(value)
    if match:
        day, month, year, hour, minute, second, half, zone = match.groups()
        return _moment(year, month, day, _hour24(hour, half), minute, second, zone)
    match = _CTIME.search(value)
    if match:
        month, day, hour, minute, second, zone, year = match.groups()
        return _moment(year, month, day, int(hour), minute, second, zone)
    match = _ISO.search(value)
    if match:
        try:
            moment = datetime.fromisoformat(match[0])
        except ValueError:
            return None
        return _in_range(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return None


def _hour24(hour: str, half: str | None) -> int:
    return int(hour) if half is None else int(hour) % 12 + (12 if half == "PM" else 0)


def _moment(
    year: str, month: str, day: str, hour: int, minute: str, second: str | None, zone: str | None
) -> datetime | None:
    full = int(year)
    if len(year) < 4:
        full += 2000 if full < 50 else 1900
    try:
        moment = datetime(
            full,
            _MONTHS.get(month.lower(), 0),
            int(day),
            hour,
            int(minute),
            min(int(second or 0), 59),
            tzinfo=_zone(zone),
        )
    except ValueError:
        return None
    return _in_range(moment)


def _zone(zone: str | None) -> timezone:
    if zone and zone[0] in "+-":
        digits = zone[1:].replace(":", "").zfill(4)
        minutes = int(digits[:2]) * 60 + int(digits[2:])
        if minutes < 24 * 60:
            return timezone(timedelta(minutes=-minutes if zone[0] == "-" else minutes)) if minutes else UTC
        return UTC
    hours = _ZONES.get(zone.upper(), 0) if zone else 0
    return timezone(timedelta(hours=hours)) if hours else UTC


def _in_range(moment: datetime) -> datetime | None:
    return moment if 1970 <= moment.year < 3000 else None


def parse_id(value: str) -> str:
    """The Message-ID without its angle brackets; "" when there is none."""
    match = _ID.search(value)
    text = match[1] if match else value.strip("<> \t")
    return one_line(text[:1000].encode("latin-1", "replace").decode("utf-8", "replace"))


def parse_ids(values: Iterable[str]) -> tuple[str, ...]:
    """Every message id of References and In-Reply-To, each once, in order, without angle brackets."""
    found: dict[str, None] = {}
    for value in values:
        for text in _ID.findall(value):
            found[parse_id(text)] = None
            if len(found) >= ID_LIMIT:
                return tuple(found)
    return tuple(found)
