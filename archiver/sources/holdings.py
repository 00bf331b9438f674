"""Which messages a target's folder has: found by size or Message-ID, told apart by their bytes, line ends aside."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from archiver.model import Body, Fetched, Row
from archiver.sources.limits import MIB

_MESSAGE_ID = re.compile(rb"^message-id:\s*(<[^>]*>)", re.IGNORECASE | re.MULTILINE)
_HEADER = 64 * 1024


def canonical(body: Body) -> tuple[bytes, int]:
    """SHA-256 of the message with LF line ends, and its size in bytes with CRLF ones. Never copies it whole."""
    digest = hashlib.sha256()
    size = 0
    held = b""
    for start in range(0, len(body), MIB):
        part = held + body[start : start + MIB]
        held = part[-1:] if part.endswith(b"\r") and start + MIB < len(body) else b""
        part = part[: len(part) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        digest.update(part)
        size += len(part) + part.count(b"\n")
    return digest.digest(), size


def with_crlf(body: Body) -> bytes:
    """The message with every line end as CRLF (RFC 5322 section 2.3), for servers that take nothing else."""
    return re.sub(rb"\r\n|\r|\n", b"\r\n", body)


def message_id(body: Body) -> bytes:
    """The Message-ID header's value, or nothing."""
    match = _MESSAGE_ID.search(body[:_HEADER].partition(b"\r\n\r\n")[0])
    return match[1] if match else b""


class Holdings:
    """A folder's messages: those whose digest is known, and those still to be read (`unread`: UID -> row)."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.unread = {row.uid: row for row in rows}
        self.digests: set[bytes] = set()
        self.ids: dict[bytes, set[int]] | None = None
        self._sizes: dict[int, set[int]] = defaultdict(set)
        for row in self.unread.values():
            self._sizes[row.size].add(row.uid)

    def by_size(self, *sizes: int) -> set[int]:
        """UIDs not yet read of messages as large as one of these."""
        return {uid for size in sizes for uid in self._sizes.get(size, ()) if uid in self.unread}

    def by_id(self, name: bytes) -> set[int]:
        """UIDs not yet read with this Message-ID, once `ids` has been filled."""
        return {uid for uid in (self.ids or {}).get(name, ()) if uid in self.unread}

    def window(self, wanted: set[int], messages: int, size: int) -> list[Row]:
        """The wanted ones and their followers, at most so many messages or bytes more: restores come in their order."""
        rows = [self.unread[uid] for uid in sorted(wanted)]
        for row in _from(self.unread, min(wanted)):
            size -= row.size
            if len(rows) >= messages or size < 0:
                break
            if row.uid not in wanted:
                rows.append(row)
        return rows

    def read(self, found: Iterable[object], rows: Iterable[Row]) -> None:
        """Take in what was fetched; what could not be fetched is not held against an append."""
        for item in found:
            if isinstance(item, Fetched):
                self.digests.add(canonical(item.body)[0])
        for row in rows:
            self.unread.pop(row.uid, None)


def _from(rows: dict[int, Row], first: int) -> Iterator[Row]:
    return (rows[uid] for uid in sorted(rows) if uid >= first)
