from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.sandbox import Sandbox, company
from tests.servers.dovecot import Dovecot


@pytest.fixture
def sandbox(tmp_path: Path, dovecot: Dovecot) -> Sandbox:
    """A company that has no archive yet."""
    return company(tmp_path, dovecot)
