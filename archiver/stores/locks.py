"""What keeps an object from being deleted, as values: Object Lock retention and legal hold. No network here.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html: under "governance" whoever has a special right
may shorten the retention, under "compliance" nobody; a legal hold has no end and stands beside both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

COMPLIANCE = "COMPLIANCE"


@dataclass(frozen=True, slots=True)
class Lock:
    """Of one object. mode: "GOVERNANCE", "COMPLIANCE", "" for no retention · until: its end, aware, None when no end is
    known or wanted · held: a legal hold · written: when the object was stored, where that is known."""

    mode: str = ""
    until: datetime | None = None
    held: bool = False
    written: datetime | None = None


@dataclass(frozen=True, slots=True)
class Protection:
    """Of a bucket. `mode` and `days` are its default retention ("" and 0: none) · promise: what the store's URL asks
    for beyond that, in words, "" for nothing."""

    versioned: bool
    lockable: bool
    mode: str = ""
    days: int = 0
    promise: str = ""

    @property
    def retains(self) -> bool:
        """Whether every object put there is to have a retention."""
        return bool(self.promise or (self.lockable and self.mode))

    def __str__(self) -> str:
        if not self.lockable:
            return "versioned, no Object Lock" if self.versioned else "neither versioned nor locked"
        default = f"{self.mode.lower()} for {self.days} days by default" if self.mode else "no default retention"
        asked = f"; each object {self.promise}" if self.promise else ""
        return f"versioned, Object Lock, {default}{asked}"


class NewHolds(Protocol):
    """Tells a store which new objects are to be held. Neither method raises: mail is more urgent than its lock."""

    def covers(self, name: str) -> bool:
        """Whether the object gets the legal hold."""

    def refused(self, name: str, reason: str) -> None:
        """The object is there, and the service did not take the hold."""


def shortfall(wanted: Lock, found: Lock) -> str:
    """What the found lock lacks of the wanted one, in words, "" when nothing. Longer and stricter ones lack nothing."""
    if wanted.mode and not found.mode:
        return "not retained"
    if wanted.mode == COMPLIANCE != found.mode:
        return f"retained in mode {found.mode.lower()} instead of {wanted.mode.lower()}"
    if wanted.until and (found.until is None or found.until < wanted.until):
        return f"retained until {_day(found.until)} instead of {_day(wanted.until)}"
    return "not held" if wanted.held and not found.held else ""


def _day(when: datetime | None) -> str:
    return f"{when:%Y-%m-%d}" if when else "an unknown day"
