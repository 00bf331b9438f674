"""Header fields byte for byte, and the tag lists in them (RFC 6376 section 3.2)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from archiver.model import Body

HEAD_LIMIT = 1024 * 1024
"""Bytes of a header block that are looked at."""

WHITE = b" \t\r\n"
_INK = bytes(set(range(256)) - set(b"\r\n"))
_FIELD_END = re.compile(rb"\r\n(?![ \t])")
_NAME = re.compile(rb"[!-9;-~]+")
_TAG = re.compile(rb"[A-Za-z][A-Za-z0-9_]*")
_LABEL = rb"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DOMAIN = re.compile(rb"%s(?:\.%s)*" % (_LABEL, _LABEL))
_DOMAIN_LIMIT = 253


class Flawed(ValueError):  # noqa: N818  (never leaves this room)
    """A signature or a key cannot be used: `result` is the word of RFC 8601 for it, the text says why."""

    def __init__(self, result: str, reason: str) -> None:
        super().__init__(reason)
        self.result = result


class Field(NamedTuple):
    """One header field. `name` is in lower case; `raw`: all of it as it stands, with CRLFs, without the last one."""

    name: bytes
    raw: bytes

    @property
    def value(self) -> bytes:
        return self.raw[self.raw.index(b":") + 1 :]


def head_of(body: Body) -> tuple[bytes, int]:
    """The header block of a message with its line ends as CRLF, and where the body starts.

    Without an empty line all of the message is header; a header of more than `HEAD_LIMIT` bytes is given as b"".
    """
    end = body.find(b"\n\r\n", 0, HEAD_LIMIT)
    other = body.find(b"\n\n", 0, HEAD_LIMIT if end < 0 else end + 1)
    if other >= 0:
        return crlf(body[: other + 1]), other + 2
    if end >= 0:
        return crlf(body[: end + 1]), end + 3
    return (crlf(body[:]) if len(body) <= HEAD_LIMIT else b""), len(body)


def crlf(text: bytes) -> bytes:
    """`text` with CRLF for every bare LF; it must not end between the two."""
    ends = text.translate(None, _INK)  # three times as fast as to count CRLFs
    if ends == b"\r\n" * (len(ends) // 2) or text.count(b"\n") == text.count(b"\r\n"):
        return text
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def split(head: bytes) -> list[Field]:
    """The fields of a header block, in order. Lines that belong to none are passed over."""
    found: list[Field] = []
    for raw in _FIELD_END.split(head.removesuffix(b"\r\n")):
        name, colon, _ = raw.partition(b":")
        name = name.rstrip(b" \t")
        if colon and _NAME.fullmatch(name):
            found.append(Field(name.lower(), raw))
    return found


def tags(text: bytes) -> dict[bytes, bytes]:
    """The tags of a list, values without white space around them. ValueError if it is none, or names one twice."""
    found: dict[bytes, bytes] = {}
    specs = text.strip(WHITE).split(b";")
    if not specs[-1].strip(WHITE):
        specs.pop()
    for spec in specs:
        name, equals, value = spec.partition(b"=")
        name = name.strip(WHITE)
        if not equals or not _TAG.fullmatch(name) or name in found:
            raise ValueError("not a tag list")
        found[name] = value.strip(WHITE)
    return found


def without_value(field: Field, name: bytes) -> Field:
    """The field with the value of one tag, and the white space around it, taken out (RFC 6376 section 3.7)."""
    label, colon, value = field.raw.partition(b":")
    specs = value.split(b";")
    for at, spec in enumerate(specs):
        tag, equals, _ = spec.partition(b"=")
        if tag.strip(WHITE) == name:
            specs[at] = tag + equals
    return Field(field.name, label + colon + b";".join(specs))


def decoded(value: bytes) -> bytes:
    """Base64 with white space anywhere (RFC 6376 section 2.10). ValueError if it is none."""
    try:
        return base64.b64decode(b"".join(value.split()), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


def domain(value: bytes) -> str:
    """A domain name or selector in ASCII, as DNS is asked for it. ValueError if it is none."""
    if len(value) > _DOMAIN_LIMIT or not _DOMAIN.fullmatch(value):
        raise ValueError("not a domain name")
    return value.decode("ascii").lower()
