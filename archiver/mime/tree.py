"""The parts of a message (RFC 2045, 2046) as offsets into its bytes: nothing is decoded or copied before it is asked
for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from archiver.mime import transfer
from archiver.mime.fields import parse_parameters
from archiver.mime.headers import Block, split

DEPTH_LIMIT = 50
PART_LIMIT = 2_000
EMBEDDED_LIMIT = 16 * 1024 * 1024
"""Bytes of transfer-encoded embedded messages that are decoded to be looked into, over the whole message."""

_MESSAGES = frozenset({"message/rfc822", "message/global", "message/news"})
_BOUNDARY_LINE = re.compile(rb"\n--([^\r\n]{1,200}?)[ \t]*\r?\n(?=[Cc][Oo][Nn][Tt][Ee][Nn][Tt]-)")
_GUESS_WINDOW = 64 * 1024


@dataclass(slots=True)
class Part:
    """A leaf: its body is raw[start:end], still transfer-encoded. Parameters are raw latin-1 values.

    group: number of the multipart/alternative it belongs to, 0 for none. related: whether it lies in a
    multipart/related. embedder: the embedded message it lies in, None in the outermost one.
    """

    raw: bytes
    start: int
    end: int
    type: str
    parameters: Mapping[str, str]
    encoding: str
    disposition: str
    disposition_parameters: Mapping[str, str]
    content_id: str
    group: int
    related: bool
    root: bool = False
    embedder: Part | None = None

    def encoded(self, limit: int | None = None) -> bytes:
        """The body as it stands in the message, at most `limit` bytes."""
        return self.raw[self.start : self._stop(limit)]

    def content(self, limit: int | None = None) -> tuple[bytes, bool]:
        """The decoded body of at most `limit` encoded bytes, and whether its encoding was clean."""
        return transfer.decode(self.encoding, self.raw, self.start, self._stop(limit))

    def _stop(self, limit: int | None) -> int:
        return self.end if limit is None else min(self.end, self.start + limit)


@dataclass(frozen=True, slots=True)
class _Place:
    """What a part inherits from the parts around it."""

    depth: int = 0
    group: int = 0
    related: bool = False
    default: str = "text/plain"
    embedder: Part | None = None


class Tree:
    """The header block of a message and its leaves in order; an embedded message is a leaf, followed by its own
    leaves.
    """

    def __init__(self, raw: bytes) -> None:
        self.leaves: list[Part] = []
        self.defects: dict[str, None] = {}
        self._groups = 0
        self._decoded = 0
        self.head = self._message(raw, 0, len(raw), _Place())

    def _message(self, raw: bytes, start: int, end: int, place: _Place) -> Block:
        block = split(raw, start, end)
        self.defects.update(dict.fromkeys(block.defects))
        self._part(raw, block, end, place)
        return block

    def _part(self, raw: bytes, block: Block, end: int, place: _Place) -> None:
        part = self._leaf(raw, block, end, place)
        if part.type.startswith("multipart/"):
            self._multipart(part, place)
            return
        self.leaves.append(part)
        if part.type in _MESSAGES:
            self._embedded(part, place)

    def _leaf(self, raw: bytes, block: Block, end: int, place: _Place) -> Part:
        fields = block.fields
        value = fields["content-type"][0] if "content-type" in fields else ""
        kind, parameters = parse_parameters(value) if value else (place.default, {})
        if "/" not in kind:
            self.defects["content type unreadable"] = None
            kind = place.default
        encoding = ""
        if "content-transfer-encoding" in fields:
            encoding, known = transfer.canonical(fields["content-transfer-encoding"][0])
            if not known:
                self.defects["unknown transfer encoding"] = None
        value = block.first("content-disposition")
        disposition, disposition_parameters = parse_parameters(value) if value else ("", {})
        content_id = block.first("content-id")
        root = not self.leaves and not place.depth
        start = min(block.body, end)
        return Part(
            raw,
            start,
            end,
            kind,
            parameters,
            encoding,
            disposition,
            disposition_parameters,
            content_id,
            place.group,
            place.related,
            root,
            place.embedder,
        )

    def _multipart(self, part: Part, place: _Place) -> None:
        if place.depth >= DEPTH_LIMIT:
            self.defects[f"nested deeper than {DEPTH_LIMIT}"] = None
            self.leaves.append(part)
            return
        inner = self._inside(part.type, place)
        sections = self._sections(part)
        for start, end in sections:
            if len(self.leaves) >= PART_LIMIT:
                self.defects[f"more than {PART_LIMIT} parts"] = None
                part.start = start
                self.leaves.append(part)
                return
            self._message(part.raw, start, end, inner)
        if not sections and part.encoded(4096).strip():
            self.defects["multipart without parts"] = None
            part.type, part.parameters = "text/plain", {}
            self.leaves.append(part)

    def _inside(self, kind: str, place: _Place) -> _Place:
        group = place.group
        if kind == "multipart/alternative":
            self._groups += 1
            group = self._groups
        default = "message/rfc822" if kind == "multipart/digest" else "text/plain"
        related = place.related or kind == "multipart/related"
        return _Place(place.depth + 1, group, related, default, place.embedder)

    def _sections(self, part: Part) -> list[tuple[int, int]]:
        """Start and end of every body part, from the stated boundary or, where that does not occur, from the first
        that does.
        """
        boundary = part.parameters.get("boundary", "").encode("latin-1").rstrip()
        found = list(islice(self._between(part, boundary), PART_LIMIT + 1)) if boundary else []
        if not found:
            guess = _BOUNDARY_LINE.search(part.raw, part.start - 1, min(part.end, part.start + _GUESS_WINDOW))
            if guess:
                self.defects["boundary missing or wrong"] = None
                found = list(islice(self._between(part, guess[1]), PART_LIMIT + 1))
        return found

    def _between(self, part: Part, boundary: bytes) -> Iterator[tuple[int, int]]:
        raw, delimiter, opened = part.raw, b"\n--" + boundary, -1
        at_once = raw.startswith(delimiter[1:], part.start, part.end)
        position = part.start - 1 if at_once else raw.find(delimiter, part.start, part.end)
        while position >= 0:
            after = position + len(delimiter)
            eol = raw.find(b"\n", after, part.end)
            tail = raw[after : min(after + 80, eol if eol >= 0 else part.end)].strip()
            if not tail or tail.startswith(b"--"):
                if opened >= 0:
                    yield opened, max(opened, position - (raw[position - 1 : position] == b"\r"))
                opened = -1 if tail else (eol + 1 if eol >= 0 else part.end)
            position = raw.find(delimiter, after, part.end)
        if opened >= 0:
            self.defects["closing boundary missing"] = None
            yield opened, part.end

    def _embedded(self, part: Part, place: _Place) -> None:
        """Look into an embedded message; an encoded one (illegal, RFC 2046 section 5.2.1) is decoded for that."""
        if place.depth >= DEPTH_LIMIT:
            self.defects[f"nested deeper than {DEPTH_LIMIT}"] = None
            return
        inner = _Place(place.depth + 1, embedder=part)
        if not part.encoding:
            self._message(part.raw, part.start, part.end, inner)
            return
        self._decoded += part.end - part.start
        if self._decoded > EMBEDDED_LIMIT:
            self.defects["embedded messages too large to look into"] = None
            return
        data, _ = part.content()
        self._message(data, 0, len(data), inner)
