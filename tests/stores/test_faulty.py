"""The fault-injecting store: without faults a store like any other, with them exactly what was asked for."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from archiver.errors import QuotaError, StoreError
from archiver.stores.faulty import Fault, FaultyStore, When
from archiver.stores.interface import Stat
from archiver.stores.memory import MemoryStore
from tests.contracts.store import StoreContract

OPERATIONS = ["put_if_absent", "get", "list", "stat", "delete"]


class TestWithoutFaults(StoreContract):
    @pytest.fixture
    def store(self) -> FaultyStore:
        return FaultyStore(MemoryStore(), lambda operation, name: None)


def perform(store: FaultyStore, operation: str) -> object:
    calls = {
        "put_if_absent": lambda: store.put_if_absent("new", b"12345678"),
        "get": lambda: store.get("old"),
        "list": lambda: list(store.list()),
        "stat": lambda: store.stat("old"),
        "delete": lambda: store.delete("old"),
    }
    return calls[operation]()


def faulty(fault: Fault) -> FaultyStore:
    return FaultyStore(MemoryStore("m", {"old": b"abcdefgh", "older": b""}), lambda operation, name: fault)


def objects(store: FaultyStore) -> dict[str, bytes]:
    assert isinstance(store.inner, MemoryStore)
    return store.inner.objects


@pytest.mark.parametrize("operation", OPERATIONS)
def test_before_nothing_is_done(operation: str) -> None:
    store = faulty(Fault(When.BEFORE, QuotaError("full")))
    with pytest.raises(QuotaError):
        perform(store, operation)
    assert objects(store) == {"old": b"abcdefgh", "older": b""}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_after_everything_is_done_and_nobody_hears(operation: str) -> None:
    store = faulty(Fault(When.AFTER))
    with pytest.raises(StoreError):
        perform(store, operation)
    assert ("new" in objects(store)) == (operation == "put_if_absent")
    assert ("old" in objects(store)) == (operation != "delete")


def test_half_an_object_and_half_a_listing(tmp_path: Path) -> None:
    store = faulty(Fault(When.HALF))
    (tmp_path / "data").write_bytes(b"12345678")
    with pytest.raises(StoreError):
        store.put_if_absent("new", tmp_path / "data")
    assert objects(store)["new"] == b"1234"
    names = store.list()
    assert next(names).name == "new"
    with pytest.raises(StoreError):
        next(names)


def test_wrong_bytes_are_wrong_by_one_bit_and_not_told() -> None:
    store = faulty(Fault(When.WRONG))
    assert store.put_if_absent("new", b"12345678")
    assert objects(store)["new"] == b"1234\x34678"
    assert sum((a ^ b).bit_count() for a, b in zip(store.get("old"), b"abcdefgh", strict=True)) == 1
    assert store.get("older") == b"\0"
    assert store.stat("old") == Stat("old", 9)


def test_late_is_only_late() -> None:
    store = faulty(Fault(When.LATE, delay=0.05))
    began = time.monotonic()
    assert store.get("old") == b"abcdefgh"
    assert time.monotonic() - began >= 0.05
