"""A login that comes back: one session at a time, made when first needed and again after a failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from archiver.config import AccountSettings
from archiver.errors import ConnectError, QuotaError
from archiver.model import Folder, FolderStatus
from archiver.sources.limits import Limits
from archiver.sources.providers import Provider, provider_of
from archiver.sources.session import Session

T = TypeVar("T")


class Connection:
    """What a source and a target share. Not thread-safe."""

    def __init__(self, settings: AccountSettings, limits: Limits, provider: Provider | None = None) -> None:
        self.limits = limits
        self.provider = provider or provider_of(settings.provider, settings.host)
        self._settings = settings
        self._session: Session | None = None
        self._open: tuple[bytes, FolderStatus] | None = None

    def session(self) -> Session:
        """The session, logged in. Raises AuthError, ConnectError, QuotaError."""
        if self._session is None or self._session.closed:
            self._open = None
            self._session = self._logged_in()
        return self._session

    def opened(self, folder: Folder, again: bool = False) -> tuple[Session, FolderStatus]:
        """The session with the folder open to read only; `again`: even if it is open already. ProtocolError too."""
        session = self.session()
        if again or self._open is None or self._open[0] != folder.raw:
            self._open = None
            self._open = folder.raw, session.examine(folder).status
        return session, self._open[1]

    def now_open(self, folder: Folder, status: FolderStatus | None) -> None:
        """A folder was opened through the session itself (None: it may or may not be open)."""
        self._open = (folder.raw, status) if status else None

    def trying(self, act: Callable[[], T]) -> T:
        """Act; when the connection fails, again on a new one, `Limits.attempts` times in all."""
        attempt = 0
        while True:
            try:
                return act()
            except ConnectError:
                self.close()
                attempt += 1
                if attempt >= self.limits.attempts:
                    raise
                self.limits.back_off(attempt - 1)

    def _logged_in(self) -> Session:
        """Other programs may use up the connections an account has: wait for one a little."""
        for attempt in range(self.limits.attempts - 1):
            try:
                return Session(self._settings, self.provider, self.limits)
            except QuotaError:
                self.limits.back_off(attempt)
        return Session(self._settings, self.provider, self.limits)

    def close(self) -> None:
        """Log out; never raises."""
        if self._session is not None:
            self._session.close()
        self._session = self._open = None
