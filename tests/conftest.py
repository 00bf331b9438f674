"""Fixtures every test may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import dovecot as dovecot_server


@pytest.fixture(scope="session")
def dovecot() -> Iterator[dovecot_server.Dovecot]:
    """A running Dovecot, one a test process; take a fresh login with `dovecot.user("name")`."""
    if reason := dovecot_server.missing():
        pytest.skip(reason)
    with dovecot_server.Dovecot() as server:
        yield server
