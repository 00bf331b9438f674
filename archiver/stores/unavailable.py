"""Stands in for a store that could not be opened, so that a run goes on with the others and reports this one."""

from __future__ import annotations

from collections.abc import Iterator

from archiver.errors import StoreError
from archiver.stores.interface import Data, Stat


class UnavailableStore:
    """Every call raises the StoreError that opening the store raised."""

    def __init__(self, url: str, error: StoreError) -> None:
        self.url = url
        self.absence = error

    def _raise(self) -> StoreError:
        return StoreError(str(self.absence), self.absence.hint)

    def put_if_absent(self, name: str, data: Data) -> bool:
        """Raises StoreError."""
        raise self._raise()

    def get(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        """Raises StoreError."""
        raise self._raise()

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """Raises StoreError."""
        raise self._raise()

    def stat(self, name: str) -> Stat | None:
        """Raises StoreError."""
        raise self._raise()

    def delete(self, name: str) -> None:
        """Raises StoreError."""
        raise self._raise()
