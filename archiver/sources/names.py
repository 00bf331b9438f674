"""Folder names: modified UTF-7 (RFC 3501 section 5.1.3), raw UTF-8 (RFC 6855), and GB18030 as some servers send it.

Names are decoded one by one, so that a bad one costs no other; the bytes the server wrote are kept for talking to it.
"""

from __future__ import annotations

import base64
import binascii
import re

from archiver.model import Folder

_SHIFT = re.compile(rb"&([^-]*)-")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_OUTSIDE = re.compile(r"[^\x20-\x7e]+|&")
_SLASH_INSIDE = "\N{DIVISION SLASH}"


def decode(raw: bytes) -> str:
    """What a person reads in a folder's name. Never fails: bytes that mean nothing are kept as Latin-1 characters."""
    try:
        return _SHIFT.sub(_unshift, raw).decode("utf-8") if raw.isascii() else raw.decode("utf-8")
    except (UnicodeDecodeError, binascii.Error, ValueError):
        pass
    for charset in ("ascii", "gb18030"):
        try:
            return raw.decode(charset)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def encode(name: str) -> bytes:
    """The name in modified UTF-7."""
    return _OUTSIDE.sub(_shift, name).encode("ascii")


def speakable(raw: bytes) -> bool:
    """Whether a quoted string can hold it: no control characters, which imaplib refuses to send as well."""
    return not _CONTROL.search(raw)


def quote(raw: bytes) -> bytes:
    """An IMAP quoted string. ValueError when none can hold it."""
    if not speakable(raw):
        raise ValueError("a control character in an IMAP string")
    return b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def unquote(text: bytes) -> bytes:
    """The value of a quoted string; an atom is its own value, NIL is empty."""
    if text.startswith(b'"') and text.endswith(b'"') and len(text) > 1:
        return re.sub(rb"\\(.)", rb"\1", text[1:-1])
    return b"" if text.upper() == b"NIL" else text


def folder(raw: bytes, delimiter: str, attributes: tuple[str, ...] = ()) -> Folder:
    """A folder as the server named it, levels joined by "/"; INBOX is spelled one way (RFC 3501 section 5.1)."""
    name = decode(raw)
    if delimiter and delimiter != "/":
        name = name.replace("/", _SLASH_INSIDE).replace(delimiter, "/")
    return Folder("INBOX" if name.upper() == "INBOX" else name, raw, delimiter, attributes)


def to_server(name: str, delimiter: str, prefix: str = "") -> bytes:
    """The raw name for a folder with levels joined by "/", under the personal namespace's prefix (RFC 2342)."""
    if delimiter and delimiter != "/":
        name = name.replace("/", delimiter).replace(_SLASH_INSIDE, "/")
    inbox = name.upper() == "INBOX" or name.upper().startswith(f"INBOX{delimiter}")
    return encode(name if inbox or name.startswith(prefix) else prefix + name)


def _unshift(match: re.Match[bytes]) -> bytes:
    if not match[1]:
        return b"&"
    packed = match[1].replace(b",", b"/")
    units = base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    return units.decode("utf-16-be").encode("utf-8")


def _shift(match: re.Match[str]) -> str:
    if match[0] == "&":
        return "&-"
    packed = base64.b64encode(match[0].encode("utf-16-be", "surrogatepass")).rstrip(b"=").replace(b"/", b",")
    return f"&{packed.decode('ascii')}-"
