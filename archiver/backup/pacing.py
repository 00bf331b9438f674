"""When and how fast a run may send: the hours and the bandwidth that the configuration gives it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from archiver.config import ArchiveSettings
from archiver.errors import QuotaError
from archiver.stores.abilities import is_local
from archiver.stores.interface import Store
from archiver.stores.paced import Bucket, PacedStore


class Pacing:
    """The hours and the bandwidth of one run; `any_time` lets it go on outside the hours."""

    def __init__(self, settings: ArchiveSettings, now: Callable[[], datetime], *, any_time: bool = False) -> None:
        self._window = None if any_time else settings.window
        self._rate, self._now = settings.upload_limit, now

    def check(self) -> None:
        """QuotaError outside the hours."""
        if self.closed:
            hint = f"The run between {self._window} goes on. Now, whatever the hour: mailark backup --any-time"
            raise QuotaError(f"outside the hours {self._window}: nothing is sent", hint)

    @property
    def closed(self) -> bool:
        """Whether it is outside the hours."""
        return self._window is not None and not self._window.contains(self._now())

    def stores(self, stores: Sequence[Store]) -> list[Store]:
        """The stores as a run may use them. The stores that are no folders of this machine share the bandwidth."""
        if self._window is None and self._rate is None:
            return list(stores)
        bucket = Bucket(self._rate) if self._rate else None
        return [PacedStore(store, None if is_local(store.url) else bucket, self.check) for store in stores]

    @contextmanager
    def stopping(self, stop: threading.Event) -> Iterator[None]:
        """Set `stop` when the hours end."""
        if self._window is None:
            yield
            return
        timer = threading.Timer(self._window.left(self._now()), stop.set)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
