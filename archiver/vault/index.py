"""The index at the end of a pack's plaintext: which frames there are and which members they hold.

It lies in a Zstandard skippable frame (RFC 8878 section 3.1.2), which `zstd -d` passes over, and ends in a trailer of
fixed size, so that a reader finds it from the end.
"""

from __future__ import annotations

import bisect
import json
import struct
from collections.abc import Callable, KeysView
from itertools import accumulate
from typing import Any

from archiver.errors import IntegrityError
from archiver.vault import tar, zstd

MAX_FRAME = 8 * 1024 * 1024
"""Bytes of tar in one frame."""

MAX_INDEX = 16 * 1024 * 1024
"""Bytes of an index, compressed or not."""

_SKIPPABLE = struct.Struct("<II")
_TRAILER = struct.Struct("<Q8s")
_MAGIC = 0x184D2A5A
_MARK = b"MAILARK1"


class Index:
    """frames: (compressed, plain) bytes of each, from the start · members: (name, bytes) of each, in tar order."""

    def __init__(self, frames: list[tuple[int, int]], members: list[tuple[str, int]]) -> None:
        self.frames = frames
        self.members = members
        self.offsets = [0, *accumulate(compressed for compressed, _ in frames)]
        self.starts = [0, *accumulate(plain for _, plain in frames)]
        places = [0, *accumulate(tar.BLOCK + tar.padded(size) for _, size in members)]
        self._places = {name: (place, size) for place, (name, size) in zip(places, members, strict=False)}
        if places[-1] + len(tar.END) != self.starts[-1] or len(self._places) != len(members):
            raise IntegrityError("a pack's index does not fit its frames")

    @property
    def names(self) -> KeysView[str]:
        """Every member, in tar order."""
        return self._places.keys()

    def find(self, name: str) -> tuple[int, int]:
        """Offset in the tar of a member's header, and the member's size; IntegrityError if there is no such member."""
        try:
            return self._places[name]
        except KeyError:
            raise IntegrityError(f"a pack does not hold {name}") from None

    def covering(self, start: int, size: int) -> range:
        """Numbers of the frames that hold bytes [start, start + size) of the tar."""
        first = bisect.bisect_right(self.starts, start) - 1
        return range(first, bisect.bisect_left(self.starts, start + size))

    def dump(self) -> bytes:
        """The skippable frame: its header, the compressed JSON, the trailer."""
        value = {"index": 1, "frames": self.frames, "members": self.members}
        body = zstd.compress(json.dumps(value, separators=(",", ":")).encode("ascii"))
        return _SKIPPABLE.pack(_MAGIC, len(body) + _TRAILER.size) + body + _TRAILER.pack(len(body), _MARK)


def load(read: Callable[[int, int], bytes], size: int) -> Index:
    """The index of a plaintext of `size` bytes, of which `read(start, size)` gives any part. Raises IntegrityError."""
    end = size - _TRAILER.size
    if end < _SKIPPABLE.size:
        raise IntegrityError("too short for a pack")
    length, mark = _TRAILER.unpack(read(end, _TRAILER.size))
    start = end - length - _SKIPPABLE.size
    if mark != _MARK or length > MAX_INDEX or start < 0:
        raise IntegrityError("a pack's index is missing")
    data = read(start, _SKIPPABLE.size + length)
    if _SKIPPABLE.unpack_from(data) != (_MAGIC, length + _TRAILER.size):
        raise IntegrityError("a pack's index is damaged")
    index = _parse(data[_SKIPPABLE.size :])
    if index.offsets[-1] != start:
        raise IntegrityError("a pack's index does not fit its frames")
    return index


def _parse(body: bytes) -> Index:
    try:
        value: dict[str, Any] = json.loads(zstd.decompress(body, limit=MAX_INDEX))
        if value["index"] != 1:
            raise IntegrityError("a pack's index is of an unknown version")
        frames = [(_whole(compressed), _whole(size)) for compressed, size in value["frames"]]
        members = [(_name(name), _whole(size)) for name, size in value["members"]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise IntegrityError("a pack's index is damaged") from error
    if any(not 0 < size <= MAX_FRAME or not 0 < compressed <= 2 * MAX_FRAME for compressed, size in frames):
        raise IntegrityError("a pack has a frame beyond the limit")
    return Index(frames, members)


def _whole(value: object) -> int:
    if type(value) is not int or not 0 <= value <= tar.MAX_MEMBER:
        raise ValueError("not a size")
    return value


def _name(value: str) -> str:
    if not tar.NAME.fullmatch(value):
        raise ValueError("not a member's name")
    return value
