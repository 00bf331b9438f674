"""Fixtures every test may use."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.servers import dovecot as dovecot_server

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background: what is ignored here would be ignored by the programs that the tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in each run, however slow the machine is: a run fails for what was changed and for nothing else.
# To look for new examples: pytest --hypothesis-profile=explore
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("explore", _PATIENT)
settings.register_profile("steady", _PATIENT, derandomize=True, database=None)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def dovecot() -> Iterator[dovecot_server.Dovecot]:
    """A running Dovecot, one a test process; take a fresh login with `dovecot.user("name")`."""
    if reason := dovecot_server.missing():
        pytest.skip(reason)
    with dovecot_server.Dovecot() as server:
        yield server
