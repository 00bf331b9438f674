"""Object Lock on a real server: what objects carry, what `check` says of it; what the service tells of checksums."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archiver.check import Verdict, check
from archiver.errors import ObjectMissingError
from archiver.monitor import Silent
from archiver.proofs import Locked, StateProofs
from archiver.state import State
from archiver.stores.locks import Lock, Protection, shortfall
from archiver.stores.memory import MemoryStore
from archiver.stores.s3 import S3Store
from archiver.vault.keys import NewArchive
from archiver.vault.plan import Expense, Level
from tests.contracts.store import PACK
from tests.servers.rclone_s3 import RcloneS3
from tests.servers.s3_faults import Answer, S3Proxy
from tests.servers.seaweed import SeaweedFS
from tests.small_archive import SmallArchive, build, new_keys

LATE, LATER = datetime(2037, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def bucket(seaweed: SeaweedFS) -> str:
    """With versions and Object Lock."""
    return seaweed.bucket(locked=True)


@pytest.fixture(scope="module")
def made() -> NewArchive:
    return new_keys()


def archive_on(url: str, tmp_path: Path, made: NewArchive) -> tuple[S3Store, SmallArchive]:
    store = S3Store.create(url, made.archive)
    return store, build(tmp_path, [store, MemoryStore("b")], made, commits=2, each=4)


def checked(archive: SmallArchive, **options: object) -> Verdict:
    return check(archive.stores, archive.made.machine.root, Silent(), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "found", "told"),
    [
        (Lock(), Lock(), ""),
        (Lock("GOVERNANCE"), Lock(), "not retained"),
        (Lock("GOVERNANCE", LATE), Lock("GOVERNANCE", LATE), ""),
        (Lock("GOVERNANCE", LATE), Lock("COMPLIANCE", LATER), ""),
        (Lock("COMPLIANCE", LATE), Lock("GOVERNANCE", LATER), "mode governance instead of compliance"),
        (Lock("GOVERNANCE", LATER), Lock("GOVERNANCE", LATE), "until 2037-01-01 instead of 2040-01-01"),
        (Lock("GOVERNANCE", LATER), Lock("GOVERNANCE"), "until an unknown day"),
        (Lock(held=True), Lock("COMPLIANCE", LATER), "not held"),
        (Lock(), Lock(held=True), ""),
    ],
)
def test_what_a_lock_lacks_is_said(wanted: Lock, found: Lock, told: str) -> None:
    assert told in shortfall(wanted, found)
    assert bool(told) == bool(shortfall(wanted, found))


def test_an_object_tells_its_lock(seaweed: SeaweedFS, bucket: str) -> None:
    kept = S3Store.create(seaweed.url(bucket, "&retention=10y&lock=compliance"), "archive")
    free = S3Store.create(seaweed.url(bucket), "archive")
    for store in (kept, free):
        assert store.put_if_absent(PACK, b"contract")
        with pytest.raises(ObjectMissingError):
            store.lock("packs/gone")
    found = kept.lock(PACK)
    assert (found.mode, found.until, found.held) == ("COMPLIANCE", LATE, False)
    assert found.written is not None
    assert kept.promised(PACK, found.written) == Lock("COMPLIANCE", LATE)
    assert (free.lock(PACK).mode, free.promised(PACK, found.written)) == ("", Lock())
    free.hold(PACK, on=True)
    assert free.lock(PACK).held
    free.hold(PACK, on=False)
    assert not free.lock(PACK).held
    free.retain(PACK, Lock("GOVERNANCE", LATE))
    assert (free.lock(PACK).mode, free.lock(PACK).until) == ("GOVERNANCE", LATE)
    assert str(kept.protection()).endswith("; each object compliance until 10 years after the end of its era")


def test_what_belongs_to_no_era_is_measured_by_when_it_was_written(seaweed: SeaweedFS, bucket: str) -> None:
    store = S3Store.create(seaweed.url(bucket, "&retention=2y"), "archive")
    new_year = datetime(2028, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert store.promised("keys/root.pem", new_year).until == datetime(2030, 1, 1, tzinfo=UTC), "a day of grace"
    assert store.promised("keys/root.pem", new_year.replace(day=3)).until == datetime(2031, 1, 1, tzinfo=UTC)
    assert store.promised(PACK, new_year).until == datetime(2029, 1, 1, tzinfo=UTC)


def test_the_objects_of_a_store_that_promises_a_lock_are_looked_at(
    seaweed: SeaweedFS, bucket: str, made: NewArchive, tmp_path: Path
) -> None:
    with S3Proxy(seaweed.port) as proxy:
        url = seaweed.url(bucket, "&retention=10y", proxy.port)
        _, archive = archive_on(url, tmp_path, made)
        expenses: list[Expense] = []
        proxy.requests.clear()
        verdict = checked(archive, level=Level.PROVIDER, agree=expenses.extend)
        assert (verdict.exit_code, verdict.unlocked) == (0, [])
        assert (verdict.stores[0].locks, verdict.stores[0].told) == (len(archive.objects),) * 2
        assert verdict.stores[0].protection.startswith("versioned, Object Lock, no default retention; each object gov")
        assert (verdict.stores[1].locks, verdict.stores[1].protection) == (0, "")
        assert [expense.requests for expense in expenses] == [2 * len(archive.objects), len(archive.objects)]
        assert proxy.count("HEAD") == expenses[0].requests, "what was told is what was spent"
        print(f"{len(archive.objects)} objects: {proxy.count('HEAD')} HEADs for checksums and locks")


def test_what_is_not_locked_is_named_and_no_damage(
    seaweed: SeaweedFS, bucket: str, made: NewArchive, tmp_path: Path
) -> None:
    """Objects that were put before the URL asked for retention."""
    plain = seaweed.url(bucket)
    _, archive = archive_on(plain, tmp_path, made)
    assert (checked(archive).exit_code, checked(archive).stores[0].locks) == (0, 0), "it promises nothing"
    archive.stores = [S3Store.open(f"{plain}&retention=10y&lock=compliance"), archive.stores[1]]
    archive.commit(3)
    with S3Proxy(seaweed.port):
        verdict = checked(archive)
    old = len(verdict.unlocked)
    assert (verdict.exit_code, verdict.all_faults) == (8, [])
    assert 0 < old < len(archive.objects)
    assert {fault.reason for fault in verdict.unlocked} == {"not retained"}
    budget = checked(archive, budget=20_000)
    assert 0 < budget.stores[0].locks == budget.stores[0].read < len(archive.objects)
    names = checked(archive, level=Level.NAMES)
    assert (names.exit_code, names.stores[0].locks, bool(names.stores[0].protection)) == (0, 0, True)


def test_a_buckets_default_retention_is_a_promise_too(seaweed: SeaweedFS, made: NewArchive, tmp_path: Path) -> None:
    bucket = seaweed.bucket(locked=True)
    store, archive = archive_on(seaweed.url(bucket), tmp_path, made)
    rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 2}}}
    seaweed.client().put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=rule)
    early = len(archive.objects)
    archive.stores = [S3Store.open(store.url), archive.stores[1]]
    archive.commit(3)
    verdict = checked(archive)
    assert len(verdict.unlocked) == early
    assert early < verdict.stores[0].locks == len(archive.objects)


def test_a_lock_that_cannot_be_told_is_none(seaweed: SeaweedFS, bucket: str, made: NewArchive, tmp_path: Path) -> None:
    with S3Proxy(seaweed.port) as proxy:
        plain = seaweed.url(bucket, port=proxy.port)
        _, archive = archive_on(plain, tmp_path, made)
        archive.stores = [S3Store.open(f"{plain}&retention=1y"), archive.stores[1]]
        proxy.faults.append(Answer("GET", "retention", times=999, status=403, code="AccessDenied"))
        verdict = checked(archive)
    assert verdict.exit_code == 8
    assert all("cannot be told" in fault.reason and "AccessDenied" in fault.reason for fault in verdict.unlocked)


def test_what_was_seen_is_remembered(tmp_path: Path) -> None:
    state = State.open(tmp_path / "state.db", bytes(32))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    proofs = StateProofs(state, lambda: now)
    assert proofs.locked("s3://a") is None
    proofs.note_locks("s3://a", "locked", 7, 2)
    proofs.note_locks("s3://a", "still locked", 0, 0)
    assert proofs.locked("s3://a") == Locked(now.isoformat(), "still locked", 7, 2)
    proofs.note_locks("s3://a", "locked", 9, 0)
    assert proofs.locked("s3://a") == Locked(now.isoformat(), "locked", 9, 0)
    state.close()


def test_a_place_says_what_it_does() -> None:
    assert not Protection(versioned=True, lockable=False).retains
    assert not Protection(versioned=True, lockable=True).retains
    assert Protection(versioned=True, lockable=True, mode="GOVERNANCE", days=1).retains


class TestChecksums:
    """HeadObject with ChecksumMode, and whom to believe."""

    def test_a_service_that_refuses_wrong_bytes_is_believed(self, seaweed: SeaweedFS, bucket: str) -> None:
        store = S3Store.create(seaweed.url(bucket), "archive")
        store.put_if_absent(PACK, b"contract")
        assert store.checksum(PACK) == hashlib.sha256(b"contract").hexdigest()
        key = store.place.key("packs/other")
        seaweed.client().put_object(Bucket=bucket, Key=key, Body=b"by somebody else")
        assert store.checksum("packs/other") is None
        with pytest.raises(ObjectMissingError):
            store.checksum("packs/gone")

    def test_a_service_that_records_what_it_is_told_is_not(self, rclone_s3: RcloneS3) -> None:
        bucket = rclone_s3.bucket()
        store = S3Store.create(rclone_s3.url(bucket), "archive")
        store.put_if_absent(PACK, b"contract")
        head = rclone_s3.client().head_object(Bucket=bucket, Key=store.place.key(PACK), ChecksumMode="ENABLED")
        assert "ChecksumSHA256" in head
        assert store.checksum(PACK) is None

    def test_the_level_that_was_reached_is_told(
        self, seaweed: SeaweedFS, rclone_s3: RcloneS3, bucket: str, made: NewArchive, tmp_path: Path
    ) -> None:
        stores = [
            S3Store.create(seaweed.url(bucket), made.archive),
            S3Store.create(rclone_s3.url(rclone_s3.bucket()), made.archive),
        ]
        archive = build(tmp_path, stores, made, commits=1, each=4)
        verdict = checked(archive, level=Level.PROVIDER)
        assert [store.told for store in verdict.stores] == [len(archive.objects), 0]
        assert verdict.exit_code == 0

    def test_other_bytes_are_found_without_reading_them(
        self, seaweed: SeaweedFS, bucket: str, made: NewArchive, tmp_path: Path
    ) -> None:
        store, archive = archive_on(seaweed.url(bucket), tmp_path, made)
        pack = next(name for name in archive.objects if name.startswith("packs/"))
        store.delete(pack)
        store.put_if_absent(pack, bytes(len(archive.objects[pack])))
        assert [fault.name for fault in checked(archive, level=Level.PROVIDER).all_faults] == [pack]
        assert checked(archive, level=Level.NAMES).all_faults == []

    def test_keys_that_may_not_put_leave_it_open(self, seaweed: SeaweedFS, bucket: str) -> None:
        with S3Proxy(seaweed.port) as proxy:
            url = seaweed.url(bucket, port=proxy.port)
            S3Store.create(url, "archive").put_if_absent(PACK, b"contract")
            proxy.faults.append(Answer("PUT", "", times=99, status=403, code="AccessDenied"))
            store = S3Store.open(url)
            assert [store.checksum(PACK) for _ in range(3)] == [None] * 3
            assert proxy.count("PUT") == 4, "the marker, its repetition, the pack, and one question"
