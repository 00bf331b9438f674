"""The textual header of an age file: version line, recipient stanzas, MAC (C2SP age.md, "Header").

The grammar leaves one spelling for each header, and this parser takes no other, so an altered header never passes
for the one that was written. Length of a line, of the header and the number of stanzas are bounded.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from archiver.errors import IntegrityError

MAX_HEADER = 64 * 1024
"""Bytes a header may have; one hybrid stanza takes 1.6 KB."""
MAX_LINE = 4096
"""Bytes a line may have; the longest of the specified stanza types has about 1.6 KB."""
_VERSION = b"age-encryption.org/v1"
_ARGUMENTS = re.compile(rb"-> [!-~]+(?: [!-~]+)*")
_COLUMNS = 64


@dataclass(frozen=True, slots=True)
class Stanza:
    """The file key wrapped for one recipient: its type, the arguments after the type, and the body."""

    type: str
    args: tuple[str, ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """A parsed header. `signed` are the bytes under the MAC, `size` is where the payload begins (bytes)."""

    stanzas: tuple[Stanza, ...]
    signed: bytes
    mac: bytes
    size: int


def b64encode(data: bytes) -> str:
    """RFC 4648 section 4 without padding."""
    return base64.b64encode(data).decode("ascii").rstrip("=")


def b64decode(text: str | bytes) -> bytes:
    """Canonical, unpadded base64 only (RFC 4648 section 3.5), else IntegrityError."""
    try:
        raw = text.encode("ascii") if isinstance(text, str) else text
        data = binascii.a2b_base64(raw + b"=" * (-len(raw) % 4), strict_mode=True)
    except ValueError:
        raise IntegrityError("the header of an encrypted file is damaged: not base64") from None
    if b64encode(data).encode("ascii") != raw:
        raise IntegrityError("the header of an encrypted file is damaged: base64 is not canonical")
    return data


def write(stanzas: Sequence[Stanza]) -> bytes:
    """The header up to and including the `---` mark, over which the MAC is made."""
    lines = [_VERSION.decode("ascii")]
    for stanza in stanzas:
        lines.append(" ".join(("->", stanza.type, *stanza.args)))
        body = b64encode(stanza.body)
        lines += [body[start : start + _COLUMNS] for start in range(0, len(body) + 1, _COLUMNS)]
    return "\n".join([*lines, "---"]).encode("ascii")


def end(data: bytes) -> int:
    """Where the payload begins if `data` (the beginning of a file) holds the whole header, else 0."""
    mark = data.find(b"\n---")
    return data.find(b"\n", mark + 1) + 1 if mark >= 0 else 0


def parse(data: bytes, max_stanzas: int) -> Header:
    """The header at the beginning of `data`; IntegrityError when it is malformed, cut off or beyond a limit."""
    size = end(data)
    lines = data[: size - 1].split(b"\n") if size else []
    if not lines or lines[0] != _VERSION:
        raise IntegrityError("not an age file, or its header is cut off")
    if any(len(line) > MAX_LINE for line in lines):
        raise IntegrityError("the header of an encrypted file has an overlong line")
    mac = lines.pop()
    if not mac.startswith(b"--- ") or len(mac) != 4 + 43:
        raise IntegrityError("the header of an encrypted file is damaged: MAC line")
    stanzas = _stanzas(lines[1:], max_stanzas)
    return Header(stanzas, data[: size - len(mac) - 1 + 3], b64decode(mac[4:]), size)


def _stanzas(lines: list[bytes], most: int) -> tuple[Stanza, ...]:
    stanzas = []
    position = 0
    while position < len(lines):
        first = position + 1
        last = first
        while last < len(lines) and len(lines[last]) == _COLUMNS:
            last += 1
        if not _ARGUMENTS.fullmatch(lines[position]) or last >= len(lines) or len(lines[last]) > _COLUMNS:
            raise IntegrityError("the header of an encrypted file is damaged: stanza")
        kind, *args = lines[position].decode("ascii").split(" ")[1:]
        stanzas.append(Stanza(kind, tuple(args), b64decode(b"".join(lines[first : last + 1]))))
        position = last + 1
    if not 1 <= len(stanzas) <= most:
        raise IntegrityError(f"an encrypted file has {len(stanzas)} recipients where 1 to {most} are expected")
    return tuple(stanzas)
