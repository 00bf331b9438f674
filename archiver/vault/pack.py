"""A pack: many messages sealed in one object, an age file whose plaintext is a tar in Zstandard frames, then an index.

`age -d -i era.key pack.age | zstd -d | tar x` restores it without this program; the index lets one message be read
by ranges.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from archiver.errors import IntegrityError, MailarkError, QuotaError, StoreError
from archiver.model import Body
from archiver.vault import age, index, tar, zstd
from archiver.vault.index import MAX_FRAME, Index

TEXT_FRAME = 1024 * 1024
"""Bytes of tar from which on a frame of messages is closed. 64 KiB would compress 20 % worse, 2 MiB 3 % better; but who
reads one message has to read a whole frame."""

TEXT_LEVEL = 5
"""Zstandard level of messages: 4 % smaller than at level 3 for 4 ms more a MiB. Attachments hardly care: 3."""

SEGMENT_FRAME = 256 * 1024
"""The same for segments: attachments hardly compress together, and a smaller frame is less to read for one."""

MAX_MEMBER = 2 * 1024**3
"""Bytes of a member that are read into memory unless a caller allows less or more."""

MAX_KEPT = 2 * 1024 * 1024
"""Bytes of a frame that a reader keeps: many packs are open at once while messages are read here and there."""

ERA = re.compile(r"[a-z]{1,32}-[0-9]{4}", re.ASCII)
_BUFFER = 256 * 1024
_READ = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SealedPack:
    """A pack on disk. name: of the object · size: bytes · path: its file · members: (name, bytes) in tar order."""

    name: str
    sha256: str
    size: int
    path: Path
    members: tuple[tuple[str, int], ...]


class PackWriter:
    """Writes one pack, in memory bounded by its frames (about 20 MiB). Not thread-safe.

    path: a new file in the spool, next to which the sealed pack comes to lie as <sha256>.age
    era: whose key `recipient` is, <class>-<yyyy>
    Raises QuotaError when the disk is full, StoreError when it fails; the pack is then lost, `abort` removes the file.
    """

    def __init__(self, path: Path, recipient: age.Recipient, *, era: str, level: int = TEXT_LEVEL) -> None:
        if not ERA.fullmatch(era):
            raise MailarkError(f"not the name of an era: {era}")
        self._path, self._era = path, era
        self._hashes: dict[str, bytes] = {}
        self._index: list[tuple[str, int]] = []
        self._frames: list[tuple[int, int]] = []
        self._written = 0
        self._texts = _Frame(TEXT_FRAME, zstd.Compressor(level))
        self._segments = _Frame(SEGMENT_FRAME, zstd.Compressor(min(level, 3)))
        with _disk():
            self._file = path.open("wb", buffering=_BUFFER)
            self._age = age.Writer(self._file, [recipient])

    @property
    def size(self) -> int:
        """Bytes of the pack so far: what is written, and what waits for its frame to be full."""
        return self._written + self._texts.size + self._segments.size

    def add(self, name: str, data: Body) -> None:
        """Take a member in. `m/<sha256>.eml` must hash to its name: that is checked when the pack is read back.

        `data` may be a map of a file: it is neither copied whole nor needed after the call.
        """
        if name in self._hashes:
            raise MailarkError(f"{name} is in the pack already")
        head = tar.header(name, len(data))
        known = name[2:66] if name.endswith(".eml") else ""
        self._hashes[name] = bytes.fromhex(known) if known else hashlib.sha256(data).digest()
        frame = self._segments if name.startswith("b/") else self._texts
        total = len(head) + tar.padded(len(data))
        if frame.size + total > MAX_FRAME:
            self._flush(frame)
        if total > MAX_FRAME:
            self._large(frame, name, head, data)
            return
        frame.take(name, head, data if isinstance(data, bytes) else bytes(data))
        if frame.size >= frame.full:
            self._flush(frame)

    def finish(self) -> SealedPack:
        """Close, read back from the file and compare every member's hash; only then the pack gets its name.

        Raises IntegrityError when a member differs from what was added. After any error the file is gone.
        """
        try:
            with _disk():
                self._close()
                with self._path.open("rb", buffering=0) as file:
                    size, sha256 = os.fstat(file.fileno()).st_size, _file_hash(file.fileno())
                    self._compare(file.fileno(), size)
                path = self._path.with_name(f"{sha256}.age")
                self._path = self._path.rename(path)
                _sync_folder(path.parent)
        except BaseException:
            self.abort()
            raise
        name = f"packs/{self._era}/{sha256[:2]}/{sha256}.age"
        return SealedPack(name, sha256, size, path, tuple(self._index))

    def abort(self) -> None:
        """Remove the file; never raises."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _large(self, frame: _Frame, name: str, head: bytes, data: Body) -> None:
        """A member above one frame's limit: frames of its own, cut from a view of it."""
        self._index.append((name, len(data)))
        with memoryview(data) as view:
            room = MAX_FRAME - len(head)
            self._emit(frame, [head, view[:room]], MAX_FRAME)
            for start in range(room, len(view), MAX_FRAME):
                piece = view[start : start + MAX_FRAME]
                rest = tar.END[: -len(piece) % tar.BLOCK]
                self._emit(frame, [piece, rest], len(piece) + len(rest))

    def _flush(self, frame: _Frame) -> None:
        if frame.size:
            self._index += frame.members
            self._emit(frame, frame.pieces, frame.size)
            frame.clear()

    def _emit(self, frame: _Frame, pieces: Sequence[bytes | memoryview], size: int) -> None:
        compressed = 0
        with _disk():
            for out in frame.compressor.frame(pieces, size):
                compressed += len(out)
                self._age.write(out)
        self._frames.append((compressed, size))
        self._written += compressed

    def _close(self) -> None:
        self._flush(self._segments)
        if self._texts.size + len(tar.END) > MAX_FRAME:
            self._flush(self._texts)
        self._texts.end()
        self._flush(self._texts)
        self._age.write(Index(self._frames, self._index).dump())
        self._age.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def _compare(self, descriptor: int, size: int) -> None:
        def read(start: int, wanted: int) -> bytes:
            return os.pread(descriptor, wanted, start)

        members = PackReader(read, size, (), file_key=self._age.file_key).hashes()
        if dict(members) != self._hashes:
            raise IntegrityError("a pack read back differs from what was put in", "the memory or the disk is failing")


class PackReader:
    """Reads a pack by ranges: `read(start, size)` gives bytes of the object of `size` bytes. Thread-safe if `read` is.

    Raises AuthError when no identity fits, IntegrityError when anything is not as a PackWriter wrote it. Errors of
    `read` pass through. No member above `max_member` bytes is read into memory.
    """

    def __init__(
        self,
        read: Callable[[int, int], bytes],
        size: int,
        identities: Sequence[age.Identity],
        *,
        file_key: bytes | None = None,
        max_member: int = MAX_MEMBER,
    ) -> None:
        self._age = age.Reader(read, size, identities, file_key=file_key)
        self._max = max_member
        self._index = index.load(self._age.read, self._age.size)
        self._recent: dict[str, tuple[int, bytes]] = {}

    def names(self) -> Set[str]:
        """Every member, in the order of the tar."""
        return self._index.names

    def read(self, name: str) -> bytes:
        """One member, from the frames that hold it; the last frame read of messages, and of segments, is kept."""
        place, size = self._index.find(name)
        self._allow(name, size)
        numbers = self._index.covering(place, tar.BLOCK + size)
        skip = place - self._index.starts[numbers[0]]
        data = b"".join(
            memoryview(self._kept(name[0], number))[skip if number == numbers[0] else 0 :] for number in numbers
        )
        if data[: tar.BLOCK] != tar.header(name, size):
            raise IntegrityError(f"a pack's index points to something else than {name}")
        return data[tar.BLOCK : tar.BLOCK + size]

    def members(self) -> Iterator[tuple[str, bytes]]:
        """Every member with its bytes, reading the pack once from start to end and checking every byte of the tar."""
        held: list[bytes] = []
        for piece in self._pieces():
            self._allow(piece.name, piece.size)
            held.append(bytes(piece.data))
            if not piece.left:
                yield piece.name, held[0] if len(held) == 1 else b"".join(held)
                held = []

    def hashes(self) -> Iterator[tuple[str, bytes]]:
        """The SHA-256 of every member; as `members`, but in memory bounded by a frame."""
        digest = hashlib.sha256()
        for piece in self._pieces():
            digest.update(piece.data)
            if not piece.left:
                yield piece.name, digest.digest()
                digest = hashlib.sha256()

    def _pieces(self) -> Iterator[tar.Piece]:
        found = []
        for piece in tar.walk(self._frame(number) for number in range(len(self._index.frames))):
            yield piece
            if not piece.left:
                found.append((piece.name, piece.size))
        if found != self._index.members:
            raise IntegrityError("a pack's index names other members than its tar")

    def _kept(self, kind: str, number: int) -> bytes:
        kept, data = self._recent.get(kind, (-1, b""))
        if kept != number:
            data = self._frame(number)
            if len(data) <= MAX_KEPT:
                self._recent[kind] = number, data
        return data

    def _frame(self, number: int) -> bytes:
        compressed, size = self._index.frames[number]
        data = zstd.decompress(self._age.read(self._index.offsets[number], compressed), limit=size)
        if len(data) != size:
            raise IntegrityError("a pack's frame holds less than its index says")
        return data

    def _allow(self, name: str, size: int) -> None:
        if size > self._max:
            raise IntegrityError(f"{name} has {size} bytes, {self._max} are allowed")


class _Frame:
    """Members that wait for their frame to be full."""

    def __init__(self, full: int, compressor: zstd.Compressor) -> None:
        self.full = full
        self.compressor = compressor
        self.clear()

    def clear(self) -> None:
        self.size = 0
        self.pieces: list[bytes] = []
        self.members: list[tuple[str, int]] = []

    def take(self, name: str, head: bytes, data: bytes) -> None:
        self.members.append((name, len(data)))
        self.pieces += (head, data, tar.END[: -len(data) % tar.BLOCK])
        self.size += len(head) + tar.padded(len(data))

    def end(self) -> None:
        self.pieces.append(tar.END)
        self.size += len(tar.END)


@contextlib.contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise QuotaError("the disk of the work folder is full", "free some space and run again") from error
        raise StoreError(f"the work folder cannot be written: {error.strerror}") from error


def _file_hash(descriptor: int) -> str:
    digest, position = hashlib.sha256(), 0
    while data := os.pread(descriptor, _READ, position):
        digest.update(data)
        position += len(data)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
