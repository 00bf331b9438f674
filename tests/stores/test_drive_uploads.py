"""Uploads to Google Drive that are cut, expire, arrive damaged or are killed: gone on with, never twice, never half."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from archiver.errors import StoreError
from archiver.stores.drive import DriveStore
from tests.contracts.store import PACK
from tests.servers.drive import Cut, DriveServer, Refuse, Wrong
from tests.stores.on_drive import FAST, LARGE, PATH, SMALL, notes


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["multipart", "session"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("times", [1, 3])
def test_broken_connections_make_no_double(
    drive: DriveServer, store: DriveStore, url: str, data: bytes, after: bool, times: int
) -> None:
    """A lost request and a lost acknowledgement, at every kind of request on the way."""
    for operation in ("folder", "create", "begin", "send", "list", "generateIds"):
        drive.faults.append(Cut(operation, after=after, times=times))
    assert store.put_if_absent(PACK, data)
    assert store.get(PACK) == data
    assert len(drive.files.at(PATH)) == len(drive.files.at("Mail archive/packs")) == 1
    assert len(drive.files.items) == 1 + 1 + 1 + 2 + 1  # top, folder, marker, two folders, the object
    assert not notes(url)


def test_a_cut_upload_goes_on_where_it_was_cut(drive: DriveServer, store: DriveStore, tmp_path: Path) -> None:
    (tmp_path / "pack").write_bytes(LARGE)
    at = 4_000_000
    drive.faults.append(Cut("send", at=at))
    received: list[int] = []
    receive = drive.files.receive

    def counting(key: str, start: int, body: bytes, total: int) -> Any:
        received.append(len(body))
        return receive(key, start, body, total)

    drive.files.receive = counting  # type: ignore[method-assign]
    assert store.put_if_absent(PACK, tmp_path / "pack")
    assert store.get(PACK) == LARGE
    kept = at // (256 * 1024) * 256 * 1024
    assert (received[0], received[-1]) == (at, len(LARGE) - kept)  # the cut request, the rest
    assert set(received[1:-1]) == {0}  # the question how much arrived, and perhaps a request that httplib2 gave up
    assert drive.count("begin") == 1
    print(f"cut at {at}: {sum(received) - len(LARGE)} of {len(LARGE)} bytes sent twice")


@pytest.mark.parametrize("cuts", [1, 2, 4])
def test_a_session_that_moves_on_is_never_given_up(drive: DriveServer, store: DriveStore, cuts: int) -> None:
    drive.faults += [Cut("send", at=1_000_000, skip=0) for _ in range(cuts)]
    assert store.put_if_absent(PACK, LARGE)
    assert store.get(PACK) == LARGE
    assert drive.count("begin") == 1


def test_a_session_that_does_not_move_on_is_given_up(drive: DriveServer, store: DriveStore) -> None:
    drive.files.receive = lambda *_arguments: None  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="does not move on"):
        store.put_if_absent(PACK, LARGE)
    assert drive.count("send") <= FAST.tries + 1


def test_an_expired_session_is_begun_again(drive: DriveServer, store: DriveStore) -> None:
    """Cut in the middle; when the client asks how much arrived, the session is no more."""
    receive = drive.files.receive

    def receive_and_expire(key: str, *rest: Any) -> Any:
        try:
            return receive(key, *rest)
        finally:
            drive.files.expired.update([key] if not drive.files.expired else [])

    drive.files.receive = receive_and_expire  # type: ignore[method-assign]
    drive.faults.append(Cut("send", at=2_000_000))
    assert store.put_if_absent(PACK, LARGE)
    assert store.get(PACK) == LARGE
    assert drive.count("begin") == 2
    drive.faults.append(Refuse("send", 404, "notFound", times=99))
    with pytest.raises(StoreError, match="expired"):
        store.put_if_absent("packs/other", LARGE)


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["multipart", "session"])
def test_a_lost_acknowledgement_and_a_crash_make_no_double(
    drive: DriveServer, store: DriveStore, url: str, data: bytes
) -> None:
    """The run ends without an answer; the next one finds the file, even where the listing does not show it yet."""
    drive.faults += [Cut("create" if data is SMALL else "send", after=True, times=99), Cut("get", times=99)]
    with pytest.raises(StoreError, match="connection failed"):
        store.put_if_absent(PACK, data)
    drive.faults.clear()
    assert len(notes(url)) == 1
    assert notes(url)[0].stat().st_mode & 0o77 == 0
    hidden: list[int] = []

    def hide(page: dict[str, Any]) -> None:
        found = [file for file in page["files"] if not file["name"].endswith(".age")]
        hidden.append(len(page["files"]) - len(found))
        page["files"] = found

    drive.faults.append(Wrong("list", hide, times=99))
    after = DriveStore.open(url, FAST)
    assert after.put_if_absent(PACK, data)
    assert sum(hidden) == 1
    assert len(drive.files.at(PATH)) == 1
    assert drive.files.tree()[PATH] == data
    assert not notes(url)


def test_an_upload_goes_on_in_the_next_run(drive: DriveServer, store: DriveStore, url: str) -> None:
    drive.faults += [Cut("send", at=3_000_000), Refuse("send", 503, times=99)]
    with pytest.raises(StoreError):
        store.put_if_absent(PACK, LARGE)
    drive.faults.clear()
    assert DriveStore.open(url, FAST).put_if_absent(PACK, LARGE)
    assert drive.count("begin") == 1
    assert drive.files.tree()[PATH] == LARGE


def test_other_content_does_not_go_on_with_the_old_session(drive: DriveServer, store: DriveStore, url: str) -> None:
    drive.faults += [Cut("send", at=3_000_000), Refuse("send", 503, times=99)]
    with pytest.raises(StoreError):
        store.put_if_absent(PACK, LARGE)
    drive.faults.clear()
    assert DriveStore.open(url, FAST).put_if_absent(PACK, LARGE[::-1])
    assert drive.files.tree()[PATH] == LARGE[::-1]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"id": 1}', '{"id": "1nonsense", "sha256": "x", "session": ""}'])
def test_a_note_that_is_rubbish_does_no_harm(drive: DriveServer, store: DriveStore, url: str, content: str) -> None:
    drive.faults.append(Cut("create", times=99))
    with pytest.raises(StoreError):
        store.put_if_absent(PACK, SMALL)
    drive.faults.clear()
    notes(url)[0].write_text(content)
    assert store.put_if_absent(PACK, SMALL)
    assert not notes(url)


def test_a_note_with_an_id_that_drive_refuses_is_given_up_by_the_second_try(
    drive: DriveServer, store: DriveStore, url: str
) -> None:
    drive.faults.append(Cut("create", times=99))
    with pytest.raises(StoreError):
        store.put_if_absent(PACK, SMALL)
    drive.faults.clear()
    drive.files.generated.clear()
    with pytest.raises(StoreError, match="400"):
        DriveStore.open(url, FAST).put_if_absent(PACK, SMALL)
    assert DriveStore.open(url, FAST).put_if_absent(PACK, SMALL)


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["multipart", "session"])
@pytest.mark.parametrize("field", ["sha256Checksum", "md5Checksum", "size"])
def test_content_that_arrived_damaged_is_sent_again(
    drive: DriveServer, store: DriveStore, data: bytes, field: str
) -> None:
    operation = "create" if data is SMALL else "send"

    def damage(found: dict[str, Any]) -> None:
        if field == "md5Checksum":
            del found["sha256Checksum"]
        found[field] = "17"

    drive.faults.append(Wrong(operation, damage))
    assert store.put_if_absent(PACK, data)
    assert len(drive.files.at(PATH)) == 1
    assert drive.count("delete") == 1
    drive.faults.append(Wrong(operation, damage, times=2))
    with pytest.raises(StoreError, match="damaged"):
        store.put_if_absent("packs/other", data)
    assert drive.files.at("Mail archive/packs/other") == []


def test_without_checksums_the_content_is_read_back(drive: DriveServer, store: DriveStore) -> None:
    def without(found: dict[str, Any]) -> None:
        del found["sha256Checksum"], found["md5Checksum"]

    drive.faults.append(Wrong("create", without))
    assert store.put_if_absent(PACK, SMALL)
    assert drive.count("download") == 1
    drive.faults += [Wrong("create", without), Wrong("create", lambda found: found.pop("sha256Checksum"))]
    assert store.put_if_absent("packs/other", SMALL)
    assert drive.count("download") == 2


PUT = """
import sys
from archiver.stores.drive import DriveStore
store = DriveStore.open(sys.argv[1])
for number in range(int(sys.argv[2]), 100000):
    size = 6_000_000 if number % 4 == 0 else 7000
    store.put_if_absent(f"packs/{number % 3}/{number}", bytes([number % 251]) * size)
    print(number, flush=True)
"""


@pytest.mark.slow
def test_killed_at_any_moment_it_makes_no_double(drive: DriveServer, store: DriveStore, url: str) -> None:
    """kill -9, 12 times, each time begun again with the object before the last: whole, once, and nothing else."""
    acknowledged = -1
    rng = random.Random(9)
    for _ in range(12):
        first = max(0, acknowledged - 1)
        command = [sys.executable, "-c", PUT, url, str(first)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[2])
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
        lines = [line for line in process.stdout if line.endswith("\n")]
        acknowledged = int(lines[-1]) if lines else max(acknowledged, first)
        process.wait(timeout=30)
    tree = {path: content for path, content in drive.files.tree().items() if "/packs/" in path}
    assert acknowledged + 1 <= len(tree) <= acknowledged + 2
    for path, content in tree.items():
        number = int(path.rpartition("/")[2])
        assert content == bytes([number % 251]) * (6_000_000 if number % 4 == 0 else 7000)
        assert len(drive.files.at(path)) == 1
    assert store.doubles == set()
    print(f"12 kills, {acknowledged + 1} objects acknowledged, {len(tree)} there, each once and whole")
