"""Sealed objects that are sent before there is a commit that names them, so that a commit has little left to send.

That is as safe as the order of a commit: objects come first, the manifest after all of them. What a killed run has sent
so is sealed and recorded on this machine, and the commit of a later run names it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from archiver.vault.catchup import Staged


class Ahead:
    """What waits for each store, by URL, and what this run has brought there. Thread-safe."""

    def __init__(self, urls: Iterable[str]) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, dict[str, Staged]] = {url: {} for url in urls}
        self._brought: dict[str, set[str]] = {url: set() for url in self._waiting}

    def add(self, objects: Iterable[Staged]) -> None:
        """They wait for every store; those that are known already are passed over."""
        with self._lock:
            for staged in objects:
                for url, waiting in self._waiting.items():
                    if staged.name not in self._brought[url]:
                        waiting.setdefault(staged.name, staged)

    def waiting(self, url: str) -> list[Staged]:
        """What the store lacks, in the order it was added."""
        with self._lock:
            return list(self._waiting[url].values())

    def brought(self, url: str, name: str) -> None:
        """The store has the object, put by this run."""
        with self._lock:
            self._waiting[url].pop(name, None)
            self._brought[url].add(name)

    def has(self, url: str, name: str) -> bool:
        """Whether this run has brought the object to the store."""
        with self._lock:
            return name in self._brought[url]
