"""Places for exports on real servers: the promises of each kind, and that no store is taken for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archiver.errors import AuthError, ConfigError, MailarkError, QuotaError, StoreError
from archiver.stores import s3_parts, s3_shelf
from archiver.stores.drive import DriveStore
from archiver.stores.drive_shelf import DriveShelf
from archiver.stores.local import LocalStore
from archiver.stores.local_shelf import LocalShelf
from archiver.stores.rclone import RcloneStore
from archiver.stores.rclone_process import Rclone
from archiver.stores.rclone_shelf import RcloneShelf
from archiver.stores.s3 import S3Store
from archiver.stores.s3_place import parse_place
from archiver.stores.s3_shelf import S3Shelf
from archiver.stores.shelf import Put, discreet, named
from archiver.stores.table import open_shelf
from tests.contracts.shelf import NAMES, ShelfContract
from tests.servers.drive import DriveServer
from tests.servers.rclone_s3 import RcloneS3
from tests.servers.s3_faults import LostAnswer, S3Proxy
from tests.servers.s3_server import S3Server
from tests.servers.seaweed import SeaweedFS
from tests.stores.on_drive import FAST

Content = Callable[[str], bytes]
Remote = Callable[[str], tuple[str, Path]]


def in_bucket(server: S3Server, url: str) -> Content:
    place = parse_place(url)

    def read(name: str) -> bytes:
        data: bytes = server.client().get_object(Bucket=place.bucket, Key=place.key(name))["Body"].read()
        return data

    return read


class TestLocal(ShelfContract):
    @pytest.fixture
    def shelf(self, tmp_path: Path) -> LocalShelf:
        return LocalShelf.open(tmp_path / "new" / "export")

    @pytest.fixture
    def content(self, tmp_path: Path) -> Content:
        return lambda name: (tmp_path / "new" / "export" / name).read_bytes()


class OnS3(ShelfContract):
    @pytest.fixture
    def shelf(self, url: str) -> S3Shelf:
        return S3Shelf.open(url)

    @pytest.fixture
    def content(self, server: S3Server, url: str) -> Content:
        return in_bucket(server, url)

    @pytest.fixture
    def url(self, server: S3Server) -> str:
        return server.url(server.bucket())

    def test_a_file_in_parts(
        self, shelf: S3Shelf, content: Content, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for module in (s3_parts, s3_shelf):
            monkeypatch.setattr(module, "PART", 5 << 20)
        (tmp_path / "large").write_bytes(data := bytes(range(256)) * 50_000)
        assert shelf.put_if_absent("合同.tar.age", tmp_path / "large") is Put.NEW
        assert content("合同.tar.age") == data
        assert shelf.put_if_absent("合同.tar.age", tmp_path / "large") is Put.SAME
        (tmp_path / "large").write_bytes(data[::-1])
        assert shelf.put_if_absent("合同.tar.age", tmp_path / "large") is Put.OTHER
        assert content("合同.tar.age") == data


class TestSeaweed(OnS3):
    @pytest.fixture
    def server(self, seaweed: SeaweedFS) -> S3Server:
        return seaweed

    def test_a_part_that_finds_the_name_taken_replaces_nothing(
        self, shelf: S3Shelf, content: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The look told that the name is free, and meanwhile another machine took it."""
        monkeypatch.setattr(s3_shelf, "PART", 5 << 20)
        for name, size in (("small", 100), ("large", 6 << 20)):
            (tmp_path / name).write_bytes(b"1" * size)
            assert shelf.put_if_absent(name, tmp_path / name) is Put.NEW
            (tmp_path / name).write_bytes(b"2" * size)
            head = shelf._objects.head
            told = iter([None])
            monkeypatch.setattr(shelf._objects, "head", lambda name, told=told, head=head: next(told, head(name)))
            assert shelf.put_if_absent(name, tmp_path / name) is Put.OTHER
            assert content(name) == b"1" * size


class TestRcloneServesS3(OnS3):
    @pytest.fixture
    def server(self, rclone_s3: RcloneS3) -> S3Server:
        return rclone_s3


class TestDrive(ShelfContract):
    @pytest.fixture
    def shelf(self, url: str) -> DriveShelf:
        return DriveShelf.open(url, FAST)

    @pytest.fixture
    def content(self, drive: DriveServer) -> Content:
        return lambda name: drive.files.tree()[f"Mail archive/{name}"]


class TestRclone(ShelfContract):
    @pytest.fixture
    def shelf(self, rclone: Rclone, remote: Remote) -> RcloneShelf:
        return RcloneShelf.open(remote("出口 export")[0], rclone)

    @pytest.fixture
    def content(self, remote: Remote) -> Content:
        return lambda name: (remote("出口 export")[1] / name).read_bytes()

    def test_a_remote_without_hashes_is_read_back(
        self, rclone: Rclone, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shelf = RcloneShelf.open(remote("plain")[0], rclone)
        monkeypatch.setattr(shelf._remote, "_hashes", [])
        (tmp_path / "a").write_bytes(b"one")
        assert [shelf.put_if_absent("a", tmp_path / "a") for _ in range(2)] == [Put.NEW, Put.SAME]
        (tmp_path / "a").write_bytes(b"two")
        assert shelf.put_if_absent("a", tmp_path / "a") is Put.OTHER


def test_a_store_is_no_shelf(
    tmp_path: Path, seaweed: SeaweedFS, drive: DriveServer, url: str, rclone: Rclone, remote: Remote
) -> None:
    LocalStore.create(tmp_path / "store", "archive")
    bucket = seaweed.url(seaweed.bucket())
    S3Store.create(bucket, "archive")
    DriveStore.create(url, "archive", FAST)
    RcloneStore.create(remote("store")[0], "archive", rclone)
    place, query = bucket.split("?", 1)
    for of_store, below in (
        (str(tmp_path / "store"), str(tmp_path / "store" / "packs" / "new")),
        (bucket, f"{place}/packs/x?{query}"),
        (url, drive.url(tmp_path / "keep", "Mail archive/packs/x")),
        (remote("store")[0], remote("store")[0] + "/packs/x"),
    ):
        for refused in (of_store, below):
            with pytest.raises(ConfigError, match="a store of an archive"):
                open_shelf(refused)
    (tmp_path / "link").symlink_to(tmp_path / "store" / "packs", target_is_directory=True)
    with pytest.raises(ConfigError, match="a store of an archive"):
        open_shelf(str(tmp_path / "link"))
    open_shelf(f"{place}-beside?{query}")


def test_a_drive_without_a_login_is_told(drive: DriveServer, tmp_path: Path) -> None:
    url = drive.url(tmp_path / "keep").replace("keep=", "keep=/nowhere")
    with pytest.raises((AuthError, StoreError)):
        open_shelf(url)


def test_a_lost_answer_leaves_one_file(seaweed: SeaweedFS, tmp_path: Path) -> None:
    """The put arrived and nobody heard: the next try finds the same bytes."""
    (tmp_path / "a").write_bytes(b"contract")
    with S3Proxy(seaweed.port) as proxy:
        shelf = S3Shelf.open(seaweed.url(seaweed.bucket(), port=proxy.port))
        proxy.faults.append(LostAnswer(path="first", method="PUT"))
        assert shelf.put_if_absent("first", tmp_path / "a") in (Put.NEW, Put.SAME)
        assert shelf.put_if_absent("first", tmp_path / "a") is Put.SAME


@pytest.mark.parametrize("error", [StoreError, QuotaError])
def test_errors_name_no_subject(error: type[MailarkError]) -> None:
    with pytest.raises(error) as caught, discreet(NAMES[1]):
        raise error(f"s3://b: {NAMES[1]}: 500 for {NAMES[1].rpartition('/')[2]}", "again")
    assert str(caught.value) == "s3://b: the file of message 3f2a9c0d: 500 for the file of message 3f2a9c0d"
    assert named("li@example.cn/INBOX.mbox") == "li@example.cn/INBOX.mbox"
    assert named(NAMES[2]) == "the file of message 3f2a9c0d41be3f2a"
