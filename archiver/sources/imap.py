"""The Source of an IMAP account (RFC 3501 and its extensions): folders, changes, messages. It only ever reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from archiver.config import AccountSettings
from archiver.errors import ConnectError, ProtocolError
from archiver.model import Fetched, Folder, Refused, Row
from archiver.sources import folders as listed
from archiver.sources import listing as changes
from archiver.sources.fetching import Fetching
from archiver.sources.interface import Known, Listing
from archiver.sources.limits import Limits
from archiver.sources.providers import provider_of
from archiver.sources.session import Session

T = TypeVar("T")


class ImapSource:
    """One login, one connection at a time, made when it is first needed and again after a failure.

    Not thread-safe, and a `fetch` must be read to its end or closed before the next call. `notes` has what an
    administrator should know of the account (Gmail that hides "All Mail").
    """

    def __init__(self, settings: AccountSettings, limits: Limits | None = None) -> None:
        self.settings = settings
        self.notes: list[str] = []
        self._limits = limits or Limits()
        self._provider = provider_of(settings.provider, settings.host)
        self._session: Session | None = None
        self._open: bytes | None = None
        self._lives: dict[bytes, int] = {}

    def folders(self) -> list[Folder]:
        """Folders that can hold messages and are wanted by the settings, with what the server tells of each."""
        return self._trying(self._folders)

    def listing(self, folder: Folder, known: Known | None) -> Listing:
        """Open the folder (EXAMINE) and tell what has changed since `known`."""
        return self._trying(lambda: self._listing(folder, known))

    def fetch(self, folder: Folder, rows: Sequence[Row]) -> Iterator[Fetched | Refused]:
        """Each message of `rows` once, or why not. Bodies over `Limits.huge` are read-only maps of unnamed files.

        Raises ProtocolError when the folder is gone or its UIDVALIDITY is no longer that of its listing.
        """
        work = Fetching(rows, self._limits, self._provider.line, lambda again: self._opened(folder, again))
        yield from work.run()

    def close(self) -> None:
        """Log out; never raises."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _folders(self) -> list[Folder]:
        session = self._connected()
        found = listed.folders(session)
        if listed.hides_mail(session, found):
            self.notes.append('Gmail hides "All Mail" from IMAP: turn on "Show in IMAP"; every label is walked instead')
        return listed.with_status(session, [folder for folder in found if self.settings.wants(folder.name)])

    def _listing(self, folder: Folder, known: Known | None) -> Listing:
        session = self._connected()
        self._open = None
        found = changes.listing(session, folder, known)
        self._open = folder.raw
        self._lives[folder.raw] = found.status.uidvalidity
        return found

    def _opened(self, folder: Folder, again: bool) -> Session:
        return self._trying(lambda: self._reopened(folder, again))

    def _reopened(self, folder: Folder, again: bool) -> Session:
        session = self._connected()
        if again or self._open != folder.raw:
            self._open = None
            life = session.examine(folder).status.uidvalidity
            expected = self._lives.setdefault(folder.raw, folder.status.uidvalidity if folder.status else life)
            if expected and life != expected:
                raise ProtocolError(f"{folder.name}: UIDVALIDITY changed from {expected} to {life} meanwhile")
            self._open = folder.raw
        return session

    def _connected(self) -> Session:
        if self._session is None or self._session.closed:
            self._open = None
            self._session = Session(self.settings, self._provider, self._limits)
        return self._session

    def _trying(self, act: Callable[[], T]) -> T:
        """Act, on a new connection when the old one fails, `Limits.attempts` times."""
        attempt = 0
        while True:
            try:
                return act()
            except ConnectError:
                self.close()
                attempt += 1
                if attempt >= self._limits.attempts:
                    raise
                self._limits.back_off(attempt - 1)
