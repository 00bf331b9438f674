"""Catalog lines that wait for the name of their pack, compressed meanwhile: text is most of what a batch holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from archiver.catalog import lines
from archiver.model import Entry, MessageId, Verdict
from archiver.vault import zstd

PIECE = 1024 * 1024
"""Bytes of lines that are compressed together while they wait, and handed on together."""

FRAME = 16 * 1024 * 1024
"""Bytes of lines in a frame as it is stored; a reader holds one at a time."""

HELD_LEVEL = 1
STORED_LEVEL = 6
"""Zstandard level of catalog lines: 9 % smaller than at level 3, for one second of CPU in 100 MB of text."""

_UNNAMED = re.compile(rb'^(\{"t":"message","id":"([0-9a-f]{64})","size":[0-9]+,"pack":")"', re.MULTILINE)
"""The line of a message whose pack has no name yet; nothing else in a line can be at its beginning."""


class Completion:
    """What the lines of messages lack until their pack is sealed: its name, and the verdicts on their signatures."""

    def __init__(self, pack: str, verdicts: Mapping[MessageId, tuple[Verdict, ...]]) -> None:
        self._pack = pack.encode("ascii") + b'"'
        self._verdicts = {id_.encode("ascii"): _key(found) for id_, found in verdicts.items() if found}

    def __call__(self, document: bytes) -> bytes:
        return _UNNAMED.sub(lambda found: found[1] + self._pack + self._verdicts.get(found[2], b""), document)


def _key(verdicts: Iterable[Verdict]) -> bytes:
    text = json.dumps(lines.verdict_texts(verdicts), ensure_ascii=False, separators=(",", ":"))
    return b',"verdicts":' + text.encode("utf-8", "replace")


class Drafts:
    """Lines in the order they were added. Memory: what they have when compressed, and a piece."""

    def __init__(self) -> None:
        self._pieces: list[tuple[bytes, int]] = []
        self._waiting: list[bytes] = []
        self._size = 0
        self._packed = 0

    def __bool__(self) -> bool:
        return bool(self._pieces or self._waiting)

    @property
    def held(self) -> int:
        """Bytes of memory the lines take."""
        return self._packed + self._size

    def add(self, entries: Iterable[Entry]) -> None:
        """Take lines in; a message's without a pack waits for its name."""
        for entry in entries:
            line = lines.dump([entry])
            self._waiting.append(line)
            self._size += len(line)
            if self._size >= PIECE:
                self._compress()

    def documents(self, completion: Completion | None = None) -> Iterator[bytes]:
        """The lines again, a piece at a time, those of messages completed; any number of times."""
        self._compress()
        for piece, size in self._pieces:
            document = zstd.decompress(piece, limit=size)
            yield document if completion is None else completion(document)

    def _compress(self) -> None:
        if self._waiting:
            piece = zstd.compress(b"".join(self._waiting), HELD_LEVEL)
            self._pieces.append((piece, self._size))
            self._packed += len(piece)
            self._waiting, self._size = [], 0


def frames(documents: Iterable[bytes]) -> Iterator[bytes]:
    """The documents as Zstandard frames of some `FRAME` bytes each, as they are stored."""
    held: list[bytes] = []
    size = 0
    for document in documents:
        held.append(document)
        size += len(document)
        if size >= FRAME:
            yield _frame(held, size)
            held, size = [], 0
    if held:
        yield _frame(held, size)


def _frame(documents: list[bytes], size: int) -> bytes:
    return b"".join(zstd.Compressor(STORED_LEVEL).frame(documents, size))
