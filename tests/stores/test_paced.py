"""A bandwidth limit and hours around a store."""

from __future__ import annotations

from pathlib import Path

import pytest

from archiver.errors import QuotaError, StoreError
from archiver.stores.abilities import checksum, parallel
from archiver.stores.interface import Store
from archiver.stores.memory import MemoryStore
from archiver.stores.paced import Bucket, PacedStore
from tests.contracts.store import StoreContract


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def always() -> None:
    """No hours."""


class TestPaced(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return PacedStore(MemoryStore(), Bucket(10**9), always)


def test_the_rate_holds_over_objects_of_all_stores_together(tmp_path: Path) -> None:
    time = Time()
    bucket = Bucket(1000, lambda: time.now, time.sleep)
    one, two = (PacedStore(MemoryStore(name), bucket, always) for name in "ab")
    (tmp_path / "file").write_bytes(bytes(3000))
    for number in range(5):
        one.put_if_absent(f"packs/{number}", tmp_path / "file")
        two.put_if_absent(f"packs/{number}", bytes(2000))
    assert time.now == 100 + 9 * 2.5 + 0.5, "the last transfer's debt is still to be paid"
    one.get("packs/0", 0, 500)
    two.get("packs/0")
    assert time.now == 100 + 25 + 0.5, "what is read counts too"


def test_time_without_transfers_is_not_saved_up() -> None:
    time = Time()
    store = PacedStore(MemoryStore(), Bucket(1000, lambda: time.now, time.sleep), always)
    time.now += 3600
    for number in range(3):
        store.put_if_absent(f"packs/{number}", bytes(1000))
    assert time.now == 3700 + 2


def test_outside_the_hours_no_put_is_begun_and_everything_else_works() -> None:
    inner = MemoryStore("m", {"packs/a": b"a"})
    time = Time()

    def may_begin() -> None:
        if time.now >= 105:
            raise QuotaError("outside the hours")

    store = PacedStore(inner, Bucket(1000, lambda: time.now, time.sleep), may_begin)
    assert store.put_if_absent("packs/b", bytes(10_000))
    with pytest.raises(QuotaError):
        store.put_if_absent("packs/c", b"the wait for the debt ends outside the hours")
    assert time.now == 110
    assert sorted(inner.objects) == ["packs/a", "packs/b"]
    assert (store.get("packs/a"), [stat.name for stat in store.list()]) == (b"a", ["packs/a", "packs/b"])
    store.delete("packs/a")
    assert store.stat("packs/a") is None


def test_a_file_that_has_gone_is_the_stores_to_tell(tmp_path: Path) -> None:
    class Refusing(MemoryStore):
        def put_if_absent(self, name: str, data: object) -> bool:
            raise StoreError("no such file")

    with pytest.raises(StoreError):
        PacedStore(Refusing(), Bucket(1), always).put_if_absent("packs/a", tmp_path / "gone")


def test_what_the_inner_store_can_do_is_passed_on() -> None:
    class Able(MemoryStore):
        parallel = 4

        def checksum(self, name: str) -> str | None:
            return "ab" * 32

    paced = PacedStore(Able(), None, always)
    assert (parallel(paced), checksum(paced, "packs/a")) == (4, "ab" * 32)
    plain = PacedStore(MemoryStore(), None, always)
    assert (parallel(plain), checksum(plain, "packs/a")) == (1, None)
