"""Stores behind rclone: the promises of every store on a real remote, and what is rclone's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archiver.stores.rclone import RcloneStore
from archiver.stores.rclone_process import Rclone
from tests.contracts.store import StoreContract

Remote = Callable[[str], tuple[str, Path]]


class TestRcloneStore(StoreContract):
    @pytest.fixture
    def store(self, rclone: Rclone, remote: Remote) -> RcloneStore:
        return RcloneStore.create(remote("档案 store")[0], "archive", rclone)
