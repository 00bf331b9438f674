"""Header blocks and encoded words (RFC 5322 section 2.2, RFC 2047), as they really arrive.

Header text is carried as latin-1 strings, one character a byte, until a decoder turns it into text: so raw GBK
survives the splitting.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field

from archiver.mime.charsets import Decoder
from archiver.mime.transfer import decode_base64

BLOCK_LIMIT = 1024 * 1024
"""Bytes of a header block that are looked at."""

WANTED = frozenset(
    [
        "subject",
        "from",
        "to",
        "cc",
        "bcc",
        "reply-to",
        "date",
        "message-id",
        "references",
        "in-reply-to",
        "received",
        "content-type",
        "content-transfer-encoding",
        "content-disposition",
        "content-id",
    ]
)
_HEADER_LINE = re.compile(r"[!-9;-~]{1,76}[ \t]*:(?:\s|$)")
_LINE_END = re.compile(r"\n(?![ \t])")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\x80-\x9f]+")
_LONE_CR_HEADER = re.compile(rb"\r[A-Za-z][A-Za-z-]{1,40}:")


@dataclass(slots=True)
class Block:
    """A header block: the wanted fields (lower-case name -> raw values, latin-1), where the body starts, what was
    wrong.
    """

    fields: dict[str, list[str]]
    body: int
    defects: list[str] = field(default_factory=list)

    def first(self, name: str) -> str:
        """The first value that is not empty, else ""."""
        for value in self.fields.get(name, ()):
            if value:
                return value
        return ""


def split(raw: bytes, start: int, end: int) -> Block:
    """The header block at `start` (an offset into `raw`; the part ends before `end`)."""
    stop, body = _blank_line(raw, start, end)
    defects = []
    if stop - start > BLOCK_LIMIT:
        stop = start + BLOCK_LIMIT
        defects.append("header block too long")
    text = raw[start:stop].decode("latin-1")
    regular = _regular(text)
    if regular is not None:
        return Block(regular, body, defects)
    fields, offset = _collect(text.split("\n"), defects)
    return Block(fields, body if offset is None else start + offset, defects)


def _blank_line(raw: bytes, start: int, end: int) -> tuple[int, int]:
    """Where the header lines stop and where the body starts; (end, end) without a blank line."""
    if raw.startswith((b"\n", b"\r\n"), start, end):
        return start, start + (1 if raw[start] == 10 else 2)
    eol = raw.find(b"\n", start, end)
    crlf = eol > start and raw[eol - 1] == 13
    first, second = (b"\n\r\n", b"\n\n") if crlf else (b"\n\n", b"\n\r\n")
    stop = raw.find(first, start, end)
    other = raw.find(second, start, end if stop < 0 else stop)
    if other >= 0:
        return other, other + len(second)
    return (stop, stop + len(first)) if stop >= 0 else (end, end)


def _regular(text: str) -> dict[str, list[str]] | None:
    """The wanted fields of a block in which every line belongs to a field; None of any other."""
    fields: dict[str, list[str]] = {}
    for line in _LINE_END.split(text):
        name, colon, value = line.partition(":")
        if not colon or " " in name or "\n" in name:
            return None
        key = name.rstrip().lower()
        if key in WANTED:
            if "\n" in value:
                value = value.replace("\n", "").replace("\r", "")
            fields.setdefault(key, []).append(value.strip(" \t\r"))
    return fields


def _collect(lines: list[str], defects: list[str]) -> tuple[dict[str, list[str]], int | None]:
    """The wanted fields; and the offset at which the body starts after all, when a line shows that the blank line is
    missing.
    """
    found: list[tuple[str, list[str]]] = []
    pieces: list[str] | None = None
    for number, line in enumerate(lines):
        if line[:1] in (" ", "\t"):
            if pieces is not None:
                pieces.append(line)
            continue
        name, colon, value = line.partition(":")
        name = name.rstrip().lower()
        pieces = None
        if name in WANTED and colon:
            pieces = [value]
            found.append((name, pieces))
        elif (not colon or " " in name) and line.rstrip("\r") and not _is_envelope(number, line):
            if not _headers_follow(lines, number + 1):
                defects.append("separator between header and body missing")
                return _joined(found), sum(map(len, lines[:number])) + number
            defects[:] = ["garbage in the header"]
    return _joined(found), None


def _is_envelope(number: int, line: str) -> bool:
    """The From_ line of an mbox file at the top of the message."""
    return number == 0 and line.startswith(("From ", ">From "))


def _headers_follow(lines: list[str], start: int) -> bool:
    return any(_HEADER_LINE.match(line) for line in lines[start : start + 4])


def _joined(found: list[tuple[str, list[str]]]) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for name, pieces in found:
        value = pieces[0] if len(pieces) == 1 else "".join(pieces).replace("\r", "")
        fields.setdefault(name, []).append(value.strip(" \t\r"))
    return fields


def normalise_line_ends(raw: bytes) -> tuple[bytes, bool]:
    """A copy with LF where the message has lone CRs for line ends; the message itself, and False, where it has not."""
    eol = raw.find(b"\n", 0, BLOCK_LIMIT)
    head = raw[: BLOCK_LIMIT if eol < 0 else eol]
    if b"\r" not in head[:-1] or not (eol < 0 or _LONE_CR_HEADER.search(head)):
        return raw, False
    return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n"), True


def one_line(text: str) -> str:
    """Without control characters, so that a decoded CR or LF cannot start a line of its own."""
    return text if text.isprintable() else _CONTROLS.sub(" ", text).strip()


def decode_words(value: str, decoder: Decoder) -> str:
    """The text of a raw header value: encoded words, raw 8-bit bytes and plain ASCII in any mixture, on one line."""
    if "=?" not in value:
        return one_line(value if value.isascii() else decoder.decode(value.encode("latin-1")))
    out: list[str] = []
    pending: list[bytes] = []
    pending_label = ""
    position = 0
    while (word := _next_word(value, position)) is not None:
        start, after, label, data = word
        gap = value[position:start]
        if pending and (gap.strip() or label != pending_label):
            out.append(decoder.decode(b"".join(pending), pending_label))
            pending = []
        if gap.strip() or not (pending or out):
            out.append(_decode_gap(gap, decoder))
        pending.append(data)
        pending_label = label
        position = after
    if pending:
        out.append(decoder.decode(b"".join(pending), pending_label))
    out.append(_decode_gap(value[position:], decoder))
    return one_line("".join(out))


def _decode_gap(gap: str, decoder: Decoder) -> str:
    return gap if gap.isascii() else decoder.decode(gap.encode("latin-1"))


def _next_word(value: str, position: int) -> tuple[int, int, str, bytes] | None:
    """The next encoded word from `position`: start, end, charset label (lower case), bytes. Linear: no place is
    looked at twice.
    """
    while True:
        start = value.find("=?", position)
        if start < 0:
            return None
        mark = value.find("?", start + 2, start + 80)
        if mark >= 0 and value[mark + 1 : mark + 2] in "bBqQ" and value[mark + 2 : mark + 3] == "?":
            stop = value.find("?=", mark + 3)
            if stop < 0:
                return None
            data = _word_bytes(value[mark + 1], value[mark + 3 : stop])
            return start, stop + 2, value[start + 2 : mark].lower(), data
        position = start + 2


def _word_bytes(encoding: str, text: str) -> bytes:
    data = text.encode("latin-1")
    if encoding in "bB":
        return decode_base64(data)[0]
    return binascii.a2b_qp(data.replace(b"\n", b""), header=True)
