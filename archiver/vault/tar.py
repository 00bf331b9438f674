"""The tar inside a pack: ustar (POSIX.1-1988), one spelling for each member, so that reading can check every byte."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from archiver.errors import IntegrityError

BLOCK = 512
END = bytes(2 * BLOCK)
"""End-of-archive: two blocks of zeros."""

MAX_MEMBER = 8**11 - 1
"""Bytes: what eleven octal digits hold."""

NAME = re.compile(r"m/[0-9a-f]{64}\.(?:eml|skel|json)|b/[0-9a-f]{64}|c/[0-9A-Za-z_-]{1,64}\.jsonl", re.ASCII)
"""Every name a member can have; nothing else is written or read, so no name can lead out of a folder."""


_FIELDS = (
    b"0000644\0" + b"0000000\0" * 2,  # mode, owner, group
    b"\0" + b"%011o\0" % 0,  # end of the size, time
    b"0" + bytes(100) + b"ustar\x0000" + bytes(247),  # an ordinary file, no link, version 00, nothing else
)
_SUM = sum(map(sum, _FIELDS)) + 8 * ord(" ")
"""What the checksum counts of every header but its name and size; for itself it counts spaces."""

_HEADER = b"%%b%b%%b%b%%06o\0 %b" % _FIELDS


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of a member, in order; `left` more of its `size` bytes follow."""

    name: str
    size: int
    left: int
    data: memoryview


def header(name: str, size: int) -> bytes:
    """The block before a member. Owner, time and mode are the same for all, so that equal input gives equal bytes."""
    if not NAME.fullmatch(name) or not 0 <= size <= MAX_MEMBER:
        raise IntegrityError(f"a pack cannot hold a member of this name or of {size} bytes")
    path, digits = name.encode("ascii"), b"%011o" % size
    return _HEADER % (path.ljust(100, b"\0"), digits, _SUM + sum(path) + sum(digits))


def padded(size: int) -> int:
    """Bytes of whole blocks that `size` bytes take."""
    return -(-size // BLOCK) * BLOCK


def walk(frames: Iterable[bytes]) -> Iterator[Piece]:
    """Every member of the tar cut into `frames`; an empty member gives one empty piece.

    Raises IntegrityError on the first byte that `header`, padding and `END` would not have written.
    """
    stream = _Stream(frames)
    while (block := stream.exactly(BLOCK)) != END[:BLOCK]:
        name, size = _parse(block)
        left = size
        if not size:
            yield Piece(name, 0, 0, memoryview(b""))
        while left:
            data = stream.most(left)
            left -= len(data)
            yield Piece(name, size, left, data)
        rest = padded(size) - size
        if stream.exactly(rest) != END[:rest]:
            raise IntegrityError("a pack's tar has bytes between two members")
    if stream.exactly(BLOCK) != END[:BLOCK] or not stream.ended():
        raise IntegrityError("a pack's tar does not end where it says")


def _parse(block: bytes) -> tuple[str, int]:
    try:
        name = block[:100].rstrip(b"\0").decode("ascii")
        size = int(block[124:135], 8)
    except ValueError as error:
        raise IntegrityError("a pack's tar has a damaged header") from error
    if header(name, size) != block:
        raise IntegrityError("a pack's tar has a header that no pack has")
    return name, size


class _Stream:
    def __init__(self, frames: Iterable[bytes]) -> None:
        self._frames = iter(frames)
        self._view = memoryview(b"")

    def most(self, size: int) -> memoryview:
        """At least one and at most `size` bytes, not copied."""
        if self.ended():
            raise IntegrityError("a pack's tar is cut off")
        data, self._view = self._view[:size], self._view[size:]
        return data

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self.most(size - len(data))
        return data

    def ended(self) -> bool:
        while not self._view:
            frame = next(self._frames, None)
            if frame is None:
                return True
            self._view = memoryview(frame)
        return False
