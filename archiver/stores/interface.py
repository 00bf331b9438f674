"""Where objects live. Objects are written once, whole, under the same names in every store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Data = bytes | Path
"""The content of an object: bytes, or a file that holds them (never changed while it is being stored)."""


@dataclass(frozen=True, slots=True)
class Stat:
    """An object in a store; `size` in bytes."""

    name: str
    size: int


class Store(Protocol):
    """Five methods. Names are "/"-separated relative paths of [A-Za-z0-9._/-]. Thread-safe.

    Every method raises StoreError when the store fails and QuotaError when it is full.
    """

    url: str
    """How the configuration names the store, without credentials."""

    def put_if_absent(self, name: str, data: Data) -> bool:
        """Store the object durably unless the name is taken; True if this call wrote it. Never changes an existing object."""

    def get(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        """Bytes [start, start+size) of the object (to the end when `size` is None); ObjectMissingError if absent."""

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """Every object whose name begins with `prefix`, in the order of names."""

    def stat(self, name: str) -> Stat | None:
        """The object's size, or None if absent."""

    def delete(self, name: str) -> None:
        """Remove the object; nothing happens if it is absent."""
