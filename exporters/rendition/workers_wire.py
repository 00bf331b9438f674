"""Frames between the archive's process and its workers: a head in JSON and a body of bytes.

A worker reads hostile mail: what comes from it is bounded, and nothing in it is ever unpickled.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from archiver.model import Body, Verdict
from exporters.interface import Outgoing

MAX_HEAD = 16 * 1024 * 1024
MAX_BODY = 2 * 1024 * 1024 * 1024
_FRAME = struct.Struct(">IQ")
_PIECE = 1024 * 1024


def send(channel: socket.socket, head: Mapping[str, Any], body: Body = b"") -> None:
    """Send one frame. Raises OSError when the other side is gone, TimeoutError by the channel's own time-out."""
    text = json.dumps(head).encode("ascii")
    channel.sendall(_FRAME.pack(len(text), len(body)) + text)
    view = memoryview(body)
    for start in range(0, len(body), _PIECE):
        channel.sendall(view[start : start + _PIECE])


def receive(channel: socket.socket, seconds: float | None = None) -> tuple[dict[str, Any], bytes]:
    """One frame. Raises EOFError when the other side ended, TimeoutError after `seconds`, ValueError for nonsense."""
    deadline = None if seconds is None else time.monotonic() + seconds
    head_size, body_size = _FRAME.unpack(_exactly(channel, _FRAME.size, deadline))
    if head_size > MAX_HEAD or body_size > MAX_BODY:
        raise ValueError("a frame beyond all bounds")
    head = json.loads(_exactly(channel, head_size, deadline))
    if not isinstance(head, dict):
        raise ValueError("a frame without a head")
    return head, bytes(_exactly(channel, body_size, deadline))


def _exactly(channel: socket.socket, size: int, deadline: float | None) -> bytearray:
    """Grows with what comes: a length alone makes nobody allocate."""
    data = bytearray()
    while len(data) < size:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            channel.settimeout(left)
        piece = channel.recv(min(_PIECE, size - len(data)))
        if not piece:
            raise EOFError
        data += piece
    return data


def message_head(message: Outgoing) -> dict[str, Any]:
    """All of a message but its bytes and its places, which a rendition does not show."""
    return {
        "id": message.id,
        "subject": message.subject,
        "date": message.date.isoformat() if message.date else None,
        "verdicts": [asdict(verdict) for verdict in message.verdicts],
        "copy_of": message.copy_of,
    }


def message_from(head: Mapping[str, Any], raw: bytes) -> Outgoing:
    """The message that `message_head` described."""
    date = datetime.fromisoformat(head["date"]) if head["date"] else None
    verdicts = tuple(Verdict(**verdict) for verdict in head["verdicts"])
    return Outgoing(head["id"], raw, (), head["subject"], date, verdicts, head["copy_of"])
