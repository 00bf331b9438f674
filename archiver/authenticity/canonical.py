"""Canonical forms of headers and bodies (RFC 6376 section 3.4), made piece by piece and in linear time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from archiver.authenticity.fields import Field, crlf
from archiver.model import Body

PIECE = 32 * 1024
"""Bytes of a body that are worked on at once, as they fit the cache; more only where a line is longer."""

_INK = re.compile(rb"[^ \t\r\n]")


def header(field: Field, *, relaxed: bool) -> bytes:
    """A header field as it is hashed, without the CRLF at its end."""
    if not relaxed:
        return field.raw
    return field.name + b":" + _squeezed(field.value.replace(b"\r\n", b"")).strip(b" ")


def body_hash(body: Body, start: int, *, relaxed: bool, algorithm: str, length: int | None = None) -> tuple[bytes, int]:
    """The hash of the body's canonical form, of its first `length` bytes if that is given; and the size of it all."""
    hasher, size = hashlib.new(algorithm, usedforsecurity=False), 0
    for piece in canonical(body, start, relaxed=relaxed):
        if length is None or size < length:
            hasher.update(piece if length is None else piece[: length - size])
        size += len(piece)
    return hasher.digest(), size


def canonical(body: Body, start: int, *, relaxed: bool) -> Iterator[bytes]:
    """The canonical body in pieces. Empty lines are held back until it is known that more follows."""
    held, empty = 0, True
    for piece in _pieces(body, start):
        text = crlf(piece)
        if relaxed and (b" " in text or b"\t" in text):
            text = _squeezed(text).replace(b" \r\n", b"\r\n").rstrip(b" ")  # only the last piece can end with a blank
        end = _content(text)
        if end:
            for at in range(0, held, PIECE):
                yield b"\r\n" * min(PIECE, held - at)
            yield text[:end]
            held, empty = 0, False
        held += (len(text) - end) // 2
    if not (empty and relaxed):
        yield b"\r\n"


def _pieces(body: Body, start: int) -> Iterator[bytes]:
    """The body in pieces; all but the last end with a line, or at least not with a blank."""
    end = len(body)
    while start < end:
        stop = start + PIECE
        if stop >= end:
            stop = end
        elif (line := body.rfind(b"\n", start, stop)) >= 0:
            stop = line + 1
        else:
            ink = _INK.search(body, stop)
            stop = ink.end() if ink else end
        yield body[start:stop]
        start = stop


def _squeezed(text: bytes) -> bytes:
    """Every run of spaces and tabs as one space."""
    text = text.replace(b"\t", b" ")
    while b"  " in text:  # each pass halves the longest run
        text = text.replace(b"  ", b" ")
    return text


def _content(text: bytes) -> int:
    """Where `text` ends without the CRLFs at its end."""
    end = len(text.rstrip(b"\r\n"))
    if text[-1:] == b"\r":  # a bare CR is no line end
        return len(text)
    lone = text.rfind(b"\r\r", end)
    return end if lone < 0 else lone + 1
