"""S3 when network or service misbehave: a proxy before a real SeaweedFS; no lie, no loss, no endless trying."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from archiver.errors import ObjectMissingError, QuotaError, StoreError
from archiver.stores import s3_client
from archiver.stores.memory import MemoryStore
from archiver.stores.s3 import S3Store
from archiver.vault.vault import Vault
from tests.contracts.store import PACK
from tests.servers.rclone_s3 import RcloneS3
from tests.servers.s3_faults import Answer, Cut, Fault, HalfBody, LostAnswer, S3Proxy, Spoiled
from tests.servers.seaweed import SeaweedFS
from tests.small_archive import build, new_keys

DATA = bytes(range(256)) * 400


@pytest.fixture(scope="module")
def bucket(seaweed: SeaweedFS) -> str:
    return seaweed.bucket()


@pytest.fixture
def store(seaweed: SeaweedFS, bucket: str, proxy: S3Proxy) -> S3Store:
    """Opened, and it has found out how the service takes conditions; two attempts a request."""
    url = seaweed.url(bucket, port=proxy.port)
    S3Store.create(url, "archive").put_if_absent("FORMAT.txt", b"text")
    store = S3Store.open(url, attempts=2)
    store.put_if_absent("FORMAT.txt", b"text")
    proxy.requests.clear()
    return store


def direct(store: S3Store, seaweed: SeaweedFS, name: str) -> bytes | None:
    """What the server holds, asked without the proxy."""
    client = seaweed.client()
    try:
        found: bytes = client.get_object(Bucket=store.place.bucket, Key=store.place.key(name))["Body"].read()
    except client.exceptions.NoSuchKey:
        return None
    return found


@pytest.mark.parametrize(
    "fault",
    [
        Answer(status=500),
        Answer(status=503, code="SlowDown"),
        Answer(status=503, code="ServiceUnavailable"),
        Answer(status=409, code="ConditionalRequestConflict"),
        Answer(status=429, code="TooManyRequests"),
        Cut(),
    ],
    ids=lambda fault: f"{type(fault).__name__}-{getattr(fault, 'code', '')}",
)
def test_what_passes_is_tried_again(store: S3Store, proxy: S3Proxy, seaweed: SeaweedFS, fault: Fault) -> None:
    proxy.faults.append(fault)
    assert store.put_if_absent(PACK, DATA)
    assert fault.struck == 1
    assert proxy.count("PUT") == 2
    assert direct(store, seaweed, PACK) == DATA


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (500, "InternalError", StoreError),
        (503, "SlowDown", QuotaError),
        (409, "ConditionalRequestConflict", StoreError),
        (403, "AccessDenied", StoreError),
        (403, "QuotaExceeded", QuotaError),
        (507, "XMinioStorageFull", QuotaError),
        (403, "RequestTimeTooSkewed", StoreError),
    ],
)
def test_what_stays_is_told_after_bounded_tries(
    store: S3Store, proxy: S3Proxy, seaweed: SeaweedFS, status: int, code: str, error: type[Exception]
) -> None:
    proxy.faults.append(Answer(status=status, code=code, times=1000))
    began = time.monotonic()
    with pytest.raises(error, match=code) as caught:
        store.put_if_absent(PACK, DATA)
    assert type(caught.value) is error
    assert time.monotonic() - began < 60
    assert proxy.count("PUT") <= 6
    assert "mailarktest" not in str(caught.value)
    proxy.faults.clear()
    assert direct(store, seaweed, PACK) is None
    assert store.put_if_absent(PACK, DATA)


def test_after_a_lost_answer_the_retry_finds_the_object_there(store: S3Store, proxy: S3Proxy) -> None:
    proxy.faults.append(LostAnswer())
    assert not store.put_if_absent(PACK, DATA)  # nobody can tell that it was us; the caller compares
    assert store.get(PACK) == DATA
    assert proxy.count("PUT") == 2


@pytest.mark.parametrize("method", ["HEAD", "GET", "DELETE"])
def test_other_requests_survive_a_lost_answer(store: S3Store, proxy: S3Proxy, method: str) -> None:
    store.put_if_absent(PACK, DATA)
    proxy.faults.append(LostAnswer(method=method))
    calls: dict[str, Callable[[], object]] = {
        "HEAD": lambda: store.stat(PACK),
        "GET": lambda: store.get(PACK, 5, 10),
        "DELETE": lambda: store.delete(PACK),
    }
    calls[method]()
    assert proxy.faults[0].struck == 1


def test_a_body_cut_in_the_middle_is_read_again(store: S3Store, proxy: S3Proxy) -> None:
    store.put_if_absent(PACK, DATA)
    proxy.faults.append(HalfBody(method="GET", path=PACK, times=2))
    assert store.get(PACK) == DATA
    assert proxy.count("GET", PACK) == 3


def test_a_body_that_is_always_cut_is_an_error_and_never_half_an_object(store: S3Store, proxy: S3Proxy) -> None:
    store.put_if_absent(PACK, DATA)
    proxy.faults.append(HalfBody(method="GET", path=PACK, times=1000))
    with pytest.raises(StoreError):
        store.get(PACK)
    assert proxy.count("GET", PACK) == s3_client.ATTEMPTS


def test_a_listing_cut_in_the_middle_is_never_half_a_listing(store: S3Store, proxy: S3Proxy) -> None:
    names = [f"packs/{number}" for number in range(20)]
    for name in names:
        store.put_if_absent(name, b"x")
    proxy.faults.append(HalfBody(method="GET", path="list-type", times=1))
    try:
        found = [stat.name for stat in store.list("packs/")]
    except StoreError:
        found = [stat.name for stat in store.list("packs/")]
    assert found == sorted(names)


def test_bytes_that_change_on_their_way_are_refused_by_the_service(
    store: S3Store, proxy: S3Proxy, seaweed: SeaweedFS
) -> None:
    proxy.faults.append(Spoiled(times=1000))
    with pytest.raises(StoreError):
        store.put_if_absent(PACK, DATA)
    assert direct(store, seaweed, PACK) is None


def test_a_service_without_checksums_is_read_back(rclone_s3: RcloneS3) -> None:
    """`rclone serve s3` takes anything; even its HEAD returns the checksum that it was told."""
    with S3Proxy(rclone_s3.port) as proxy:
        store = S3Store.create(rclone_s3.url(rclone_s3.bucket(), port=proxy.port), "archive")
        assert store.put_if_absent("FORMAT.txt", b"text")
        proxy.faults.append(Spoiled(path=PACK, times=1))
        with pytest.raises(StoreError, match="other bytes"):
            store.put_if_absent(PACK, DATA)
        assert not store.put_if_absent(PACK, DATA)  # what is there is never replaced: the caller compares and heals
        store.delete(PACK)
        assert store.put_if_absent(PACK, DATA)


@pytest.mark.parametrize(("status", "code"), [(501, "NotImplemented"), (400, "InvalidArgument")])
def test_a_service_that_refuses_conditions_is_found_out_once(rclone_s3: RcloneS3, status: int, code: str) -> None:
    with S3Proxy(rclone_s3.port) as proxy:
        store = S3Store.create(rclone_s3.url(rclone_s3.bucket(), port=proxy.port), "archive")
        proxy.requests.clear()
        proxy.faults.append(Answer(path="mailark-store", status=status, code=code, times=1000))
        for number in range(3):
            assert store.put_if_absent(f"packs/{number}", b"x")
            assert not store.put_if_absent(f"packs/{number}", b"other")
        assert proxy.count("PUT", "mailark-store") == 1
        assert proxy.count("PUT") == 4


def test_an_object_in_a_cold_class_is_asked_for_and_told(store: S3Store, proxy: S3Proxy) -> None:
    store.put_if_absent(PACK, DATA)
    proxy.faults.append(Answer(method="GET", path=PACK, status=403, code="InvalidObjectState", times=2))
    proxy.faults.append(Answer(method="POST", path="restore", status=202, code=""))
    proxy.faults.append(Answer(method="POST", path="restore", status=409, code="RestoreAlreadyInProgress"))
    for _ in range(2):
        with pytest.raises(StoreError, match="asked for: in 3 to 12 hours"):
            store.get(PACK)
    assert proxy.count("POST", "restore") == 2
    assert store.get(PACK) == DATA


def test_a_message_is_read_from_another_store_where_one_is_cold(
    seaweed: SeaweedFS, proxy: S3Proxy, tmp_path: Path
) -> None:
    """And where no other has it, whoever goes on with the next pack asks for that one, too."""
    made = new_keys()
    store = S3Store.create(seaweed.url(seaweed.bucket(), port=proxy.port), made.archive)
    archive = build(tmp_path, [store, MemoryStore("b")], made, commits=3, each=4)
    proxy.faults.append(Answer(method="GET", path="/packs/", times=999, status=403, code="InvalidObjectState"))
    proxy.faults.append(Answer(method="POST", path="restore", times=999, status=202, code=""))
    keyring = made.machine.keyring
    both, cold = (Vault(stores, made.machine.root, keyring) for stores in (archive.stores, [store]))
    packs = {name for name in archive.objects if name.startswith("packs/")}
    for pack in packs:
        assert both.pack(pack).names()
    proxy.requests.clear()
    for pack in packs:
        with pytest.raises(StoreError, match="asked for"):
            cold.pack(pack)
    asked = {path for method, path in proxy.requests if method == "POST"}
    assert len(asked) == len(packs) == 6


def test_wrong_keys_are_told_without_the_keys(seaweed: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> None:
    url = seaweed.url(seaweed.bucket())
    S3Store.create(url, "archive")
    for name, value in [("AWS_SECRET_ACCESS_KEY", "wrong-secret"), ("AWS_ACCESS_KEY_ID", "unknown-key")]:
        monkeypatch.setenv(name, value)
        with pytest.raises(StoreError) as caught:
            S3Store.open(url)
        assert type(caught.value) is StoreError
        assert value not in f"{caught.value} {caught.value.hint}"
        assert "AWS_ACCESS_KEY_ID" in caught.value.hint


def test_missing_credentials_are_told(seaweed: SeaweedFS, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    url = seaweed.url(seaweed.bucket())
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{tmp_path}/none")
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/none")
    with pytest.raises(StoreError, match="NoCredentials"):
        S3Store.open(url)
    with pytest.raises(StoreError, match="Profile"):
        S3Store.open(url + "&profile=nobody")


def test_a_missing_bucket_is_neither_made_nor_filled(seaweed: SeaweedFS) -> None:
    """SeaweedFS makes a bucket when something is put there; the look for the marker comes first."""
    url = seaweed.url("no-such-bucket")
    for call in (lambda: S3Store.open(url), lambda: S3Store.create(url, "archive")):
        with pytest.raises(StoreError, match="NoSuchBucket") as caught:
            call()
        assert type(caught.value) is StoreError
    assert "no-such-bucket" not in [b["Name"] for b in seaweed.client().list_buckets()["Buckets"]]


def test_an_endpoint_that_does_not_answer_is_told_soon(seaweed: SeaweedFS) -> None:
    began = time.monotonic()
    with pytest.raises(StoreError, match="EndpointConnectionError") as caught:
        S3Store.open(seaweed.url("bucket", port=1), attempts=2)
    assert "network" in caught.value.hint
    assert time.monotonic() - began < 60


def test_a_bucket_emptied_underneath_is_not_taken_for_one_that_lacks_an_object(
    store: S3Store, seaweed: SeaweedFS
) -> None:
    store.put_if_absent(PACK, DATA)
    client = seaweed.client()
    for entry in client.list_objects_v2(Bucket=store.place.bucket, Prefix=store.place.prefix)["Contents"]:
        client.delete_object(Bucket=store.place.bucket, Key=entry["Key"])
    with pytest.raises(StoreError, match="is not a store") as caught:
        store.stat(PACK)
    assert not isinstance(caught.value, ObjectMissingError)
    with pytest.raises(StoreError, match="is not a store"):
        S3Store.open(store.url)
