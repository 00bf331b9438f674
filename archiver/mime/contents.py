"""What lies in the attachments of a message: their text, which of them lie in which, and the message without some; and
whether its text and its HTML say the same.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from archiver.mime.attachments import Attachment
from archiver.mime.charsets import Decoder
from archiver.mime.headers import normalise_line_ends
from archiver.mime.html import html_to_text
from archiver.mime.parser import Parsed, parse
from archiver.mime.text import body_text
from archiver.mime.tree import Part

_SAMPLE = 64 * 1024
_ADDRESS = re.compile(r"\b(?:https?|ftp|mailto|cid):\S+|\bwww\.\S+|(?<!\S)[^\s@]++@\S+")
_HAN = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(f"[{_HAN}]|[^\\W_{_HAN}]{{3,}}")
_LEAST = 32
"""Bytes of a content that is looked for: less may stand anywhere by chance."""
_FEW, _SHARE = 3, 0.2


@dataclass(frozen=True, slots=True)
class Versions:
    """The text and the HTML of a body (RFC 2046 section 5.1.4: alternatives of the same information, or so it is said).

    text: all they say, the HTML's readable text behind the plain one where that lacks a word of it · unsaid: the plain
    one says much that the HTML does not · unwritten: the HTML says much that the plain one does not. Much is three
    words and a fifth of all; addresses of pages and people are no words.
    """

    text: str
    unsaid: bool
    unwritten: bool


def versions(parsed: Parsed) -> Versions:
    """What both versions of a body say."""
    shown = parsed.shown
    if all(kind != "html" for kind, _ in shown):
        return Versions(parsed.text, unsaid=False, unwritten=False)
    bodies = (html_to_text(content) if kind == "html" else content for kind, content in shown if kind != "message")
    rich = "\n\n".join(bodies)
    plain, html = _words(parsed.text), _words(rich)
    text = f"{parsed.text}\n\n{rich}" if html - plain else parsed.text
    return Versions(text.strip("\n"), unsaid=_much(plain - html, plain), unwritten=_much(html - plain, html))


def _words(text: str) -> set[str]:
    return set(_WORD.findall(_ADDRESS.sub(" ", text.casefold())))


def _much(alone: set[str], words: set[str]) -> bool:
    return len(alone) >= _FEW and len(alone) > _SHARE * len(words)


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
    still there afterwards, be it in the body: do not hand it out then.
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
    if any(_repeated(attachment.data(), result) for attachment, digest in hashed if digest in gone):
        raise ValueError("what an attachment holds stands elsewhere in the message, too")
    return result


def _repeated(content: bytes, raw: bytes) -> bool:
    """Whether a content that was taken out stands as it is in what is left: in the body, or between the parts."""
    content = normalise_line_ends(content)[0].strip()
    return len(content) >= _LEAST and content.replace(b"\r\n", b"\n") in raw.replace(b"\r\n", b"\n")


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
