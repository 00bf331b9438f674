"""Zstandard frames (RFC 8878), one at a time and bounded; the one place that imports the library."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from archiver.errors import IntegrityError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_WINDOW_LOG_MAX = 26
"""64 MiB: frames written here need no window larger than their content, which the reader bounds as well."""


class Compressor:
    """Makes frames that carry their content size and a checksum, so that `zstd -t` can test them. Not thread-safe."""

    def __init__(self, level: int) -> None:
        parameter = zstd.CompressionParameter
        options: dict[int, int] = {
            parameter.compression_level: level,
            parameter.checksum_flag: 1,
            parameter.content_size_flag: 1,
        }
        self._zstd = zstd.ZstdCompressor(options=options)

    def frame(self, pieces: Iterable[bytes | memoryview], size: int) -> Iterator[bytes]:
        """One frame over `pieces`, `size` bytes in all, as it comes out of the compressor."""
        self._zstd.set_pledged_input_size(size)
        for piece in pieces:
            out = self._zstd.compress(piece)
            if out:
                yield out
        yield self._zstd.flush()


def compress(data: bytes, level: int = 3) -> bytes:
    """`data` as one frame."""
    return b"".join(Compressor(level).frame([data], len(data)))


def decompress(frame: bytes | memoryview, *, limit: int) -> bytes:
    """What one whole frame holds; IntegrityError unless that is at most `limit` bytes and as many as the frame says.

    A frame that lies about its size costs no more than `limit` bytes; nothing may follow it.
    """
    size = _content_size(frame)
    if size > limit:
        raise IntegrityError(f"a Zstandard frame holds {size} bytes, {limit} are allowed")
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _WINDOW_LOG_MAX}
    decompressor = zstd.ZstdDecompressor(options=options)
    try:
        data = decompressor.decompress(frame, max_length=size)
        if not decompressor.eof:  # the checksum alone may be left to read
            data += decompressor.decompress(b"", max_length=1)
    except zstd.ZstdError as error:
        raise IntegrityError("a Zstandard frame is damaged") from error
    if not decompressor.eof or decompressor.unused_data or len(data) != size:
        raise IntegrityError("a Zstandard frame is cut off, longer than it says, or followed by other bytes")
    return data


def frames(data: bytes, *, limit: int) -> Iterator[bytes]:
    """What each of the frames in `data` holds, which is nothing but frames; at most `limit` bytes each."""
    rest = memoryview(data)
    while rest:
        size = _frame_size(rest)
        yield decompress(rest[:size], limit=limit)
        rest = rest[size:]


def _content_size(frame: bytes | memoryview) -> int:
    try:
        size = zstd.get_frame_info(frame).decompressed_size
    except zstd.ZstdError as error:
        raise IntegrityError("not a Zstandard frame") from error
    if size is None:
        raise IntegrityError("a Zstandard frame does not say how much it holds")
    return int(size)


def _frame_size(data: memoryview) -> int:
    try:
        return int(zstd.get_frame_size(data))
    except zstd.ZstdError as error:
        raise IntegrityError("a Zstandard frame is cut off") from error
