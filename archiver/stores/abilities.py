"""What some stores can do besides the five methods. Whoever asks gets a plain answer for those that cannot."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from archiver.stores.interface import Store


@runtime_checkable
class Parallel(Protocol):
    """A store to which several objects go faster at once than one after the other."""

    parallel: int
    """How many at once; each costs a connection, and none more memory than a few buffers."""


@runtime_checkable
class Checksums(Protocol):
    """A store whose provider has computed itself the SHA-256 of what it holds."""

    def checksum(self, name: str) -> str | None:
        """SHA-256 in hex of the object's bytes, without reading them; None when it cannot be told.

        Raises what the store raises.
        """


def parallel(store: Store) -> int:
    """How many objects to put into the store at once."""
    return max(1, store.parallel) if isinstance(store, Parallel) else 1


def checksum(store: Store, name: str) -> str | None:
    """The provider's SHA-256 of the object in hex; None when the provider cannot tell."""
    return store.checksum(name) if isinstance(store, Checksums) else None


def is_local(url: str) -> bool:
    """Whether the store costs nothing to read: a folder of this machine (a mounted share counts as one), or memory."""
    return url.startswith(("file:", "memory:"))
