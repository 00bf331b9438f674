"""Legal holds: signed statements in manifests that an era, or everything, must not be deleted.

    optional hold <era or "all"> <name>                        set by this manifest
    optional hold-end <writer>/<seq> <era or "all"> <name>      lifts the hold which that manifest set

A hold is named by the manifest that set it, so no clock decides which of two statements came later, and a name may be
used again. It stands until a statement of any enrolled writer lifts it. Names are a person's (a case, a matter); white
space, "%" and what is not ASCII are written as the bytes of their UTF-8, %XX each (RFC 3986 section 2.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import quote, unquote

from archiver.errors import ConfigError
from archiver.vault.manifest import Note

ALL = "all"
KINDS = ("hold", "hold-end")
"""The lines of a manifest that are about holds."""

LONGEST = 100
"""Characters of a hold's name; nine ASCII characters each at worst, and a note has 1,000."""

_ERA = re.compile(r"[a-z]{1,32}-[0-9]{4}")
_HOLD = re.compile(rf"(?P<era>{ALL}|{_ERA.pattern}) (?P<name>\S+)")
_END = re.compile(rf"(?P<set>[0-9a-f]{{16}}/[0-9]{{10}}) (?P<rest>{_HOLD.pattern})")
_OF_AN_ERA = re.compile(rf"(?:packs|catalog|keys/era)/(?P<era>{_ERA.pattern})[./]")


class Stated(Protocol):
    """A verified manifest, or what is known of one. name: its object's name · notes: at least those about holds."""

    @property
    def name(self) -> str: ...
    @property
    def time(self) -> datetime: ...
    @property
    def notes(self) -> tuple[Note, ...]: ...


@dataclass(frozen=True, slots=True, order=True)
class Hold:
    """era: or `ALL` · set_by: `<writer>/<seq>` of the manifest that set it · since: that manifest's time · ended: the
    time of the manifest that lifted it, None while it stands."""

    name: str
    era: str
    set_by: str
    since: datetime
    ended: datetime | None = None

    def covers(self, name: str) -> bool:
        """Whether the object must not be deleted. What belongs to no era is needed to read every era."""
        era = era_of(name)
        return self.era == ALL or era is None or era == self.era


def era_of(name: str) -> str | None:
    """The era that an object's name tells: of packs, catalog lines and era keys; None for what belongs to all eras."""
    found = _OF_AN_ERA.match(name)
    return found["era"] if found else None


def is_era(text: str) -> bool:
    """Whether this is how an era is written, such as mail-2026."""
    return _ERA.fullmatch(text) is not None


def hold_note(name: str, era: str) -> Note:
    """The line that sets a hold; ConfigError for a name or an era that cannot be written."""
    if not name.strip() or not name.isprintable() or len(name) > LONGEST:
        raise ConfigError(f"a hold's name has 1 to {LONGEST} printable characters")
    if era != ALL and not is_era(era):
        raise ConfigError(f"{era} is no era", "eras are written as mail-2026")
    return Note("hold", f"{era} {quote(name.strip(), safe='')}", optional=True)


def end_note(hold: Hold) -> Note:
    """The line that lifts this hold."""
    return Note("hold-end", f"{hold.set_by} {hold.era} {quote(hold.name, safe='')}", optional=True)


def holds_of(manifests: Iterable[Stated]) -> list[Hold]:
    """Every hold that verified manifests speak of, lifted ones included, sorted. The order of manifests is no matter.

    A line of a hold's kind that cannot be understood sets a hold on everything: nothing is deleted by mistake.
    """
    found: dict[str, Hold] = {}
    ended: dict[str, datetime] = {}
    for manifest in manifests:
        by = manifest.name.removeprefix("manifests/")
        for note in manifest.notes:
            if note.kind == "hold":
                match = _HOLD.fullmatch(note.text)
                name, era = (unquote(match["name"]), match["era"]) if match else (note.text, ALL)
                found[f"{by} {note.text}"] = Hold(name, era, by, manifest.time)
            elif note.kind == "hold-end" and (match := _END.fullmatch(note.text)):
                ended[f"{match['set']} {match['rest']}"] = manifest.time
    return sorted(Hold(h.name, h.era, h.set_by, h.since, ended.get(key)) for key, h in found.items())


def standing(manifests: Iterable[Stated]) -> list[Hold]:
    """The holds that nobody has lifted."""
    return [hold for hold in holds_of(manifests) if hold.ended is None]


def covered(holds: Iterable[Hold], name: str) -> bool:
    """Whether one of the holds covers the object."""
    return any(hold.covers(name) for hold in holds)
