"""Fixtures every test may use."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.servers import dovecot as dovecot_server

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background: what is ignored here would be ignored by the programs that the tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def dovecot() -> Iterator[dovecot_server.Dovecot]:
    """A running Dovecot, one a test process; take a fresh login with `dovecot.user("name")`."""
    if reason := dovecot_server.missing():
        pytest.skip(reason)
    with dovecot_server.Dovecot() as server:
        yield server
