"""Where objects live. Objects are written once, whole, under the same names in every store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from archiver.errors import StoreError

Data = bytes | Path
"""The content of an object: bytes, or a file that holds them (never changed while it is being stored)."""

LONGEST_NAME = 512
"""Characters a name may have; S3 allows 1,024 bytes, file systems 255 bytes a segment."""

_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True, slots=True)
class Stat:
    """An object in a store; `size` in bytes."""

    name: str
    size: int


class Store(Protocol):
    """Five methods. Names are "/"-separated relative paths of [A-Za-z0-9._/-] (see `checked_name`). Thread-safe.

    Every method raises StoreError when the store fails and QuotaError when it is full.
    """

    url: str
    """How the configuration names the store, without credentials."""

    def put_if_absent(self, name: str, data: Data) -> bool:
        """Store the object durably unless the name is taken; True if this call wrote it.

        It never changes an existing object. After False the object that is there is durable, but its bytes may
        differ from `data`: who cares compares.
        """

    def get(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        """Bytes [start, start+size) of the object, fewer where it ends (to the end when `size` is None).

        ObjectMissingError if absent.
        """

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """Every object whose name begins with `prefix`, in the order of names (of their ASCII bytes)."""

    def stat(self, name: str) -> Stat | None:
        """The object's size, or None if absent."""

    def delete(self, name: str) -> None:
        """Remove the object; nothing happens if it is absent."""


def checked_name(name: str) -> str:
    """The name itself when every store can hold it and it cannot leave the store's folder; otherwise StoreError.

    No segment is empty or begins with a dot: ".." never climbs, and dot files are free for a store's own use.
    """
    if len(name) > LONGEST_NAME or not all(_SEGMENT.fullmatch(segment) for segment in name.split("/")):
        raise StoreError(f"not a name of an object: {name[:80]!r}")
    return name


def checked_prefix(prefix: str) -> str:
    """The prefix itself when names can begin with it; otherwise StoreError."""
    *folders, last = prefix.split("/")
    if folders:
        checked_name("/".join(folders))
    if last:
        checked_name(last)
    return prefix
