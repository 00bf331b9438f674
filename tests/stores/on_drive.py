"""What the tests of the store in Google Drive have in common beside their fixtures (see conftest.py)."""

from __future__ import annotations

import random
from pathlib import Path

from archiver.stores.drive_calls import Limits
from archiver.stores.drive_url import parse
from archiver.stores.layout import flat
from tests.contracts.store import PACK

FAST = Limits(timeout=60.0, tries=5, wait=0.002, longest_wait=0.02)
LARGE = random.Random(3).randbytes(6_500_001)
"""Goes up in a session."""

SMALL = b"small"
"""Goes up in one request."""

PATH = f"Mail archive/{flat(PACK)}"
"""Where the pack lies there."""


def notes(url: str) -> list[Path]:
    """This machine's notes of uploads that are not confirmed yet."""
    return list(parse(url).uploads.glob("*"))
