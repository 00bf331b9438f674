"""Meetings that a message invites to, moves or calls off: what its calendar part says (RFC 5545, RFC 5546, RFC 6047).

Tolerant like all parsing of mail: whatever is in the part, in time linear in what is read of it, and never an error.
Times are told as they stand there: in UTC, or in a zone named by the sender, with its offset where the part tells one
that is the same all year. No database of time zones is asked, for then the day of the export would change a page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from archiver.mime import Attachment
from archiver.mime.contents import embedders, text_of
from archiver.model import Address

PARTS = 4
"""Calendar parts of a message that are read."""
READ = 256 * 1024
"""Bytes of such a part that are read."""
EVENTS = 5
"""Meetings of a message that are told; a series lists those that differ one by one."""
ATTENDEES = 500

_DEEPEST = 10  # a VALARM in a VEVENT in a VCALENDAR is the third
_TYPES = ("text/calendar", "application/ics")
_FOLD = re.compile(rb"\r?\n[ \t]")  # RFC 5545 section 3.1: it may stand inside a character of several bytes
_CUT = re.compile(r'"[^"]*"|[;:]')
_ESCAPED = re.compile(r"\\(.)")
_CARETS = {"^n": " ", "^'": '"', "^^": "^"}  # RFC 6868
_MOMENT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:T([0-9]{2})([0-9]{2})([0-9]{2})?(Z?))?$")
_DURATION = re.compile(
    r"P(?:([0-9]{1,5})W)?(?:([0-9]{1,5})D)?(?:T(?:([0-9]{1,5})H)?(?:([0-9]{1,5})M)?(?:([0-9]{1,5})S)?)?"
)
_OFFSET = re.compile(r"([+-][0-9]{2})([0-9]{2})")

Property = tuple[Mapping[str, str], str]
"""Parameters by name in capitals, and the value as it stands in the part."""


@dataclass(frozen=True, slots=True)
class Attendee:
    """Somebody who is invited. status: PARTSTAT in capitals, "" when the part tells none."""

    person: Address
    status: str = ""


@dataclass(frozen=True, slots=True)
class Meeting:
    """One VEVENT. method: of the whole part, in capitals · when: written out · repeats: the recurrence rule as it
    stands in the part · status: CONFIRMED, TENTATIVE, CANCELLED · more: attendees beyond `ATTENDEES`.
    """

    method: str = ""
    subject: str = ""
    when: str = ""
    all_day: bool = False
    repeats: str = ""
    where: str = ""
    organiser: Address | None = None
    attendees: tuple[Attendee, ...] = ()
    more: int = 0
    status: str = ""


@dataclass(slots=True)
class _Component:
    """A VEVENT or a part of a VTIMEZONE while it is read."""

    first: dict[str, Property] = field(default_factory=dict)
    attendees: list[Property] = field(default_factory=list)
    more: int = 0

    def take(self, name: str, found: Property) -> None:
        if name != "ATTENDEE":
            self.first.setdefault(name, found)
        elif len(self.attendees) < ATTENDEES:
            self.attendees.append(found)
        else:
            self.more += 1

    def value(self, name: str) -> str:
        return self.first.get(name, ({}, ""))[1].strip()

    def text(self, name: str) -> str:
        return _text(self.value(name))


def meetings(attachments: Sequence[Attachment]) -> list[Meeting]:
    """The meetings of a message itself, each once, whatever the parts are that tell of it; `EVENTS` and one more."""
    within = embedders(attachments)
    parts = [
        part
        for part, embedder in zip(attachments, within, strict=True)
        if embedder is None and part.type in _TYPES and part.size
    ]
    found: dict[Meeting, None] = {}
    for part in parts[:PARTS]:
        for meeting in _meetings(_lines(part)):
            found[meeting] = None
            if len(found) > EVENTS:
                return list(found)
    return list(found)


def _lines(part: Attachment) -> Iterator[str]:
    """Its content lines, unfolded. They are UTF-8 unless the part says otherwise (RFC 5545 section 3.1.4)."""
    data = part.data()[:READ]
    try:
        text = _FOLD.sub(b"", data).decode("utf-8-sig")
    except UnicodeDecodeError:
        whole = text_of(part)[0][:READ]
        text = re.sub(r"\n[ \t]", "", whole)
    yield from text.replace("\r\n", "\n").split("\n")


def _meetings(lines: Iterable[str]) -> Iterator[Meeting]:
    inside: list[str] = []
    calendar, event, zones = _Component(), _Component(), _Zones()
    events: list[_Component] = []
    for line in lines:
        name, found = _property(line)
        if name == "BEGIN":
            inside.append(found[1].strip().upper()[:20])
            if len(inside) > _DEEPEST:
                return
            event = _Component() if inside[-1] == "VEVENT" else event
        elif name == "END":
            events += [event] if inside[-1:] == ["VEVENT"] else []
            del inside[-1:]
        elif inside[-1:] == ["VEVENT"]:
            event.take(name, found)
        elif "VTIMEZONE" in inside:
            zones.take(name, found[1].strip())
        elif inside == ["VCALENDAR"]:
            calendar.take(name, found)
    events += [event] if inside[-1:] == ["VEVENT"] else []  # cut off
    method = calendar.value("METHOD").upper()
    yield from (_meeting(each, method, zones) for each in events)


def _property(line: str) -> tuple[str, Property]:
    """Name, parameters and value of a content line (RFC 5545 section 3.1)."""
    begin, pieces = 0, []
    for cut in _CUT.finditer(line):
        if cut[0] in ";:":
            pieces.append(line[begin : cut.start()])
            begin = cut.end()
            if cut[0] == ":":
                break
    else:
        return "", ({}, "")
    name, *parameters = pieces
    told = (parameter.partition("=") for parameter in parameters)
    return name.strip().upper(), ({key.strip().upper(): value.strip('" ') for key, _, value in told}, line[begin:])


class _Zones:
    """The time zones that a part describes."""

    def __init__(self) -> None:
        self._name = ""
        self._offsets: dict[str, set[str]] = {}

    def take(self, name: str, value: str) -> None:
        if name == "TZID":
            self._name = value
        elif name == "TZOFFSETTO" and (found := _OFFSET.match(value)):
            self._offsets.setdefault(self._name, set()).add(f"UTC{found[1]}:{found[2]}")

    def told(self, name: str) -> str:
        """The zone as the sender names it, with its offset where that never changes."""
        offsets = self._offsets.get(name, set())
        (offset,) = offsets if len(offsets) == 1 else ("",)
        return f"{name} ({offset})" if offset and offset not in name.replace("GMT", "UTC") else name


def _meeting(event: _Component, method: str, zones: _Zones) -> Meeting:
    organiser = event.first.get("ORGANIZER")
    when, all_day = _when(event, zones)
    return Meeting(
        method,
        event.text("SUMMARY"),
        when,
        all_day,
        event.value("RRULE"),
        event.text("LOCATION"),
        _person(organiser) if organiser else None,
        tuple(Attendee(_person(found), found[0].get("PARTSTAT", "").upper()) for found in event.attendees),
        event.more,
        event.value("STATUS").upper(),
    )


def _when(event: _Component, zones: _Zones) -> tuple[str, bool]:
    """From when to when, in which zone, and whether it is whole days."""
    begin, end = (_moment(event.value(name)) for name in ("DTSTART", "DTEND"))
    if begin is None:
        return event.value("DTSTART"), False
    if end is None and (duration := _duration(event.value("DURATION"))):
        end = _plus(begin, duration)
    if not isinstance(begin, datetime):
        last = _plus(end, timedelta(days=-1)) if end else begin  # the end is the day after (section 3.6.1)
        return (f"{begin} – {last}" if isinstance(last, date) and last > begin else f"{begin}"), True
    until = ""
    if isinstance(end, datetime):
        same_day = end.date() == begin.date()
        until = f" – {end:%H:%M}" if same_day else f" – {end:%Y-%m-%d %H:%M}"
    utc = event.value("DTSTART").endswith("Z")
    named = zones.told(event.first["DTSTART"][0].get("TZID", ""))
    return " ".join(filter(None, (f"{begin:%Y-%m-%d %H:%M}{until}", "UTC" if utc else named))), False


def _moment(value: str) -> datetime | date | None:
    """A DATE or a DATE-TIME at the end of a value; None for what is no date."""
    found = _MOMENT.search(value[-16:])
    if found is None:
        return None
    year, month, day, hour, minute = (int(number) for number in found.groups(default="0")[:5])
    try:
        return datetime(year, month, day, hour, minute) if found[4] else date(year, month, day)
    except ValueError:
        return None


def _duration(value: str) -> timedelta | None:
    found = _DURATION.fullmatch(value.lstrip("+"))
    if found is None:
        return None
    weeks, days, hours, minutes, seconds = (int(number or 0) for number in found.groups())
    return timedelta(days=7 * weeks + days, hours=hours, minutes=minutes, seconds=seconds)


def _plus(moment: datetime | date, length: timedelta) -> datetime | date | None:
    try:
        return moment + length
    except OverflowError:
        return None


def _person(found: Property) -> Address:
    """The value is a URI, mostly mailto: (RFC 5545 section 3.3.3)."""
    name = found[0].get("CN", "")
    for sign, meant in _CARETS.items():
        name = name.replace(sign, meant)
    scheme, sign, rest = found[1].strip().partition(":")
    address = rest if sign and scheme.lower() == "mailto" else found[1].strip()
    return Address("" if name.lower() == address.lower() else name, address)


def _text(value: str) -> str:
    """A TEXT value (RFC 5545 section 3.3.11) on one line."""
    return _ESCAPED.sub(lambda found: " " if found[1] in "nN" else found[1], value).strip()
