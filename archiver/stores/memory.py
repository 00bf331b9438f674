"""A store in memory, for tests and for trying things out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from archiver.errors import ObjectMissingError
from archiver.stores.interface import Data, Stat, checked_name, checked_prefix


class MemoryStore:
    """Objects in a dict; `objects` may be looked at, and damaged, from outside."""

    def __init__(self, name: str = "memory", objects: dict[str, bytes] | None = None) -> None:
        self.url = f"memory:{name}"
        self.objects: dict[str, bytes] = {} if objects is None else objects
        self._lock = threading.Lock()

    def put_if_absent(self, name: str, data: Data) -> bool:
        checked_name(name)
        with self._lock:
            if name in self.objects:
                return False
            self.objects[name] = data.read_bytes() if isinstance(data, Path) else bytes(data)
            return True

    def get(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        found = self.objects.get(checked_name(name))
        if found is None:
            raise ObjectMissingError(f"{self.url} does not hold {name}")
        return found[start:] if size is None else found[start : start + size]

    def list(self, prefix: str = "") -> Iterator[Stat]:
        checked_prefix(prefix)
        with self._lock:
            found = sorted((name, len(data)) for name, data in self.objects.items() if name.startswith(prefix))
        yield from (Stat(name, size) for name, size in found)

    def stat(self, name: str) -> Stat | None:
        found = self.objects.get(checked_name(name))
        return None if found is None else Stat(name, len(found))

    def delete(self, name: str) -> None:
        with self._lock:
            self.objects.pop(checked_name(name), None)
