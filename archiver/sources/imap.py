"""The Source of an IMAP account (RFC 3501 and its extensions): folders, changes, messages. It only ever reads."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial

from archiver.config import AccountSettings
from archiver.errors import ProtocolError
from archiver.model import Fetched, Folder, Refused, Row
from archiver.sources import folders as listed
from archiver.sources import listing as changes
from archiver.sources.connection import Connection
from archiver.sources.fetching import Fetching
from archiver.sources.interface import Known, Listing
from archiver.sources.limits import Limits
from archiver.sources.metadata import Found
from archiver.sources.providers import Provider
from archiver.sources.session import Session
from archiver.sources.uids import compact

_AT_ONCE = 1000
"""Headers of so many messages are in memory together."""


class ImapSource:
    """One login, one connection at a time.

    Not thread-safe, and a `fetch` must be read to its end or closed before the next call. `notes` has what an
    administrator should know of the account (Gmail that hides "All Mail"). `provider`: None takes the one
    of the settings or of the host.
    """

    def __init__(
        self, settings: AccountSettings, limits: Limits | None = None, provider: Provider | None = None
    ) -> None:
        self.settings = settings
        self.notes: list[str] = []
        self._connection = Connection(settings, limits or Limits(), provider)
        self._lives: dict[bytes, int] = {}

    def connect(self) -> None:
        """Log in now rather than with the first question."""
        self._connection.trying(self._connection.session)

    def folders(self) -> list[Folder]:
        """Folders that can hold messages and are wanted by the settings, with what the server tells of each."""
        return self._connection.trying(self._folders)

    def listing(self, folder: Folder, known: Known | None) -> Listing:
        """Open the folder (EXAMINE) and tell what has changed since `known`."""
        return self._connection.trying(lambda: self._listing(folder, known))

    def headers(self, folder: Folder, uids: Collection[int]) -> Iterator[tuple[int, bytes]]:
        """The fields Message-ID, Date and From of each message that the server gives them of.

        Raises ProtocolError when the folder is gone or its UIDVALIDITY is no longer that of its listing.
        """
        ordered = sorted(uids)
        for start in range(0, len(ordered), _AT_ONCE):
            for wanted, _ in compact(ordered[start : start + _AT_ONCE], self._connection.provider.line):
                for found in self._connection.trying(partial(self._headers, folder, wanted)):
                    if found.body is not None and found.origin < 0:
                        yield found.uid, bytes(found.body)

    def fetch(self, folder: Folder, rows: Sequence[Row]) -> Iterator[Fetched | Refused]:
        """Each message of `rows` once, or why not. Bodies over `Limits.huge` are read-only maps of unnamed files.

        Raises ProtocolError when the folder is gone or its UIDVALIDITY is no longer that of its listing.
        """
        connection = self._connection
        work = Fetching(rows, connection.limits, connection.provider.line, lambda again: self._opened(folder, again))
        watch = _SeenWatch(rows)
        for item in work.run():
            watch.see(item)
            yield item
        if watch.alarming():
            self.notes.append(f"{folder.name}: the server marks messages as \\Seen although they are only peeked at")

    def close(self) -> None:
        """Log out; never raises."""
        self._connection.close()

    def _folders(self) -> list[Folder]:
        session = self._connection.session()
        found = listed.folders(session)
        if listed.hides_mail(session, found):
            self.notes.append('Gmail hides "All Mail" from IMAP: turn on "Show in IMAP"; every label is walked instead')
        return listed.with_status(session, [folder for folder in found if self.settings.wants(folder.name)])

    def _listing(self, folder: Folder, known: Known | None) -> Listing:
        session = self._connection.session()
        self._connection.now_open(folder, None)
        found = changes.listing(session, folder, known)
        self._connection.now_open(folder, found.status)
        self._lives[folder.raw] = found.status.uidvalidity
        return found

    def _headers(self, folder: Folder, wanted: bytes) -> list[Found]:
        session = self._opened(folder, False)
        session.run("UID", b"FETCH", wanted, b"(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM)])")
        return session.found()

    def _opened(self, folder: Folder, again: bool) -> Session:
        session, status = self._connection.trying(lambda: self._connection.opened(folder, again))
        told = folder.status.uidvalidity if folder.status else 0
        expected = self._lives.setdefault(folder.raw, told or status.uidvalidity)
        if status.uidvalidity != expected:
            raise ProtocolError(f"{folder.name}: UIDVALIDITY changed from {expected} to {status.uidvalidity} meanwhile")
        return session


class _SeenWatch:
    """Counts messages that became \\Seen between listing and fetch: a few by their owner, most by our reading."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._unseen = {row.uid for row in rows if row.date and "\\Seen" not in row.flags}
        self._turned = 0

    def see(self, item: Fetched | Refused) -> None:
        if isinstance(item, Fetched) and item.uid in self._unseen and "\\Seen" in item.flags:
            self._turned += 1

    def alarming(self) -> bool:
        return self._turned >= 3 and self._turned * 2 > len(self._unseen)
