"""Amounts as people write them: sizes ("10GB"), rates ("20MB/s"), times of day ("22:00-06:00")."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta

_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_UNITS |= {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "tib": 2**40}
_SIZE = re.compile(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*([a-z]{1,3})\s*", re.IGNORECASE)
_WINDOW = re.compile(r"\s*(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)\s*")


def parse_size(text: str) -> int:
    """Bytes of "500MB", "10 GB", "1.5GiB"; ValueError says how it must be written."""
    found = _SIZE.fullmatch(text)
    size = int(float(found[1]) * _UNITS.get(found[2].lower(), 0)) if found else 0
    if size < 1:
        raise ValueError('must be like "500MB" or "10GB"')
    return size


def parse_rate(text: str) -> int:
    """Bytes a second of "20MB/s"; ValueError says how it must be written."""
    amount, _, second = text.rpartition("/")
    try:
        if second.strip() != "s":
            raise ValueError
        return parse_size(amount)
    except ValueError:
        raise ValueError('must be like "20MB/s"') from None


@dataclass(frozen=True, slots=True)
class Window:
    """The hours of each day from `begin` to `end`, in this machine's zone; past midnight when `end` is earlier."""

    begin: time
    end: time

    def __str__(self) -> str:
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"

    def contains(self, now: datetime) -> bool:
        """Whether the aware time lies in it."""
        at = now.astimezone().time()
        if self.begin < self.end:
            return self.begin <= at < self.end
        return at >= self.begin or at < self.end

    def left(self, now: datetime) -> float:
        """Seconds until it closes; 0 when it is closed."""
        if not self.contains(now):
            return 0.0
        here = now.astimezone().replace(tzinfo=None)
        closes = datetime.combine(here.date(), self.end)
        if closes <= here:
            closes += timedelta(days=1)
        return (closes - here).total_seconds()


def parse_window(text: str) -> Window:
    """The window of "22:00-06:00"; ValueError says how it must be written."""
    found = _WINDOW.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        window = Window(time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4])))
    except ValueError:
        raise ValueError('must be like "22:00-06:00"') from None
    if window.begin == window.end:
        raise ValueError("begins and ends at the same time; leave it out for all day")
    return window
