"""The lists a lawyer gives: what is withheld as privileged, and which attachments are redacted."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from archiver.errors import ConfigError
from archiver.model import MessageId

_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Ground:
    """Why something is not handed out. basis: the privilege claimed ("attorney-client"); "" for a redaction."""

    reason: str
    basis: str = ""


@dataclass(frozen=True, slots=True)
class Lists:
    """withheld: SHA-256 of a message or of an attachment -> why. redacted: SHA-256 of an attachment, or its name as the
    message gives it -> why. The hashes are those of the files they were read from, "" for none.
    """

    withheld: Mapping[str, Ground] = field(default_factory=dict)
    redacted: Mapping[str, Ground] = field(default_factory=dict)
    withhold_sha256: str = ""
    redact_sha256: str = ""

    def message(self, message: MessageId) -> Ground | None:
        """Why the whole message is withheld."""
        return self.withheld.get(message)

    def attachment(self, digest: str, name: str) -> Ground | None:
        """Why an attachment is not handed out; a privilege goes before a redaction."""
        return self.withheld.get(digest) or self.redacted.get(digest) or (self.redacted.get(name) if name else None)

    def entries(self) -> Iterator[tuple[str, str]]:
        """Every entry with the list it stands in."""
        yield from (("withhold", key) for key in self.withheld)
        yield from (("redact", key) for key in self.redacted)


def read_lists(withhold: bytes | None, redact: bytes | None) -> Lists:
    """The lists of two CSV files in UTF-8, each with a line of column names.

    withhold: `sha256,reason,basis`. redact: `attachment,reason`, where attachment is a SHA-256 or a file name. Raises
    ConfigError with the line of a mistake: a privileged message must not go out because of a slip.
    """
    withheld = dict(_rows(withhold, "--withhold", ("sha256", "reason", "basis")))
    for key in withheld:
        if not _DIGEST.fullmatch(key):
            raise ConfigError(f"--withhold: {key[:80]!r} is not a SHA-256 of 64 hexadecimal digits")
    return Lists(
        {key.lower(): ground for key, ground in withheld.items()},
        {key.lower() if _DIGEST.fullmatch(key) else key: ground for key, ground in _redactions(redact)},
        hashlib.sha256(withhold).hexdigest() if withhold is not None else "",
        hashlib.sha256(redact).hexdigest() if redact is not None else "",
    )


def _redactions(data: bytes | None) -> Iterator[tuple[str, Ground]]:
    return _rows(data, "--redact", ("attachment", "reason"))


def _rows(data: bytes | None, option: str, columns: tuple[str, ...]) -> Iterator[tuple[str, Ground]]:
    if data is None:
        return
    try:
        rows = csv.reader(data.decode("utf-8-sig").splitlines(), strict=True)
        head = next(rows, [])
        if tuple(name.strip().lower() for name in head) != columns:
            raise ConfigError(f"{option}: the first line must be {','.join(columns)}")
        for number, row in enumerate(rows, 2):
            if not any(cell.strip() for cell in row):
                continue
            cells = [cell.strip() for cell in row]
            if len(cells) != len(columns) or not all(cells[:2]):
                raise ConfigError(f"{option}, line {number}: expected {','.join(columns)}, and a reason")
            if number > _LIMIT:
                raise ConfigError(f"{option}: more than {_LIMIT} lines")
            yield cells[0], Ground(*cells[1:])
    except (UnicodeDecodeError, csv.Error):
        raise ConfigError(f"{option}: not a CSV file in UTF-8") from None
