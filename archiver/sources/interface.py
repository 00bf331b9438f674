"""Where mail is read from, and where it is restored to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from archiver.model import Body, Fetched, Folder, FolderStatus, Refused, Row

GONE = "gone from the server before it was fetched"
"""The reason of a Refused that needs no second try: the next listing no longer has the message."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the writer remembers of a folder's current epoch: the committed cursor and the live places (UID: flags).

    sweep: where the server has no modification sequences and the folder is large, flags are compared by windows, and
    the next one ends below this UID (0: begin at the newest). None: compare all flags now.
    """

    status: FolderStatus
    flags: Mapping[int, tuple[str, ...]]
    sweep: int | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """What a source found in a folder.

    rows: metadata of every message not in `Known`, plus every one whose flags may have changed.
    uids: all UIDs on the server, or None when the server did not have to be asked (then `vanished` is complete).
    vanished: UIDs reported gone (RFC 7162), already verified where the number was suspicious.
    sweep: the next `Known.sweep`; None when all changed flags are in `rows`.
    """

    status: FolderStatus
    rows: Sequence[Row]
    uids: frozenset[int] | None
    vanished: frozenset[int] = frozenset()
    sweep: int | None = None


def continues(old: FolderStatus, new: FolderStatus) -> bool:
    """Whether UIDs mean what they did (RFC 3501 section 2.3.1.1): UIDVALIDITY told and equal, UIDNEXT not fallen."""
    return 0 < old.uidvalidity == new.uidvalidity and not 0 < new.uidnext < old.uidnext


class Source(Protocol):
    """A login that mail is only ever read from. Not thread-safe: one source a thread.

    Raises AuthError, ConnectError, QuotaError (throttled) for the account, ProtocolError for one folder.
    """

    notes: list[str]
    """What an administrator should know of the account."""

    def connect(self) -> None:
        """Log in now rather than with the first question."""

    def folders(self) -> list[Folder]:
        """Every folder that can hold messages, with its status where one round trip gives it."""

    def listing(self, folder: Folder, known: Known | None) -> Listing:
        """Changes of a folder since `known`; everything when it is None or its UIDVALIDITY differs."""

    def headers(self, folder: Folder, uids: Collection[int]) -> Iterator[tuple[int, bytes]]:
        """UID, and the fields Message-ID, Date and From as they stand in the message; some messages may be missing."""

    def fetch(self, folder: Folder, rows: Sequence[Row]) -> Iterator[Fetched | Refused]:
        """The messages, in any order, each UID once; a message gone in the meantime is a Refused."""

    def close(self) -> None:
        """Log out; never raises."""


class Target(Protocol):
    """A login that messages are appended to (RFC 3501 section 6.3.11)."""

    def holds(self, folder: str, message: Body) -> bool:
        """Whether the folder has this message already, line ends apart, so that a second restore appends nothing."""

    def append(self, folder: str, message: Body, flags: Sequence[str], date: datetime | None) -> None:
        """Append, creating the folder (levels joined by "/") when it is missing."""

    def close(self) -> None:
        """Log out; never raises."""
