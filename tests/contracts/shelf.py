"""What every place for exports promises. A kind subclasses `ShelfContract` and defines `shelf` and `content`."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from archiver.errors import StoreError
from archiver.stores.interface import Stat
from archiver.stores.shelf import Put, Shelf

NAMES = (
    "index.csv",
    "li@example.cn/客户/Müller GmbH/2024-03-04 采购合同 [PI 118], 50% + A&B=C; 'x' #1 3f2a9c0d.eml",
    "li@example.cn/INBOX/cur/1709517600.3f2a9c0d41be3f2a9c0d41be3f2a9c0d.mailark:2,FS",
    "wang/" + "很长的名字" * 16 + " 3f2a9c0d.eml",
    "a/" * 12 + "deep.pdf",
    "emoji 🎉 é ~.txt",
    "dash-/-rf",
    "CASE_VOL001/data/NATIVES/MAIL00000001.eml",
)
BAD_NAMES = ("", "/a", "a/", "a//b", "..", "../a", "a/../b", "a/./b", "a\0", "a\nb", "x" * 300, "长/" * 400 + "x")


class ShelfContract:
    """Subclass; fixtures: `shelf` (new and empty) and `content` (what lies there, seen from elsewhere)."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Callable[[bytes], Path]:
        def make(data: bytes) -> Path:
            path = tmp_path / f"staged {random.Random(data).random()}"
            path.write_bytes(data)
            return path

        return make

    def test_files_lie_there_under_their_names(
        self, shelf: Shelf, content: Callable[[str], bytes], file: Callable[[bytes], Path]
    ) -> None:
        for number, name in enumerate(NAMES):
            data = random.Random(number).randbytes(3000 * number)
            assert shelf.stat(name) is None
            assert shelf.put_if_absent(name, file(data)) is Put.NEW
            assert shelf.stat(name) == Stat(name, len(data))
            assert content(name) == data

    def test_what_is_there_is_told_and_never_changed(
        self, shelf: Shelf, content: Callable[[str], bytes], file: Callable[[bytes], Path]
    ) -> None:
        name = NAMES[1]
        assert shelf.put_if_absent(name, file(b"first")) is Put.NEW
        assert shelf.put_if_absent(name, file(b"first")) is Put.SAME
        assert shelf.put_if_absent(name, file(b"other")) is Put.OTHER
        assert shelf.put_if_absent(name, file(b"longer than it was")) is Put.OTHER
        assert content(name) == b"first"

    def test_a_large_file(self, shelf: Shelf, content: Callable[[str], bytes], file: Callable[[bytes], Path]) -> None:
        data = random.Random(3).randbytes(9_000_001)
        assert shelf.put_if_absent("mailark-1.tar.age", file(data)) is Put.NEW
        assert content("mailark-1.tar.age") == data
        assert shelf.put_if_absent("mailark-1.tar.age", file(data)) is Put.SAME

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_names_that_could_leave_the_place_are_refused(
        self, shelf: Shelf, file: Callable[[bytes], Path], name: str
    ) -> None:
        with pytest.raises(StoreError, match="not a name"):
            shelf.put_if_absent(name, file(b"x"))
        with pytest.raises(StoreError, match="not a name"):
            shelf.stat(name)

    def test_many_files_from_many_threads(self, shelf: Shelf, file: Callable[[bytes], Path]) -> None:
        files = {f"合同/{number % 5}/{number:08x}.eml": file(b"%d" % number) for number in range(40)}
        with ThreadPoolExecutor(shelf.parallel) as pool:
            assert set(pool.map(lambda name: shelf.put_if_absent(name, files[name]), files)) == {Put.NEW}
            assert set(pool.map(lambda name: shelf.put_if_absent(name, files[name]), files)) == {Put.SAME}
