from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.sandbox import Sandbox, company
from tests.servers.dovecot import Dovecot, missing


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """One server for all tests; each sandbox has accounts of its own."""
    if reason := missing():
        pytest.skip(reason)
    with Dovecot() as server:
        yield server


@pytest.fixture
def sandbox(tmp_path: Path, dovecot: Dovecot) -> Sandbox:
    """A company that has no archive yet."""
    return company(tmp_path, dovecot)
