"""How old the last complete run is: what a monitoring asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from archiver.cli.status import _age, is_fresh


@pytest.mark.parametrize(
    ("hours", "fresh", "told"),
    [
        (0.5, True, "30 min ago"),
        (35, True, "35 h ago"),
        (37, False, "37 h ago"),
        (24 * 400, False, "400 days ago"),
        (-0.5, True, "0 min ago"),  # the clock was put back a little
        (-24 * 189, False, "in the future: was this machine's clock wrong?"),
    ],
)
def test_only_the_recent_past_is_fresh(hours: float, fresh: bool, told: str) -> None:
    when = datetime.now(UTC) - timedelta(hours=hours)
    assert is_fresh(when, 36) is fresh
    assert told in _age(when)


def test_no_complete_run_is_not_fresh() -> None:
    assert not is_fresh(None, 1_000_000)
