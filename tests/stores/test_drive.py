"""The store in Google Drive, against a local server that speaks the published protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from archiver.stores.drive import DriveStore
from archiver.stores.drive_calls import Limits
from tests.contracts.store import PACK, StoreContract
from tests.servers.drive import Cut, DriveServer, Hang, Refuse, Wrong

FAST = Limits(timeout=5.0, tries=5, wait=0.002, longest_wait=0.02)


@pytest.fixture
def drive() -> Iterator[DriveServer]:
    with DriveServer() as server:
        yield server


@pytest.fixture
def url(drive: DriveServer, tmp_path: Path) -> str:
    return drive.url(tmp_path / "keep")


class TestDriveStore(StoreContract):
    @pytest.fixture
    def store(self, url: str) -> DriveStore:
        return DriveStore.create(url, "a" * 32, FAST)


class TestWithManyPages(StoreContract):
    """Two files a page, and a shared drive."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[DriveStore]:
        with DriveServer("0AShared", page=2) as server:
            yield DriveStore.create(server.url(tmp_path / "keep", shared_drive="0AShared"), "a" * 32, FAST)
