"""S3 on real servers: the promises of every store, and what is S3's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archiver.errors import ObjectMissingError, StoreError
from archiver.stores import s3, s3_lock
from archiver.stores.marker import MARKER
from archiver.stores.s3 import S3Store
from tests.contracts.store import PACK, StoreContract
from tests.servers.rclone_s3 import RcloneS3
from tests.servers.s3_server import S3Server
from tests.servers.seaweed import SeaweedFS


@pytest.fixture(scope="module")
def plain(seaweed: SeaweedFS) -> str:
    return seaweed.bucket()


@pytest.fixture(scope="module")
def bucket(seaweed: SeaweedFS) -> str:
    """With versions and Object Lock."""
    return seaweed.bucket(locked=True)


@pytest.fixture(scope="module")
def careful(rclone_s3: RcloneS3) -> str:
    return rclone_s3.bucket()


class TestPlainBucket(StoreContract):
    @pytest.fixture
    def store(self, seaweed: SeaweedFS, plain: str) -> S3Store:
        return S3Store.create(seaweed.url(plain), "archive")


class TestLockedBucket(StoreContract):
    """Versioned, with Object Lock and a retention: everything works as in any other."""

    @pytest.fixture
    def store(self, seaweed: SeaweedFS, bucket: str) -> S3Store:
        return S3Store.create(seaweed.url(bucket, "&retention=1y"), "archive")


class TestTheCarefulWay(StoreContract):
    """A service that ignores If-None-Match."""

    @pytest.fixture
    def store(self, rclone_s3: RcloneS3, careful: str) -> S3Store:
        return S3Store.create(rclone_s3.url(careful), "archive")


def test_create_is_repeatable_and_another_archives_place_is_refused(seaweed: SeaweedFS, bucket: str) -> None:
    url = seaweed.url(bucket)
    assert S3Store.create(url, "archive-1").archive() == "archive-1"
    assert S3Store.create(url, "archive-1").url == S3Store.open(url).url == url
    with pytest.raises(StoreError, match="another archive"):
        S3Store.create(url, "archive-2")
    assert S3Store.create(seaweed.url(bucket), "archive-2").archive() == "archive-2"  # another prefix, another store


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff", b'{"archive"'])
def test_a_damaged_marker_is_told_and_written_again_on_demand(seaweed: SeaweedFS, bucket: str, damage: bytes) -> None:
    url = seaweed.url(bucket)
    store = S3Store.create(url, "archive-1")
    seaweed.client().put_object(Bucket=bucket, Key=store.place.key(MARKER), Body=damage)
    with pytest.raises(StoreError, match="damaged") as caught:
        S3Store.open(url)
    assert url in caught.value.hint
    assert S3Store.create(url, "archive-1").archive() == "archive-1"


def test_the_marker_is_neither_listed_nor_touched(seaweed: SeaweedFS, bucket: str) -> None:
    store = S3Store.create(seaweed.url(bucket), "archive")
    assert list(store.list()) == []
    for call in (lambda: store.delete(MARKER), lambda: store.put_if_absent(MARKER, b""), lambda: store.get(MARKER)):
        with pytest.raises(StoreError, match="own"):
            call()


def test_a_listing_of_many_pages_is_whole_and_in_order(seaweed: SeaweedFS, bucket: str) -> None:
    """More names than a page has (1,000), put in another order; neighbours of the prefix do not show."""
    url = seaweed.url(bucket)
    store, names = S3Store.create(url, "archive"), [f"packs/{n % 16:x}-{n}/{n:04}" for n in range(1100)]
    seaweed.client().put_object(Bucket=bucket, Key=store.place.prefix[:-1] + "-other/packs/1", Body=b"not ours")
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda name: store.put_if_absent(name, b"x"), reversed(names)))
    assert [stat.name for stat in store.list()] == sorted(names)


def test_a_delete_in_a_versioned_bucket_hides_and_a_purge_removes(seaweed: SeaweedFS) -> None:
    bucket = seaweed.bucket(versioned=True)
    store = S3Store.create(seaweed.url(bucket), "archive")
    for data in (b"first", b"second"):
        assert store.put_if_absent(PACK, data)
        assert store.get(PACK) == data  # and not what lies below the delete marker
        store.delete(PACK)
        assert store.stat(PACK) is None
        assert list(store.list("packs/")) == []
        with pytest.raises(ObjectMissingError):
            store.get(PACK)
    store.put_if_absent(PACK + ".other", b"stays")
    assert s3_lock.purge(store.client, store.place, PACK) == 5  # two versions, three delete markers
    left = seaweed.client().list_object_versions(Bucket=bucket, Prefix=store.place.key("packs/"))
    assert [entry["Key"] for entry in left["Versions"]] == [store.place.key(PACK + ".other")]
    assert "DeleteMarkers" not in left


@pytest.mark.parametrize("lock", ["governance", "compliance"])
def test_what_is_retained_cannot_be_purged_and_is_brought_back_by_a_put(
    seaweed: SeaweedFS, bucket: str, lock: str
) -> None:
    store = S3Store.create(seaweed.url(bucket, f"&retention=10y&lock={lock}"), "archive")
    assert store.put_if_absent(PACK, b"contract")
    kept = seaweed.client().get_object_retention(Bucket=bucket, Key=store.place.key(PACK))["Retention"]
    assert kept["Mode"] == lock.upper()
    assert kept["RetainUntilDate"] == datetime(2037, 1, 1, tzinfo=UTC)  # ten years after the end of era mail-2026
    with pytest.raises(StoreError, match="AccessDenied"):
        s3_lock.purge(store.client, store.place, PACK)
    assert store.stat(PACK) is None
    versions = seaweed.client().list_object_versions(Bucket=bucket, Prefix=store.place.key(PACK))["Versions"]
    assert [version["Size"] for version in versions] == [8]
    assert store.put_if_absent(PACK, b"contract")


def test_a_legal_hold_is_set_and_lifted(seaweed: SeaweedFS, bucket: str) -> None:
    store = S3Store.create(seaweed.url(bucket), "archive")
    store.put_if_absent(PACK, b"contract")
    s3_lock.hold(store.client, store.place, PACK, on=True)
    with pytest.raises(StoreError):
        s3_lock.purge(store.client, store.place, PACK)
    store.put_if_absent(PACK + ".other", b"x")
    s3_lock.hold(store.client, store.place, PACK + ".other", on=True)
    s3_lock.hold(store.client, store.place, PACK + ".other", on=False)
    assert s3_lock.purge(store.client, store.place, PACK + ".other") == 2


def test_the_buckets_protection_is_told(seaweed: SeaweedFS, rclone_s3: RcloneS3, bucket: str) -> None:
    def told(server: S3Server, name: str) -> str:
        return str(S3Store.create(server.url(name), "archive").protection())

    assert told(seaweed, seaweed.bucket()) == "neither versioned nor locked"
    assert told(seaweed, seaweed.bucket(versioned=True)) == "versioned, no Object Lock"
    assert told(seaweed, bucket) == "versioned, Object Lock, no default retention"
    assert told(rclone_s3, rclone_s3.bucket()) == "neither versioned nor locked"
    ours = seaweed.bucket(locked=True)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 30}}
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    seaweed.client().put_object_lock_configuration(Bucket=ours, ObjectLockConfiguration=configuration)
    assert told(seaweed, ours) == "versioned, Object Lock, governance for 30 days by default"


def test_the_buckets_default_retention_is_left_to_the_bucket(seaweed: SeaweedFS) -> None:
    bucket = seaweed.bucket(locked=True)
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 2}}}
    seaweed.client().put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=configuration)
    store = S3Store.create(seaweed.url(bucket), "archive")
    assert store.put_if_absent(PACK, b"x")
    kept = seaweed.client().get_object_retention(Bucket=bucket, Key=store.place.key(PACK))["Retention"]
    assert kept["Mode"] == "COMPLIANCE"


def test_retention_that_cannot_be_had_is_refused_before_anything_is_written(seaweed: SeaweedFS) -> None:
    plain = seaweed.bucket()
    with pytest.raises(StoreError, match="no Object Lock"):
        S3Store.create(seaweed.url(plain, "&retention=10y"), "archive")
    assert "Contents" not in seaweed.client().list_objects_v2(Bucket=plain)


def test_the_storage_class_is_for_packs_alone(seaweed: SeaweedFS, bucket: str) -> None:
    store = S3Store.create(seaweed.url(bucket, "&storage_class=STANDARD_IA"), "archive")
    classes = {}
    for name in (PACK, "catalog/mail-2026/x.age", "manifests/w/1", "keys/recovery.age"):
        store.put_if_absent(name, b"x")
        head = seaweed.client().head_object(Bucket=bucket, Key=store.place.key(name))
        classes[name.partition("/")[0]] = head.get("StorageClass", "STANDARD")
    assert classes == {"packs": "STANDARD_IA", "catalog": "STANDARD", "manifests": "STANDARD", "keys": "STANDARD"}


def test_an_object_larger_than_one_put_takes_is_refused(
    seaweed: SeaweedFS, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = S3Store.create(seaweed.url(bucket), "archive")
    monkeypatch.setattr(s3, "LARGEST", 1000)
    assert store.put_if_absent("packs/small", b"x" * 1000)
    with pytest.raises(StoreError, match="1001 bytes"):
        store.put_if_absent(PACK, b"x" * 1001)
    with pytest.raises(StoreError):
        store.put_if_absent(PACK, tmp_path / "gone")
    assert store.stat(PACK) is None
