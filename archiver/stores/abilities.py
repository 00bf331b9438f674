"""What some stores can do besides the five methods. Whoever asks gets a plain answer for those that cannot."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from archiver.errors import ConfigError, MailarkError, StoreError
from archiver.stores.interface import Store
from archiver.stores.locks import Lock, NewHolds, Protection


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


@runtime_checkable
class Locks(Protocol):
    """A store that can keep objects from being deleted. Every method raises what the store raises."""

    url: str

    def protection(self) -> Protection:
        """What the place as a whole does; asked once."""

    def lock(self, name: str) -> Lock:
        """What the object really carries: one request, or two."""

    def promised(self, name: str, written: datetime | None) -> Lock:
        """The retention an object put at `written` should carry."""

    def hold(self, name: str, *, on: bool) -> None:
        """Set or lift the object's legal hold: one request."""

    def retain(self, name: str, lock: Lock) -> None:
        """Give the object the mode and end of `lock`: one request."""

    def hold_new(self, holds: NewHolds) -> None:
        """Put what `holds` covers with its legal hold from now on, where the place has Object Lock. `holds` is asked
        before each put, in the thread that puts, and not at all where there is no Object Lock."""


@runtime_checkable
class Located(Protocol):
    """An open store that knows its place better than its URL tells it."""

    def whereabouts(self) -> str:
        """The same for two stores exactly when they lie at one place."""


def refuse_doubles(stores: Sequence[Store]) -> None:
    """ConfigError when two of the open stores lie at one place: it would count as two copies."""
    first: dict[str, Store] = {}
    for store in stores:
        if isinstance(store, Located):
            known = first.setdefault(store.whereabouts(), store)
            if known.url != store.url:
                text = f"{known.url} and {store.url} are one place; a store counts as one copy only"
                raise ConfigError(text, "Take one of them out of stores.")


@runtime_checkable
class Absent(Protocol):
    """A store that may be away: it stands in for one that could not be opened, or passes calls on to one."""

    @property
    def absence(self) -> StoreError | None:
        """Why every call fails; None for a store that is there."""


def absence(store: Store) -> StoreError | None:
    """Why the store could not be opened, if that is so."""
    return store.absence if isinstance(store, Absent) else None


@runtime_checkable
class Pausing(Protocol):
    """A store that may hold transfers back by itself."""

    @property
    def paused(self) -> bool:
        """Whether a transfer waits for its turn now."""


def paused(store: Store) -> bool:
    """Whether the store waits by its own will, and not because it hangs."""
    return isinstance(store, Pausing) and store.paused


def parallel(store: Store) -> int:
    """How many objects to put into the store at once."""
    return max(1, store.parallel) if isinstance(store, Parallel) else 1


def checksum(store: Store, name: str) -> str | None:
    """The provider's SHA-256 of the object in hex; None when the provider cannot tell."""
    return store.checksum(name) if isinstance(store, Checksums) else None


def protection(store: Store) -> Protection | None:
    """What the store's place does against deletion; None for a store that has no such thing, or does not tell."""
    if not isinstance(store, Locks):
        return None
    try:
        return store.protection()
    except MailarkError:
        return None


def is_local(url: str) -> bool:
    """Whether the store costs nothing to read: a folder of this machine (a mounted share counts as one), or memory."""
    return url.startswith(("file:", "memory:"))
