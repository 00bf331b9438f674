"""Fifty thousand messages: time, memory, size on disk and the time of a search, printed and loosely bounded."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from archiver.catalog.sqlite import SqliteCatalog
from archiver.model import Entry, FolderEntry
from tests.catalog.entries import KEY, START, day, digest, fill, message, place

MESSAGES = 50_000
TERMS = [
    "合同",
    "采购",
    "发票",
    "订单",
    "付款",
    "交货",
    "样品",
    "报价",
    "客户",
    "工厂",
    "质量",
    "检验",
    "运输",
    "保险",
    "信用证",
    "提单",
    "装箱",
    "海关",
    "汇率",
    "定金",
]


def company_mail(rng: random.Random) -> Iterator[Entry]:
    """Messages of some 600 bytes of text, half Chinese and half English, each in one of ten folders."""
    english = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(2, 9))) for _ in range(2000)]
    chinese = ["".join(rng.choices(TERMS, k=rng.randint(1, 4))) for _ in range(2000)]
    for number in range(MESSAGES):
        words = rng.choices(english, k=50), rng.choices(chinese, k=30)
        text = f"{' '.join(words[0])}\n{'，'.join(words[1])} PI-{number:06d}"
        when = day(-(number % 2000))
        yield message(number, text, subject=f"{words[1][0]} {words[0][0]}", date=when, pack=f"packs/{number // 500}")
        yield place(number, folder=f"F{number % 10}", uid=number, date=when, flags=("\\Seen",) if number % 3 else ())


def memory() -> int:
    """Resident MB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 // 1_000_000


@pytest.mark.slow
def test_fifty_thousand_messages(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    entries = [FolderEntry("li@example.com", "F0", 1, 1, START), *company_mail(random.Random(3))]
    size = sum(len(entry.text.encode()) for entry in entries if hasattr(entry, "text"))
    before = memory()
    with SqliteCatalog.open(path, KEY) as catalog:
        start = time.process_time()
        for at in range(0, len(entries), 2000):
            catalog.add(entries[at : at + 2000])
        catalog.seal("w", 1)
        spent = time.process_time() - start
        grown = memory() - before
    stored = path.stat().st_size
    print(f"{MESSAGES} messages, {size / 1e6:.0f} MB of text: {spent:.1f} s, {size / spent / 1e6:.1f} MB/s, "
          f"file {stored / 1e6:.0f} MB, memory +{grown} MB")  # fmt: skip
    assert spent < 90
    assert grown < 150
    assert stored < 4 * size
    with SqliteCatalog.open(path, KEY) as catalog:
        catalog.search("PI-000001")
        for query, count in (
            ("PI-004711", 1), ("合同", None), ("采购合同", None), ("合", None), ("folder:F3", 5000),
            ("NOT flag:seen", 16667), ("合同 folder:F3 flag:seen date:2024", None), ("", 50_000),
            (f"id:{digest(77)}", 1),
        ):  # fmt: skip
            start = time.perf_counter()
            hits = catalog.search(query, limit=50)
            taken = (time.perf_counter() - start) * 1000
            print(f"  {query or 'everything'}: {taken:.1f} ms")
            assert hits
            assert taken < 2000
            if count is not None:
                assert len(catalog.search(query)) == count
        fill(catalog, message("new", "合同 one more"), place("new", uid=10**6), seq=2)
        start = time.perf_counter()
        fill(catalog, message("newer", "合同 one more"), place("newer", uid=10**6 + 1), seq=3)
        print(f"  one more message, sealed: {(time.perf_counter() - start) * 1000:.1f} ms")
        assert catalog.sealed() == {"w": 3}
