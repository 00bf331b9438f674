"""A PDF that is written object by object, with what other documents lend it, so that none of them need be held.

Libraries build a document in memory and write it at its end: of thousands of merged messages that is a gigabyte. Here
an object is written when it comes; what is held of it is eight bytes. ISO 32000-1 sections 7.5.7 (object streams) and
7.5.8 (cross-reference streams).
"""

from __future__ import annotations

import hashlib
import re
import zlib
from array import array
from collections import deque
from typing import IO

import pikepdf
from pikepdf import Name

from archiver.errors import IntegrityError

_HEADER = b"%PDF-1.7\n%\xbf\xf7\xa2\xfe\n"
_TOGETHER = 100
"""Objects of an object stream."""
_PACKED = 1 << 63
_INHERITED = ("/Resources", "/MediaBox", "/CropBox", "/Rotate")  # ISO 32000-1 table 30
# A reference, or what may look like one inside: strings (qpdf writes every bracket in them escaped) and names.
_TOKEN = re.compile(rb"\((?:[^\\()]|\\.)*\)|<[0-9a-fA-F]*>|/[^\s()<>\[\]{}/%]*|\b([0-9]+) ([0-9]+) R\b", re.DOTALL)


class MergedFile:
    """Writes to `out`, which is at its beginning. Numbers of objects are given by `reserve`, each is written once."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._at = 0
        self._seen = hashlib.sha256()
        self._where = array("Q", [0])
        """By number: offset in the file, or `_PACKED`, the object stream and the place in it."""
        self._waiting: list[tuple[int, bytes]] = []
        self._write(_HEADER)

    def reserve(self) -> int:
        """The number of an object that will be written."""
        self._where.append(0)
        return len(self._where) - 1

    def add(self, text: bytes, number: int = 0) -> int:
        """Write an object that is no stream, as PDF; its number, a new one when none is given."""
        number = number or self.reserve()
        self._waiting.append((number, text))
        if len(self._waiting) == _TOGETHER:
            self._pack()
        return number

    def stream(self, dictionary: bytes, data: bytes, number: int = 0) -> int:
        """Write a stream; dictionary: as PDF, with the /Length of `data`."""
        number = number or self.reserve()
        self._where[number] = self._at
        self._write(b"%d 0 obj\n%s\nstream\n%s\nendstream\nendobj\n" % (number, dictionary, data))
        return number

    def close(self, root: int, information: int, identity: str) -> None:
        """Write the rest. The file identifier stands for `identity`, then for the content."""
        self._pack()
        names = [hashlib.sha256(identity.encode()).digest()[:16].hex(), self._seen.hexdigest()[:32]]
        number, start = self.reserve(), self._at
        self._where[number] = start
        table = zlib.compress(b"".join(map(_row, self._where)), 9)
        trailer = (
            f"<< /Type /XRef /Size {len(self._where)} /W [ 1 6 2 ] /Root {root} 0 R /Info {information} 0 R "
            f"/ID [ <{names[0]}> <{names[1]}> ] /Filter /FlateDecode /Length {len(table)} >>"
        )
        self.stream(trailer.encode(), table, number)
        self._write(b"startxref\n%d\n%%%%EOF\n" % start)

    def _pack(self) -> None:
        """Write the waiting objects as one object stream."""
        if not self._waiting:
            return
        stream = self.reserve()
        index, body = bytearray(), bytearray()
        for place, (number, text) in enumerate(self._waiting):
            index += b"%d %d " % (number, len(body))
            body += text + b"\n"
            self._where[number] = _PACKED | stream << 16 | place
        data = zlib.compress(bytes(index + body), 9)
        dictionary = b"<< /Type /ObjStm /N %d /First %d /Filter /FlateDecode /Length %d >>"
        self.stream(dictionary % (len(self._waiting), len(index), len(data)), data, stream)
        self._waiting.clear()

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._seen.update(data)
        self._at += len(data)


class Lender:
    """A document whose objects go into a `MergedFile`, with all they refer to, each once.

    known: objects that stand for others, which are in the file: their numbers by object and generation.
    """

    def __init__(self, source: pikepdf.Pdf, file: MergedFile, known: dict[tuple[int, int], int] | None = None) -> None:
        self._source, self._file = source, file
        self._numbers = dict(known or {})
        self._wanted: deque[tuple[int, int]] = deque()

    def pages(self, tree: int) -> list[int]:
        """Write the pages, as children of the page tree with this number; their numbers."""
        pages = [page.obj for page in self._source.pages]
        self._numbers |= {page.objgen: self._file.reserve() for page in pages}
        for page in pages:
            for name in _INHERITED:
                if name not in page and (found := _inherited(page, name)) is not None:
                    page[name] = found
        for page in pages:
            del page[Name.Parent]
            text = self._renumbered(page.unparse(resolved=True)).removesuffix(b">>")
            self._file.add(b"%s/Parent %d 0 R >>" % (text, tree), self._numbers[page.objgen])
        self._lend()
        return [self._numbers[page.objgen] for page in pages]

    def take(self, found: pikepdf.Object) -> int:
        """Write an indirect object; its number."""
        number = self._number(*found.objgen)
        self._lend()
        return number

    def _lend(self) -> None:
        while self._wanted:
            wanted = self._wanted.popleft()
            found, number = self._source.get_object(wanted), self._numbers[wanted]
            if isinstance(found, pikepdf.Stream):
                self._stream(found, number)
            else:
                self._file.add(self._renumbered(pikepdf.Object.unparse(found, resolved=True)), number)

    def _stream(self, found: pikepdf.Stream, number: int) -> None:
        data = found.read_raw_bytes()
        if found.stream_dict.get(Name.Length) != len(data):
            raise IntegrityError("a stream of a rendition to merge is not as long as it says")
        self._file.stream(self._renumbered(found.stream_dict.unparse(resolved=True)), data, number)

    def _renumbered(self, text: bytes) -> bytes:
        return _TOKEN.sub(self._reference, text)

    def _reference(self, token: re.Match[bytes]) -> bytes:
        return token[0] if token[1] is None else b"%d 0 R" % self._number(int(token[1]), int(token[2]))

    def _number(self, number: int, generation: int) -> int:
        known = self._numbers.get((number, generation))
        if known is None:
            known = self._numbers[number, generation] = self._file.reserve()
            self._wanted.append((number, generation))
        return known


def _inherited(page: pikepdf.Object, name: str) -> pikepdf.Object | None:
    """What a page has from the tree above it; a tree deeper than any real one is none."""
    above: pikepdf.Object | None = page
    for _ in range(100):
        above = above.get(Name.Parent) if above is not None else None
        if above is None:
            return None
        if name in above:
            return above[name]
    return None


def _row(where: int) -> bytes:
    """A line of the cross-reference stream: free, at an offset, or in an object stream."""
    if where & _PACKED:
        return b"\2" + (where & ~_PACKED).to_bytes(8)
    return (b"\1" + where.to_bytes(6) + b"\0\0") if where else b"\0" + bytes(8)
