"""Bates numbers: one for every page of a PDF, one for a document that has none."""

from __future__ import annotations

import re
from dataclasses import dataclass

from archiver.errors import ConfigError

_PREFIX = re.compile(r"[A-Za-z0-9_-]{0,20}")


@dataclass(frozen=True, slots=True)
class Numbers:
    """`<prefix><number>`, the number with at least `digits` digits, so that names sort as the numbers do."""

    prefix: str = "MAIL"
    start: int = 1
    digits: int = 8

    def __post_init__(self) -> None:
        """Raises ConfigError for a prefix that cannot begin a file name."""
        if not _PREFIX.fullmatch(self.prefix):
            raise ConfigError(
                f"{self.prefix!r} cannot be a Bates prefix",
                "use up to 20 letters A to Z, digits, _ and -",
            )
        if self.start < 0:
            raise ConfigError("Bates numbers cannot begin below 0")

    def label(self, number: int) -> str:
        """The number as it stands on a page and in file names."""
        return f"{self.prefix}{number:0{self.digits}d}"
