"""A catalog for each test, with queries whose days begin in Shanghai."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from archiver.catalog.sqlite import SqliteCatalog
from tests.catalog.entries import KEY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.db"


@pytest.fixture
def catalog(path: Path) -> Iterator[SqliteCatalog]:
    with SqliteCatalog.open(path, KEY, zone=ZoneInfo("Asia/Shanghai")) as opened:
        yield opened
