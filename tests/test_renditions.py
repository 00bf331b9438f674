"""The cache of renditions: sealed, bounded, and never in anybody's way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from archiver.renditions import LARGEST, RenditionCache

KEY = bytes(range(32))


def test_what_was_put_comes_back_after_reopening(tmp_path: Path) -> None:
    cache = RenditionCache(tmp_path / "renditions.db", KEY)
    values = {f"k{n}": os.urandom(n * 1000) for n in range(20)}
    for key, value in values.items():
        cache.put(key, value)
    cache.put("k3", b"newer")
    cache.close()
    cache = RenditionCache(tmp_path / "renditions.db", KEY)
    assert {key: cache.get(key) for key in values} == values | {"k3": b"newer"}
    assert cache.get("other") is None
    cache.close()


def test_nothing_lies_in_clear_and_only_the_owner_reads(tmp_path: Path) -> None:
    cache = RenditionCache(tmp_path / "renditions.db", KEY)
    cache.put("the-key-of-it", b"secret contract " * 5_000)
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) > 80_000
    for path in files:
        assert b"secret" not in path.read_bytes()
        assert b"the-key-of-it" not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0
    cache.close()


def test_it_stays_within_its_limit_and_forgets_what_was_not_used(tmp_path: Path) -> None:
    limit = 2_000_000
    cache = RenditionCache(tmp_path / "renditions.db", KEY, limit)
    cache.put("used", bytes(1_000))
    for number in range(300):
        cache.put(f"k{number}", os.urandom(20_000))
        assert cache.get("used") is not None
    kept = [number for number in range(300) if cache.get(f"k{number}") is not None]
    assert kept == list(range(300 - len(kept), 300))
    assert 0.9 * limit <= len(kept) * 20_000 <= limit
    cache.put("huge", bytes(limit // LARGEST + 1))
    assert cache.get("huge") is None
    cache.close()
    assert (tmp_path / "renditions.db").stat().st_size < 2 * limit


def test_another_key_or_damage_empties_it(tmp_path: Path) -> None:
    path = tmp_path / "renditions.db"
    cache = RenditionCache(path, KEY)
    cache.put("a", bytes(100_000))
    cache.close()
    other = RenditionCache(path, bytes(32))
    assert other.get("a") is None
    other.put("a", b"other")
    assert other.get("a") == b"other"
    other.close()


@pytest.mark.parametrize("at", [10, 5_000, 40_000, 100_000, 200_000])
def test_a_flipped_bit_is_a_miss_never_other_bytes(tmp_path: Path, at: int) -> None:
    path = tmp_path / "renditions.db"
    cache = RenditionCache(path, KEY)
    values = {f"k{n}": os.urandom(60_000) for n in range(5)}
    for key, value in values.items():
        cache.put(key, value)
    cache.close()
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)
    cache = RenditionCache(path, KEY)
    for key, value in values.items():
        assert cache.get(key) in (value, None)
    cache.put("new", b"kept again")
    assert cache.get("new") == b"kept again"
    cache.close()


def test_deleted_at_will(tmp_path: Path) -> None:
    path = tmp_path / "renditions.db"
    RenditionCache(path, KEY).close()
    path.unlink()
    cache = RenditionCache(path, KEY)
    assert cache.get("a") is None
    cache.close()


def test_where_nothing_can_be_written_there_is_no_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    cache = RenditionCache(tmp_path / "file" / "renditions.db", KEY)
    cache.put("a", b"b")
    assert cache.get("a") is None
    cache.close()


def test_two_processes_may_use_it(tmp_path: Path) -> None:
    first, second = (RenditionCache(tmp_path / "renditions.db", KEY) for _ in range(2))
    first.put("a", b"1")
    assert second.get("a") == b"1"
    second.put("b", b"2")
    assert first.get("b") == b"2"
    first.close()
    second.close()
