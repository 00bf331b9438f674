"""Catalog lines that wait for the name of their pack, compressed meanwhile: text is most of what a batch holds."""

from __future__ import annotations

import json
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from archiver.backup.understanding import Understood
from archiver.catalog import lines
from archiver.model import Entry, MessageEntry, MessageId, Verdict
from archiver.vault import zstd

PIECE = 1024 * 1024
"""Bytes of lines that are compressed together while they wait, and handed on together."""

FRAME = 16 * 1024 * 1024
"""Bytes of lines in a frame as it is stored; a reader holds one at a time."""

HELD_LEVEL = 1
STORED_LEVEL = 6
"""Zstandard level of catalog lines: 9 % smaller than at level 3, for one second of CPU in 100 MB of text."""

_ID = len(b'{"t":"message","id":"')
_DIGEST = 64
_PACK = b'"pack":"'
"""Where a line of a message has what: its hash, then its size, then the name of its pack; at its end, the verdicts."""


class Completion:
    """What the lines of messages lack until their pack is sealed: its name, and the verdicts on their signatures."""

    def __init__(self, pack: str, verdicts: Mapping[MessageId, tuple[Verdict, ...]]) -> None:
        self._pack = pack.encode("ascii")
        self._verdicts = {id_.encode("ascii"): _key(found) for id_, found in verdicts.items() if found}

    def __call__(self, document: bytes, starts: Iterable[int]) -> bytes:
        """The document with all that the lines lack which begin at `starts`, as `lines.dump` would have written it."""
        view, done = memoryview(document), 0
        pieces: list[bytes | memoryview] = []
        for start in starts:
            at = document.index(_PACK, start) + len(_PACK)
            pieces += (view[done:at], self._pack)
            done = at
            key = self._verdicts.get(document[start + _ID : start + _ID + _DIGEST])
            if key is not None:
                end = document.index(b"\n", at) - 1
                pieces += (view[done:end], key)
                done = end
        return b"".join((*pieces, view[done:]))


def _key(verdicts: Iterable[Verdict]) -> bytes:
    text = json.dumps(lines.verdict_texts(verdicts), ensure_ascii=False, separators=(",", ":"))
    return b',"verdicts":' + text.encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class _Piece:
    """Lines that wait; `starts`: where those of messages begin."""

    packed: bytes
    size: int
    starts: array[int]


class Drafts:
    """Lines in the order they were added. Memory: what they have when compressed, and a piece.

    ahead: is given each piece once, as soon as there is one, without what is completed later.
    """

    def __init__(self, ahead: Callable[[bytes], None] | None = None) -> None:
        self._ahead = ahead
        self._pieces: list[_Piece] = []
        self._expected: deque[Understood] = deque()
        self._waiting: list[bytes] = []
        self._starts = array("Q")
        self._size = 0
        self._packed = 0

    def __bool__(self) -> bool:
        return bool(self._pieces or self._expected or self._waiting)

    @property
    def held(self) -> int:
        """Bytes of memory the lines take."""
        return self._packed + self._size

    def add(self, entries: Iterable[Entry]) -> None:
        """Take lines in; a message's without a pack waits for its name."""
        for entry in entries:
            self._add(lines.dump([entry]), isinstance(entry, MessageEntry))

    def expect(self, message: Understood) -> None:
        """Take in the line of a message, once it is known; of one `Drafts`, messages come either so or by `add`."""
        self._expected.append(message)
        while self._expected and (line := self._expected[0].line) is not None:
            self._expected.popleft()
            self._add(line, True)

    def documents(self, completion: Completion | None = None) -> Iterator[bytes]:
        """The lines again, a piece at a time, those of messages completed; any number of times."""
        while self._expected:
            self._add(self._expected.popleft().wait(), True)
        self._compress()
        for piece in self._pieces:
            document = zstd.decompress(piece.packed, limit=piece.size)
            yield document if completion is None else completion(document, piece.starts)

    def _add(self, line: bytes, of_message: bool) -> None:
        if of_message:
            self._starts.append(self._size)
        self._waiting.append(line)
        self._size += len(line)
        if self._size >= PIECE:
            self._compress()

    def _compress(self) -> None:
        if self._waiting:
            document = b"".join(self._waiting)
            packed = zstd.compress(document, HELD_LEVEL)
            self._pieces.append(_Piece(packed, self._size, self._starts))
            self._packed += len(packed)
            self._waiting, self._starts, self._size = [], array("Q"), 0
            if self._ahead is not None:
                self._ahead(document)


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
