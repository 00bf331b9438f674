"""S3 on real servers: the promises of every store, and what is S3's own."""

from __future__ import annotations

import pytest

from archiver.stores.s3 import S3Store
from tests.contracts.store import StoreContract
from tests.servers.rclone_s3 import RcloneS3
from tests.servers.seaweed import SeaweedFS


class TestPlainBucket(StoreContract):
    @pytest.fixture
    def store(self, seaweed: SeaweedFS) -> S3Store:
        return S3Store.create(seaweed.url(seaweed.bucket()), "archive")


class TestLockedBucket(StoreContract):
    """Versioned, with Object Lock and a retention: everything works as in any other."""

    @pytest.fixture
    def store(self, seaweed: SeaweedFS) -> S3Store:
        return S3Store.create(seaweed.url(seaweed.bucket(locked=True), "&retention=1y"), "archive")


class TestTheCarefulWay(StoreContract):
    """A service that ignores If-None-Match."""

    @pytest.fixture
    def store(self, rclone_s3: RcloneS3) -> S3Store:
        return S3Store.create(rclone_s3.url(rclone_s3.bucket()), "archive")
