"""What a connection may cost, and how servers say that it costs too much."""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from archiver.errors import MailarkError, QuotaError
from archiver.model import HUGE

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes. Measured over 80 ms of distance: four commands under way fill a 100 Mbit/s line.

    `attempts`: how often one message, or one connection, is tried; `longest_wait`: seconds a server may ask us to wait.
    `sweep_whole`: messages up to which a folder without modification sequences has all its flags compared in each run;
    of a larger one the `sweep_newest` are, and `sweep_turn` of the others in turn.
    `spool`: where huge messages lie while they come in (None: the system's temporary folder).
    """

    batch: int = 4 * MIB
    batch_messages: int = 500
    depth: int = 4
    huge: int = HUGE
    piece: int = 4 * MIB
    largest: int = 2047 * MIB  # what a reader of packs takes into memory at most
    attempts: int = 3
    longest_wait: float = 300.0
    sweep_whole: int = 5000
    sweep_newest: int = 2000
    sweep_turn: int = 3000
    spool: Path | None = None
    sleep: Callable[[float], None] = time.sleep

    def back_off(self, attempt: int) -> None:
        """Wait before the attempt after number `attempt`: half a second, one, two, … thirty."""
        self.sleep(min(30.0, 0.5 * 2**attempt))


@contextmanager
def spooling() -> Iterator[None]:
    """Translate what the disk says while a huge message is written to it: QuotaError when it is full."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise QuotaError(
                "the disk is full of a message that is coming in", "free some space and run again"
            ) from error
        raise MailarkError(f"a message cannot be written to the spool: {error.strerror}") from error


_THROTTLED = re.compile(
    rb"throttl|\[LIMIT\]|rate limit|bandwidth|too many|\[OVERQUOTA\]|exceeded.*limit|\[INUSE\]|try again later", re.I
)
_MILLISECONDS = re.compile(rb"backoff time: *(\d+) *milli", re.I)
_TODAY = re.compile(rb"\[OVERQUOTA\]|bandwidth", re.I)


def throttled(text: bytes) -> float | None:
    """Seconds to wait when a server's NO, BAD or BYE complains of too much; None when it says something else.

    Infinity means a daily limit: only a later run helps. Microsoft names milliseconds, others nothing.
    """
    if not _THROTTLED.search(text):
        return None
    if _TODAY.search(text):
        return float("inf")
    named = _MILLISECONDS.search(text)
    return int(named[1]) / 1000 if named else 10.0


def printable(text: bytes) -> str:
    """A server's words for an error message: one short line."""
    shown = text.decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in shown).strip()[:200]
