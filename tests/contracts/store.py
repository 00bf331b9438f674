"""What every store promises. A kind of store subclasses `StoreContract` and defines the fixture `store`."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from archiver.errors import ObjectMissingError, StoreError
from archiver.stores.interface import Stat, Store

PACK = "packs/mail-2026/ab/" + "ab" * 32 + ".age"
BAD_NAMES = [
    "",
    "/a",
    "a/",
    "a//b",
    "..",
    "../a",
    "a/../b",
    "a/./b",
    ".hidden",
    "a/.tmp-1",
    "a\\b",
    "a b",
    "a\0",
    "é",
    "x" * 600,
    "a\n",
]


class StoreContract:
    """Subclass, and define a fixture `store` that gives a new, empty store."""

    def test_an_object_comes_back_as_it_was_put(self, store: Store) -> None:
        for name, data in [("FORMAT.txt", b"text"), (PACK, bytes(range(256)) * 5000), ("keys/era/empty", b"")]:
            assert store.put_if_absent(name, data)
            assert store.get(name) == data
            assert store.stat(name) == Stat(name, len(data))

    def test_a_file_is_stored_like_bytes(self, store: Store, tmp_path: Path) -> None:
        data = random.Random(1).randbytes(3_000_001)
        (tmp_path / "spooled").write_bytes(data)
        assert store.put_if_absent(PACK, tmp_path / "spooled")
        assert store.get(PACK) == data
        assert (tmp_path / "spooled").read_bytes() == data

    def test_a_name_that_is_taken_is_never_changed(self, store: Store, tmp_path: Path) -> None:
        (tmp_path / "other").write_bytes(b"something else")
        assert store.put_if_absent(PACK, b"first")
        assert not store.put_if_absent(PACK, b"second, longer")
        assert not store.put_if_absent(PACK, tmp_path / "other")
        assert not store.put_if_absent(PACK, b"first")
        assert store.get(PACK) == b"first"

    def test_ranges(self, store: Store) -> None:
        data = bytes(range(200))
        store.put_if_absent(PACK, data)
        for start, size in [
            (0, None),
            (0, 10),
            (10, 20),
            (190, 10),
            (190, 50),
            (199, 1),
            (200, 5),
            (500, 5),
            (7, None),
            (5, 0),
        ]:
            expected = data[start:] if size is None else data[start : start + size]
            assert store.get(PACK, start, size) == expected, (start, size)

    def test_an_absent_object_is_told_as_absent(self, store: Store) -> None:
        assert store.stat(PACK) is None
        with pytest.raises(ObjectMissingError):
            store.get(PACK)
        with pytest.raises(ObjectMissingError):
            store.get("packs/mail-2026", 0, 10)
        store.put_if_absent(PACK, b"x")
        assert store.stat("packs/mail-2026") is None
        assert store.stat(PACK + "/below") is None
        with pytest.raises(ObjectMissingError):
            store.get(PACK + "/below")

    def test_delete_removes_and_may_be_repeated(self, store: Store) -> None:
        store.delete(PACK)
        store.put_if_absent(PACK, b"x")
        store.delete(PACK)
        store.delete(PACK)
        assert store.stat(PACK) is None
        assert list(store.list()) == []
        assert store.put_if_absent(PACK, b"again")
        assert store.get(PACK) == b"again"

    def test_list_gives_whole_names_in_order(self, store: Store) -> None:
        names = [
            "a/b",
            "a-b",
            "a.b",
            "a/b-c/d",
            "a/b.c",
            "ab",
            "B",
            "a0",
            "manifests/w1/0000000001",
            "manifests/w1/0000000010",
            "manifests/w10/1",
        ]
        for number, name in enumerate(names):
            store.put_if_absent(name if name != "a/b" else "a/b/z", b"x" * number)
        expected = sorted(name if name != "a/b" else "a/b/z" for name in names)
        assert [stat.name for stat in store.list()] == expected
        assert {stat.name: stat.size for stat in store.list()}["a.b"] == 2
        for prefix in [
            "a",
            "a/",
            "a/b",
            "a/b-",
            "manifests/w1",
            "manifests/w1/",
            "manifests/w1/00000000",
            "nothing/",
            "nothing/at/all",
        ]:
            assert [stat.name for stat in store.list(prefix)] == [n for n in expected if n.startswith(prefix)], prefix

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_names_that_could_leave_the_store_are_refused(self, store: Store, name: str) -> None:
        with pytest.raises(StoreError):
            store.put_if_absent(name, b"x")
        with pytest.raises(StoreError) as caught:
            store.get(name)
        assert not isinstance(caught.value, ObjectMissingError)
        with pytest.raises(StoreError):
            store.stat(name)
        with pytest.raises(StoreError):
            store.delete(name)
        assert list(store.list()) == []

    @pytest.mark.parametrize("prefix", ["../", "/", "a//", "..", "a/../b"])
    def test_prefixes_that_could_leave_the_store_are_refused(self, store: Store, prefix: str) -> None:
        with pytest.raises(StoreError):
            list(store.list(prefix))

    def test_of_many_at_once_exactly_one_writes_and_readers_see_it_whole(self, store: Store) -> None:
        bodies = [bytes([number]) * 200_000 for number in range(8)]
        start = threading.Barrier(9)

        def put(body: bytes) -> bool:
            start.wait(timeout=30)
            return store.put_if_absent(PACK, body)

        def watch() -> bool:
            start.wait(timeout=30)
            while (seen := store.stat(PACK)) is None:
                time.sleep(0.001)
            return seen.size == 200_000 and store.get(PACK) in bodies

        with ThreadPoolExecutor(9) as pool:
            whole = pool.submit(watch)
            wrote = list(pool.map(put, bodies))
            assert whole.result(timeout=30)
        assert wrote.count(True) == 1
        assert store.get(PACK) == bodies[wrote.index(True)]

    def test_many_objects_from_many_threads(self, store: Store) -> None:
        names = [f"packs/mail-2026/{number % 7:02x}/{number:064x}.age" for number in range(120)]
        with ThreadPoolExecutor(6) as pool:
            assert all(pool.map(lambda name: store.put_if_absent(name, name.encode()), names))
            assert all(pool.map(lambda name: store.get(name) == name.encode(), names))
        assert [stat.name for stat in store.list("packs/")] == sorted(names)
