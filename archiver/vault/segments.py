"""Attachments taken out of a message as segments, so that each is stored once; and put back, to the byte.

A segment is a run of equal-length base64 lines (RFC 2045 section 6.8) of at least `MIN_RUN` bytes, wherever it stands:
MIME structure is not asked, so that a broken or nested message is treated like any other. Nothing here loops over
lines; a probe every `STRIDE` bytes finds the runs, and every step is linear in the bytes it takes in, whatever a sender
makes up.
"""

from __future__ import annotations

import binascii
import functools
import hashlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pybase64

from archiver.errors import IntegrityError
from archiver.vault.recipe import MAX_LINE, MIN_LINE, Part, Recipe

__all__ = ["MIN_RUN", "Part", "Recipe", "Split", "join", "split"]

MIN_RUN = 4096
"""Bytes of base64 text from which on a run is taken out: below, its name and recipe cost what it saves."""

STRIDE = 2048
"""Bytes between two probes. MIN_RUN - STRIDE is more than two lines, so a probe meets a whole line of every run."""

FIRST_WINDOW, WINDOW = 4096, 40_960
"""Bytes decoded at a time, growing: little is lost on a run that ends at once, and the work stays in the cache."""

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_MASK = bytes(65 if byte in _ALPHABET else 0 for byte in range(256))


@dataclass(frozen=True, slots=True)
class Split:
    """A message taken apart: what is left of it, how it goes together, and its segments (name -> decoded bytes)."""

    skeleton: bytes
    recipe: Recipe
    segments: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class _Run:
    """raw[start:end] is `data` in base64, `line` characters a line, `eol` between lines and none after the last."""

    start: int
    end: int
    line: int
    eol: bytes
    data: bytes


def split(raw: bytes, name: Callable[[bytes], str], *, sha256: str | None = None) -> Split | None:
    """Take the segments out of `raw`; None when there is none worth it, and the message is to be kept verbatim.

    `name` gives a segment's name (64 hex digits) from its decoded bytes; `sha256` spares hashing `raw` again.
    What is returned has been put together again and compared with `raw`.
    """
    skeleton, parts, segments, kept, position = [], [], {}, 0, 0
    for run in _runs(raw):
        skeleton.append(raw[position : run.start])
        kept += run.start - position
        position = run.end
        parts.append(Part(kept, name(run.data), len(run.data), run.line, run.eol))
        segments[parts[-1].name] = run.data
    if not parts:
        return None
    recipe = Recipe(sha256 or hashlib.sha256(raw).hexdigest(), len(raw), tuple(parts))
    found = Split(b"".join([*skeleton, raw[position:]]), recipe, segments)
    return found if _same(found, raw) else None


def join(skeleton: bytes, recipe: Recipe, get: Callable[[str], bytes]) -> bytes:
    """The message again. `get` gives a segment's decoded bytes by name. IntegrityError unless size and SHA-256 fit."""
    expected = len(skeleton) + sum(part.encoded for part in recipe.parts)
    if expected != recipe.size:
        raise IntegrityError(f"message {recipe.sha256}: skeleton and recipe do not belong together")
    raw = b"".join(_pieces(skeleton, recipe, get))
    if hashlib.sha256(raw).hexdigest() != recipe.sha256:
        raise IntegrityError(f"message {recipe.sha256}: put together, it has another SHA-256")
    return raw


def _pieces(skeleton: bytes, recipe: Recipe, get: Callable[[str], bytes]) -> Iterator[bytes]:
    position = 0
    for part in recipe.parts:
        yield skeleton[position : part.at]
        position = part.at
        data = get(part.name)
        if len(data) != part.size:
            raise IntegrityError(f"segment {part.name}: {len(data)} bytes where the recipe says {part.size}")
        yield from _encode(data, part.line, part.eol)
    yield skeleton[position:]


def _same(found: Split, raw: bytes) -> bool:
    position = 0
    for piece in _pieces(found.skeleton, found.recipe, found.segments.__getitem__):
        if not raw.startswith(piece, position):
            return False
        position += len(piece)
    return position == len(raw)


def _encode(data: bytes, line: int, eol: bytes) -> Iterator[bytes]:
    """The base64 text of `data`, a window at a time."""
    lines = WINDOW // line
    window = lines * line // 4 * 3
    view = memoryview(data)
    for start in range(0, len(data), window):
        text = pybase64.b64encode(view[start : start + window])
        whole, rest = divmod(len(text), line)
        cut = list(_layout(line, 0, whole).unpack_from(text))
        if rest:
            cut.append(text[-rest:])
        yield eol.join(cut) if start == 0 else eol + eol.join(cut)


@functools.lru_cache(maxsize=64)
def _layout(line: int, eol: int, lines: int) -> struct.Struct:
    """Cuts a text into its lines, leaving out `eol` bytes after each, in one call."""
    return struct.Struct((f"{line}s{eol}x" if eol else f"{line}s") * lines)


def _runs(raw: bytes) -> Iterator[_Run]:
    at = floor = 0
    while at < len(raw) - STRIDE:
        run = _probe(raw, at, floor)
        at += STRIDE
        if run is not None:
            floor = run.end
            at = max(at, run.end)
            if run.end - run.start >= MIN_RUN:
                yield run


def _probe(raw: bytes, at: int, floor: int) -> _Run | None:
    """The run around the first line that begins after `at`, if that is a base64 line; it begins at `floor` or later."""
    start = raw.find(b"\n", at, at + MAX_LINE + 2) + 1
    end = raw.find(b"\n", start, start + MAX_LINE + 2) if start else -1
    if end < start + MIN_LINE:
        return None
    eol = b"\r\n" if raw[end - 1] == 13 else b"\n"
    line = end + 1 - len(eol) - start
    if line < MIN_LINE or line % 4 or raw[start : start + line].translate(None, _ALPHABET):
        return None
    start = _first_line(raw, start, floor, line, eol)
    return _forward(raw, start, line, eol)


def _first_line(raw: bytes, start: int, floor: int, line: int, eol: bytes) -> int:
    """Where the run that holds the line at `start` begins, looking no further back than to where the last probe looked.

    A longer run would have been met by that probe.
    """
    step = line + len(eol)
    lines = (min(start - floor, STRIDE + 2 * MAX_LINE)) // step
    window = raw[start - lines * step : start]
    for place, byte in enumerate(eol, line):
        column = window[place::step]
        lines = min(lines, len(column) - len(column.rstrip(bytes([byte]))))
    core = _core(raw, start - lines * step, lines, line, eol)
    clean = len(core) - len(core.translate(_MASK).rstrip(b"A"))
    return start - clean // line * step


def _forward(raw: bytes, start: int, line: int, eol: bytes) -> _Run:
    """The run from `start` to its last line, the shorter or padded one included."""
    step, window, position, pieces = line + len(eol), FIRST_WINDOW, start, []
    while lines := min(window, len(raw) - position) // step:
        data = _decode(raw, position, lines, line, eol)
        pieces.append(data)
        position += len(data) // 3 * 4 // line * step
        if len(data) // 3 * 4 < lines * line:
            break
        window = min(window * 2, WINDOW)
    text = _last_line(raw, position, line)
    if text:
        pieces.append(pybase64.b64decode(text))
    end = position + len(text) if text else max(start, position - len(eol))
    return _Run(start, end, line, eol, b"".join(pieces))


def _decode(raw: bytes, start: int, lines: int, line: int, eol: bytes) -> bytes:
    """What the unbroken full lines at `start` hold, at most `lines` of them."""
    step = line + len(eol)
    window = raw[start : start + lines * step]
    for place, byte in enumerate(eol, line):
        column = window[place::step]
        lines = min(lines, len(column) - len(column.lstrip(bytes([byte]))))
    core = _core(raw, start, lines, line, eol)
    if not core.endswith(b"="):
        try:
            return pybase64.b64decode(core, validate=True)
        except binascii.Error:
            pass
    clean = len(core) - len(core.translate(_MASK).lstrip(b"A"))
    return pybase64.b64decode(core[: clean // line * line], validate=True)


def _core(raw: bytes, start: int, lines: int, line: int, eol: bytes) -> bytes:
    return b"".join(_layout(line, len(eol), lines).unpack_from(raw, start))


def _last_line(raw: bytes, start: int, line: int) -> bytes:
    """The line at `start` if it can close a run: at most `line` characters that decode and encode alike; else ""."""
    end = raw.find(b"\n", start, start + line + 2)
    if end < 0 and len(raw) - start > line:
        return b""
    text = raw[start:end] if end >= 0 else raw[start:]
    text = text.removesuffix(b"\r")
    if not text or len(text) > line:
        return b""
    try:
        data = pybase64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
    return text if pybase64.b64encode(data) == text else b""
