"""A store that fails on demand, around any other: for rehearsing what a run does when a store misbehaves."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from archiver.errors import StoreError
from archiver.stores.interface import Data, Stat, Store

T = TypeVar("T")


class When(enum.Enum):
    """At which point of an operation the fault strikes."""

    BEFORE = "nothing was done"
    HALF = "half was done: half an object written, half the bytes or names answered"
    AFTER = "everything was done, the acknowledgement is lost"
    WRONG = "one byte is wrong, in what is stored or answered, and nobody says so"
    LATE = "everything works, after a delay"


@dataclass(frozen=True)
class Fault:
    """One fault; `error` is what BEFORE, HALF and AFTER raise, `delay` the seconds of LATE."""

    when: When
    error: BaseException | None = None
    delay: float = 0.0

    def raised(self) -> BaseException:
        return self.error or StoreError(f"fault: {self.when.value}")


Plan = Callable[[str, str], Fault | None]
"""Told the operation (put_if_absent, get, list, stat, delete) and the name: the fault to have, or None for none."""


class FaultyStore:
    """Passes every operation to the inner store, with the faults its plan asks for."""

    def __init__(self, inner: Store, plan: Plan) -> None:
        self.inner = inner
        self.url = inner.url
        self._plan = plan

    def put_if_absent(self, name: str, data: Data) -> bool:
        fault = self._begin("put_if_absent", name)
        if fault and fault.when in (When.HALF, When.WRONG):
            content = data.read_bytes() if isinstance(data, Path) else data
            data = content[: len(content) // 2] if fault.when is When.HALF else _spoiled(content)
        return _end(fault, self.inner.put_if_absent(name, data))

    def get(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        fault = self._begin("get", name)
        data = self.inner.get(name, start, size)
        return _end(fault, _spoiled(data) if fault and fault.when is When.WRONG else data)

    def list(self, prefix: str = "") -> Iterator[Stat]:
        fault = self._begin("list", prefix)
        names = list(self.inner.list(prefix))
        yield from names[: len(names) // 2] if fault and fault.when is When.HALF else names
        _end(fault, None)

    def stat(self, name: str) -> Stat | None:
        fault = self._begin("stat", name)
        found = self.inner.stat(name)
        return _end(fault, Stat(name, found.size + 1) if found and fault and fault.when is When.WRONG else found)

    def delete(self, name: str) -> None:
        fault = self._begin("delete", name)
        self.inner.delete(name)
        _end(fault, None)

    def _begin(self, operation: str, name: str) -> Fault | None:
        fault = self._plan(operation, name)
        if fault and fault.when is When.BEFORE:
            raise fault.raised()
        if fault and fault.when is When.LATE:
            time.sleep(fault.delay)
        return fault


def _end(fault: Fault | None, answer: T) -> T:
    if fault and fault.when in (When.HALF, When.AFTER):
        raise fault.raised()
    return answer


def _spoiled(data: bytes) -> bytes:
    """The data with one bit of its middle byte changed."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :] if data else b"\0"
