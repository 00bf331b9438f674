"""The store in Google Drive, against a local server that speaks the published protocol."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from archiver.errors import ConfigError, ObjectMissingError, QuotaError, StoreError
from archiver.stores.drive import DriveStore
from archiver.stores.drive_calls import Pace
from archiver.stores.drive_url import parse
from archiver.stores.local import MARKER, LocalStore
from archiver.stores.table import create_store, open_store
from tests.contracts.store import PACK, StoreContract
from tests.servers.drive import DriveServer
from tests.stores.on_drive import FAST, PATH


class TestDriveStore(StoreContract):
    @pytest.fixture
    def store(self, url: str) -> DriveStore:
        return DriveStore.create(url, "a" * 32, FAST)


class TestInASharedDriveWithManyPages(StoreContract):
    """Two files a page."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[DriveStore]:
        with DriveServer("0AShared", page=2) as server:
            yield DriveStore.create(server.url(tmp_path / "keep", shared_drive="0AShared"), "a" * 32, FAST)


def test_a_person_finds_the_packs_of_a_year_in_one_folder(drive: DriveServer, store: DriveStore) -> None:
    store.put_if_absent(PACK, b"pack")
    store.put_if_absent("FORMAT.txt", b"read me")
    assert drive.files.tree() == {
        f"Mail archive/{MARKER}": b'{"mailark-store": 1, "archive": "archive-1"}\n',
        PATH: b"pack",
        "Mail archive/FORMAT.txt": b"read me",
    }


def test_the_folder_downloaded_by_a_person_is_a_store_like_any_other(
    drive: DriveServer, store: DriveStore, tmp_path: Path
) -> None:
    for name in (PACK, "FORMAT.txt", "manifests/w/0000000001"):
        store.put_if_absent(name, name.encode())
    for path, content in drive.files.tree().items():
        (tmp_path / "down" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "down" / path).write_bytes(content)
    downloaded = LocalStore.open(tmp_path / "down" / "Mail archive")
    assert downloaded.archive() == "archive-1"
    assert list(downloaded.list()) == list(store.list())


def test_the_table_opens_it(drive: DriveServer, url: str) -> None:
    made = create_store(url, "archive-1")
    assert made.url == open_store(url).url == url


def test_create_is_repeatable_and_another_archives_folder_is_refused(drive: DriveServer, url: str) -> None:
    for _ in range(2):
        assert DriveStore.create(url, "archive-1", FAST).archive() == "archive-1"
    assert len(drive.files.at("Mail archive")) == len(drive.files.at(f"Mail archive/{MARKER}")) == 1
    with pytest.raises(StoreError, match="another archive"):
        DriveStore.create(url, "archive-2", FAST)


def test_a_damaged_marker_is_told_and_written_again_on_demand(drive: DriveServer, url: str, store: DriveStore) -> None:
    drive.files.at(f"Mail archive/{MARKER}")[0].content = b"{"
    with pytest.raises(StoreError, match="damaged"):
        DriveStore.open(url, FAST)
    assert DriveStore.create(url, "archive-1", FAST).archive() == "archive-1"


def test_what_is_no_store_is_not_opened(drive: DriveServer, url: str, store: DriveStore) -> None:
    drive.files.update(drive.files.at("Mail archive")[0].id, {"trashed": True})
    with pytest.raises(StoreError, match="is not a store"):
        DriveStore.open(url, FAST)


@pytest.mark.parametrize("how", ["trashed", "deleted"])
def test_a_folder_that_is_taken_away_is_not_filled(drive: DriveServer, store: DriveStore, how: str) -> None:
    """Every call fails; none says that the store is merely empty, and nothing is written into the trash."""
    store.put_if_absent(PACK, b"x")
    folder = drive.files.at("Mail archive")[0]
    drive.files.update(folder.id, {"trashed": True}) if how == "trashed" else drive.files.delete(folder.id)
    before = {item.id for item in drive.files.items.values() if "." in item.name}
    calls = [
        lambda: store.put_if_absent("keys/recovery.age", b"x"),
        lambda: store.put_if_absent(PACK, b"x"),
        lambda: store.get("FORMAT.txt"),
        lambda: store.stat(PACK),
        lambda: list(store.list()),
        lambda: list(store.list("packs/")),
        lambda: store.delete("FORMAT.txt"),
    ]
    for call in calls:
        with pytest.raises(StoreError, match="is not a store") as caught:
            call()
        assert caught.type is StoreError
    assert {item.id for item in drive.files.items.values() if "." in item.name} == before


@pytest.mark.parametrize("how", ["trashed", "deleted"])
def test_a_folder_within_that_is_removed_underneath_is_made_again(
    drive: DriveServer, store: DriveStore, how: str
) -> None:
    other = PACK.replace(".age", "2.age")
    store.put_if_absent(PACK, b"x")
    folder = drive.files.at("Mail archive/packs")[0]
    drive.files.update(folder.id, {"trashed": True}) if how == "trashed" else drive.files.delete(folder.id)
    assert store.put_if_absent(other, b"y")
    assert store.stat(PACK) is None
    assert store.put_if_absent(PACK, b"x")
    assert [found.name for found in store.list()] == sorted([PACK, other])


def test_another_machine_is_seen_at_once(url: str, store: DriveStore) -> None:
    other = DriveStore.open(url, FAST)
    assert other.stat(PACK) is None
    store.put_if_absent(PACK, b"x")
    assert other.get(PACK) == b"x"
    store.delete(PACK)
    assert other.stat(PACK) is None
    with pytest.raises(ObjectMissingError):
        other.get(PACK)
    assert other.put_if_absent(PACK, b"y")
    assert store.get(PACK) == b"y"


def test_of_two_files_of_one_name_the_older_counts_and_delete_removes_both(
    drive: DriveServer, url: str, store: DriveStore
) -> None:
    other = DriveStore.open(url, FAST)
    store.put_if_absent("packs/a/1", b"1")
    other.put_if_absent("packs/a/2", b"2")
    assert store.put_if_absent("packs/a/x", b"older")
    assert other.put_if_absent("packs/a/x", b"newer")  # its memory of the folder is older than the other's file
    fresh = DriveStore.open(url, FAST)
    assert [found.name for found in fresh.list("packs/")] == ["packs/a/1", "packs/a/2", "packs/a/x"]
    assert fresh.doubles == {"packs/a/x"}
    assert fresh.get("packs/a/x") == b"older"
    assert not fresh.put_if_absent("packs/a/x", b"third")
    fresh.delete("packs/a/x")
    assert drive.files.at("Mail archive/packs/a/x") == []


def test_folders_of_one_name_are_read_as_one(drive: DriveServer, url: str, store: DriveStore) -> None:
    top = drive.files.at("Mail archive")[0].id
    store.put_if_absent("packs/a/1", b"1")
    for above in [drive.files.at("Mail archive/packs")[0].id, top]:
        folder = drive.files.create(
            {
                "name": "a" if above != top else "packs",
                "parents": [above],
                "mimeType": "application/vnd.google-apps.folder",
            },
            b"",
        )
        drive.files.create({"name": f"by-hand-{above == top}", "parents": [folder.id]}, b"2")
    fresh = DriveStore.open(url, FAST)
    assert [found.name for found in fresh.list()] == ["packs/a/1", "packs/a/by-hand-False", "packs/by-hand-True"]
    assert fresh.get("packs/by-hand-True") == fresh.get("packs/a/by-hand-False") == b"2"


def test_where_only_managers_delete_it_goes_into_the_trash(drive: DriveServer, store: DriveStore) -> None:
    store.put_if_absent(PACK, b"x")
    drive.files.may_delete = False
    store.delete(PACK)
    assert store.stat(PACK) is None
    assert list(store.list()) == []
    assert store.put_if_absent(PACK, b"again")
    assert drive.count("update") == 1


def test_a_listing_that_began_before_a_put_does_not_hide_it(drive: DriveServer, store: DriveStore) -> None:
    """A put during the listing of its folder by another thread is not forgotten: no double."""
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            store.stat("packs/a/none")

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for number in range(40):
            assert store.put_if_absent(f"packs/a/{number}", b"x")
            assert not store.put_if_absent(f"packs/a/{number}", b"x")
    finally:
        stop.set()
        looking.join()
    assert drive.count("create") == 40


def test_a_listing_asks_only_for_folders_that_matter(drive: DriveServer, url: str, store: DriveStore) -> None:
    for number in range(30):
        store.put_if_absent(f"packs/mail-2026/{number:02x}/{number}", b"x")
    fresh = DriveStore.open(url, FAST)
    for prefix, folders, found in [("packs/mail-2026/0", 16, 16), ("packs/mail-2026/1d/", 1, 1), ("packs/", 30, 30)]:
        drive.requests.clear()
        assert len(list(fresh.list(prefix))) == found
        assert folders <= drive.count("list") <= folders + 3, prefix


def test_drives_own_checksums_cost_one_listing_a_folder(drive: DriveServer, url: str, store: DriveStore) -> None:
    for number in range(5):
        store.put_if_absent(f"packs/a/{number}", b"x" * number)
    fresh = DriveStore.open(url, FAST)
    names = [found.name for found in fresh.list("packs/")]
    drive.requests.clear()
    for number, name in enumerate(names):
        assert fresh.checksum(name) == hashlib.sha256(b"x" * number).hexdigest()
    assert drive.requests == []
    with pytest.raises(ObjectMissingError):
        fresh.checksum("packs/a/none")


def test_writes_are_paced() -> None:
    pace = Pace(50)
    began = time.monotonic()
    threads = [threading.Thread(target=pace.wait) for _ in range(11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0.19 <= time.monotonic() - began < 20


def test_an_id_names_a_folder_that_is_never_made(drive: DriveServer, store: DriveStore, tmp_path: Path) -> None:
    id_ = drive.files.at("Mail archive")[0].id
    by_id = DriveStore.open(drive.url(tmp_path / "keep", f"id:{id_}"), FAST)
    assert by_id.archive() == "archive-1"
    with pytest.raises(StoreError, match="is not a store"):
        DriveStore.create(drive.url(tmp_path / "keep", "id:1NotThere"), "archive-1", FAST)


def test_a_folder_in_a_folder(drive: DriveServer, tmp_path: Path) -> None:
    DriveStore.create(drive.url(tmp_path / "keep", "Backups/档案"), "a", FAST)
    assert list(drive.files.tree()) == [f"Backups/档案/{MARKER}"]


@pytest.mark.parametrize(
    "url",
    [
        "drive://",
        "drive:///x",
        "drive://a//b",
        "drive://a/",
        "drive://a#b",
        "drive://id:1/x",
        "drive://id:a b",
        "drive://a?nonsense=1",
        "drive://a?keep=",
        "drive://a?keep=/a&keep=/b",
        "drive://a?writes_per_second=0",
        "drive://a?writes_per_second=nan",
        "drive://a?writes_per_second=x",
        "drive://a?shared_drive=a/b'",
        "drive://a?endpoint=http://evil.example",
        "drive://a?login=post-it",
        "drive://a?endpoint=ftp://127.0.0.1",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(url)
    assert "drive://Mail%20archive" in caught.value.hint


def test_what_a_url_says() -> None:
    place = parse("drive://Backups/Mail%20archive?shared_drive=0AbCd&keep=/var/lib/x&writes_per_second=0.5")
    assert place.folders == ("Backups", "Mail archive")
    assert (place.shared_drive, place.keep, place.writes_per_second) == ("0AbCd", Path("/var/lib/x"), 0.5)
    assert place.token.parent == place.uploads.parent == Path("/var/lib/x")
    assert parse("drive://Mail?writes_per_second=1").token == parse("drive://Mail").token != parse("drive://Post").token
    assert parse("drive://id:1AbC").folder_id == "1AbC"


def test_an_unwritable_place_for_notes_is_told(drive: DriveServer, tmp_path: Path) -> None:
    url = drive.url(tmp_path / "keep")
    parse(url).uploads.write_text("a file where a folder should be")
    with pytest.raises(StoreError, match="cannot note uploads") as caught:
        DriveStore.create(url, "a", FAST)
    assert "keep=" in caught.value.hint
    assert not isinstance(caught.value, QuotaError)
