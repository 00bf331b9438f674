"""Places: first and last seen, lines in any order and twice, certificates."""

from __future__ import annotations

import itertools
from pathlib import Path

from archiver.catalog.lines import dump, load
from archiver.catalog.sqlite import SqliteCatalog
from archiver.model import (
    CertificateEntry,
    Entry,
    FlagsEntry,
    FolderEntry,
    GoneEntry,
)
from tests.catalog.entries import CONTRACT, KEY, START, STORY, day, digest, fill, ids, message, place


def test_places_come_and_go_and_come_back(catalog: SqliteCatalog) -> None:
    fill(
        catalog,
        FolderEntry("li@example.com", "INBOX", 1, 100, day(0)),
        message(),
        place(),
        place(uid=2),
        FlagsEntry("li@example.com", "INBOX", 1, 2, ("\\Seen",), day(1)),
        GoneEntry("li@example.com", "INBOX", 1, 1, day(2)),
        place(folder="Sent", seen=day(1)),
    )

    def told() -> list[tuple[str, int, int, int, int | None]]:
        return [
            (one.folder, one.epoch, one.uid, (one.first_seen - START).days,
             None if one.last_seen is None else (one.last_seen - START).days)
            for one in catalog.places(digest(1))
        ]  # fmt: skip

    assert told() == [("INBOX", 1, 1, 0, 2), ("INBOX", 1, 2, 0, None), ("Sent", 1, 1, 1, None)]
    assert [one.flags for one in catalog.places(digest(1))] == [(), ("\\Seen",), ()]
    fill(catalog, FolderEntry("li@example.com", "INBOX", 2, 200, day(5)), place(epoch=2, uid=9, seen=day(5)), seq=2)
    assert told() == [
        ("INBOX", 1, 1, 0, 2), ("INBOX", 1, 2, 0, 5), ("INBOX", 2, 9, 5, None), ("Sent", 1, 1, 1, None)
    ]  # fmt: skip
    fill(catalog, GoneEntry("li@example.com", "INBOX", 2, 9, day(6)), place(epoch=2, uid=9, seen=day(7)), seq=3)
    assert told()[2] == ("INBOX", 2, 9, 5, None), "seen again after it was thought gone"
    assert catalog.places(digest("unknown")) == []


def test_lines_may_come_in_any_order_and_twice(tmp_path: Path) -> None:
    def picture(path: Path, batches: list[list[Entry]]) -> object:
        with SqliteCatalog.open(path, KEY) as catalog:
            for batch in batches:
                fill(catalog, *batch)
            return catalog.search(""), catalog.certificates(), len(catalog.search("flag:flagged"))

    expected = picture(tmp_path / "expected.db", [STORY])
    assert len(expected[0]) == 1  # type: ignore[index]
    for number, order in enumerate(itertools.islice(itertools.permutations(STORY), 0, 5040, 97)):
        path = tmp_path / f"{number}.db"
        batches: list[list[Entry]] = [[*order]] if number % 2 else [[entry] for entry in order]
        assert picture(path, batches) == expected
        assert picture(path, [STORY, list(reversed(STORY))]) == expected
        path.unlink()


def test_a_place_without_its_message_is_no_hit_yet(catalog: SqliteCatalog) -> None:
    fill(catalog, place())
    assert catalog.search("") == []
    assert catalog.search("folder:INBOX") == []
    assert catalog.get(digest(1)) is None
    fill(catalog, message(text="late"), seq=2)
    assert ids(catalog.search("late folder:INBOX")) == [digest(1)]


def test_the_latest_certificate_of_each_folder(catalog: SqliteCatalog) -> None:
    def certificate(folder: str, seen: int, account: str = "a", epoch: int = 1) -> CertificateEntry:
        return CertificateEntry(account, folder, epoch, 10, 9, ("UID 5: refused",), day(seen))

    fill(
        catalog, certificate("A", 1), certificate("A", 3), certificate("A", 2), certificate("B", 1),
        certificate("A", 5, account="b"), certificate("A", 3, epoch=2),
    )  # fmt: skip
    assert catalog.certificates("a") == [certificate("A", 3, epoch=2), certificate("B", 1)]
    assert catalog.certificates() == [
        certificate("A", 3, epoch=2), certificate("B", 1), certificate("A", 5, account="b")
    ]  # fmt: skip
    assert catalog.certificates("nobody") == []


def test_only_the_first_line_of_a_message_counts(catalog: SqliteCatalog) -> None:
    fill(catalog, message(1, "first", pack="packs/a"))
    fill(catalog, message(1, "second", pack="packs/b"), seq=2)
    assert [hit.pack for hit in catalog.search("first")] == ["packs/a"]
    assert catalog.search("second") == []


def test_entries_of_real_lines(catalog: SqliteCatalog) -> None:
    entries: list[Entry] = [CONTRACT, place("contract"), *STORY]
    fill(catalog, *load(dump(entries)))
    direct = catalog.search("")
    catalog.forget_all()
    fill(catalog, *entries)
    assert catalog.search("") == direct
    assert len(direct) == 2
