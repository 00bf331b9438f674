"""Renditions kept from one export to the next: the key they are found by, and the bytes they are kept as."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import asdict
from typing import Any, Protocol

from exporters.interface import Outgoing
from exporters.rendition.interface import Notes, Rendition, Tier

_FORMAT = 1
_LENGTH = struct.Struct(">I")
_COUNTS = ("remote_images", "tracking_pixels", "missing_images", "substituted", "truncated")


class Cache(Protocol):
    """Keeps bytes by key as long as it likes. It must keep them sealed, for they hold mail, and never raises."""

    def get(self, key: str) -> bytes | None:
        """The bytes put under this key; None when they are gone, or are no longer what they were."""

    def put(self, key: str, value: bytes) -> None:
        """Keep the bytes, or forget them."""


def key(message: Outgoing, fingerprint: str) -> str:
    """SHA-256, in hex, over all that a rendition is made of: the message, what the archive says of it, the renderer.

    Its places are left out: a rendition does not show them.
    """
    date = message.date.isoformat() if message.date else None
    verdicts = [asdict(verdict) for verdict in message.verdicts]
    parts = [message.id, message.subject, date, verdicts, message.copy_of, fingerprint]
    return hashlib.sha256(json.dumps(parts).encode("ascii")).hexdigest()


def pack(rendition: Rendition) -> bytes:
    """One string of bytes: the length of the head, the head as JSON, the PDF."""
    head = json.dumps(
        {
            "format": _FORMAT,
            "pages": rendition.pages,
            "tier": rendition.tier,
            "clipped": rendition.clipped,
            "notes": asdict(rendition.notes),
        }
    ).encode("ascii")
    return b"".join((_LENGTH.pack(len(head)), head, rendition.pdf))


def unpack(data: bytes) -> Rendition | None:
    """The rendition that `pack` took; None when the bytes are anything else. They may come from a hostile place."""
    try:
        (length,) = _LENGTH.unpack_from(data)
        start = _LENGTH.size + length
        head = json.loads(data[_LENGTH.size : start])
        if head["format"] != _FORMAT or data[start : start + 5] != b"%PDF-":
            return None
        return Rendition(
            data[start:], int(head["pages"]), Tier(head["tier"]), bool(head["clipped"]), _notes(head["notes"])
        )
    except (ValueError, KeyError, TypeError, struct.error, RecursionError):
        return None


def _notes(found: dict[str, Any]) -> Notes:
    counts = {name: int(found[name]) for name in _COUNTS}
    return Notes(**counts, simplified=tuple(str(word)[:80] for word in found["simplified"][:40]))
