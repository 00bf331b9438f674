"""A store that takes its time: wrappers for a bandwidth limit, and for hours in which nothing may be begun."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from archiver.errors import StoreError
from archiver.stores.abilities import absence, checksum, parallel
from archiver.stores.interface import Data, Stat, Store


class Bucket:
    """A token bucket of bytes, shared by all stores that one line serves; thread-safe.

    It may go into debt: what an object costs is paid after its transfer began, by whoever comes next. So the rate holds
    on average over objects, not within one.
    """

    def __init__(
        self,
        rate: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate, self._clock, self._sleep = rate, clock, sleep
        self._lock = threading.Lock()
        self._waiting = 0
        self._free = clock()
        """When the debt is paid."""

    def take(self, size: int) -> None:
        """Wait until earlier debts are paid, then owe `size` bytes."""
        with self._lock:
            now = self._clock()
            wait = max(0.0, self._free - now)
            self._free = max(self._free, now) + size / self._rate
            self._waiting += wait > 0
        if wait:
            try:
                self._sleep(wait)
            finally:
                with self._lock:
                    self._waiting -= 1

    @property
    def waiting(self) -> bool:
        """Whether somebody waits for earlier debts to be paid."""
        return self._waiting > 0


class PacedStore:
    """Passes everything on: transfers wait for the bucket, and `may_begin` raises where no put may be begun."""

    def __init__(self, inner: Store, bucket: Bucket | None, may_begin: Callable[[], None]) -> None:
        self.inner, self.url = inner, inner.url
        self._bucket, self._may_begin = bucket, may_begin

    @property
    def parallel(self) -> int:
        return parallel(self.inner)

    @property
    def absence(self) -> StoreError | None:
        return absence(self.inner)

    @property
    def paused(self) -> bool:
        """Whether the bandwidth is what is waited for; it is shared, so that of another store's transfer counts too."""
        return self._bucket is not None and self._bucket.waiting

    def checksum(self, name: str) -> str | None:
        return checksum(self.inner, name)

    def put_if_absent(self, name: str, data: Data) -> bool:
        self._may_begin()
        if self._bucket is not None:
            self._bucket.take(_size(data))
            self._may_begin()  # the wait may have been long
        return self.inner.put_if_absent(name, data)

    def get(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        data = self.inner.get(name, start, size)
        if self._bucket is not None:
            self._bucket.take(len(data))
        return data

    def list(self, prefix: str = "") -> Iterator[Stat]:
        return self.inner.list(prefix)

    def stat(self, name: str) -> Stat | None:
        return self.inner.stat(name)

    def delete(self, name: str) -> None:
        self.inner.delete(name)


def _size(data: Data) -> int:
    """Bytes of the content; 0 for a file that has gone, about which the store itself will complain."""
    with suppress(OSError):
        return data.stat().st_size if isinstance(data, Path) else len(data)
    return 0
