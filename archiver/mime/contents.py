"""What lies in the attachments of a message: their text, which of them lie in which, and the message without some."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence

from archiver.mime.attachments import Attachment
from archiver.mime.charsets import Decoder
from archiver.mime.headers import normalise_line_ends
from archiver.mime.parser import parse
from archiver.mime.text import body_text
from archiver.mime.tree import Part

_SAMPLE = 64 * 1024


def text_of(attachment: Attachment) -> tuple[str, tuple[str, ...]]:
    """The text of a text/* attachment (HTML as its readable text), at most 1 MiB of characters with LF, and what was
    wrong with it in the fixed words of `Parsed.defects`.
    """
    part = attachment._part
    decoder = Decoder(lambda: part.content(_SAMPLE)[0], lambda: (part.parameters.get("charset", ""),))
    return body_text([part], decoder), tuple(decoder.defects)


def embedders(attachments: Sequence[Attachment]) -> list[int | None]:
    """For each attachment, the index of the attached message it lies in; None when it lies in the message itself."""
    index = {id(attachment._part): number for number, attachment in enumerate(attachments)}
    return [index.get(id(attachment._part.embedder)) for attachment in attachments]


def without(raw: bytes, chosen: Callable[[Attachment, str], bool], notice: bytes) -> bytes:
    """The message with `notice` (ASCII) in the place of each chosen content; all else is as it was, but for lone CRs.

    chosen: told an attachment and the SHA-256 of its content; the same content goes wherever else it is attached. One
    inside an encoded embedded message takes that whole message with it. Raises ValueError when a chosen content is
    still there afterwards: do not hand it out then.
    """
    raw, _ = normalise_line_ends(raw)
    hashed = _hashed(raw)
    gone = {digest for attachment, digest in hashed if chosen(attachment, digest)}
    out: list[bytes] = []
    position = 0
    for start, end, encoding in sorted(_span(attachment._part) for attachment, digest in hashed if digest in gone):
        if start >= position:
            out += (raw[position:start], _encoded(notice, encoding))
            position = end
    result = b"".join((*out, raw[position:]))
    if gone & {digest for _, digest in _hashed(result)}:
        raise ValueError("an attachment could not be taken out")
    return result


def _hashed(raw: bytes) -> list[tuple[Attachment, str]]:
    return [(found, hashlib.sha256(found.data()).hexdigest()) for found in parse(raw).attachments]


def _span(part: Part) -> tuple[int, int, str]:
    """Where its content stands in the outermost message: its own, or that of the encoded message around it."""
    outer = part
    while part.embedder is not None:
        if part.embedder.raw is not part.raw:
            outer = part.embedder
        part = part.embedder
    return outer.start, outer.end, outer.encoding


def _encoded(notice: bytes, encoding: str) -> bytes:
    return base64.encodebytes(notice).replace(b"\n", b"\r\n") if encoding == "base64" else notice + b"\r\n"
