"""Which parts of a message are its text, and what they say."""

from __future__ import annotations

import re

from archiver.mime.charsets import Decoder
from archiver.mime.html import declared_charset, html_to_text
from archiver.mime.tree import Part

TEXT_LIMIT = 1024 * 1024
"""Characters of text that are kept."""
_PART_LIMIT = 4 * TEXT_LIMIT
_WHOLE = 64 * TEXT_LIMIT
"""Encoded bytes of a part that is read whole."""
_IMAGES = re.compile(r"data:image/[^\"'<>]*", re.IGNORECASE)
_HTML = frozenset({"text/html", "text/x-amp-html"})
_STUB = 200
# All but tabulator and LF: ESC and C1 would steer the terminal that shows the text, NUL ends a database's string.
# One at a time: where there is none, as a rule, that is told in less than half the time of runs.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_ASCII_CONTROLS = tuple(chr(code) for code in (*range(9), 11, 12, *range(14, 32), 127))


def body_text(parts: list[Part], decoder: Decoder, limit: int = TEXT_LIMIT) -> str:
    """The text of the body parts, in order, at most `limit` characters: of alternatives the plain one, unless it
    is only a stub.
    """
    skipped = _superfluous(parts)
    out: list[str] = []
    size = 0
    for part in parts:
        if id(part) in skipped:
            continue
        text = _clean(_read(part, decoder, min(4 * limit, _WHOLE))).strip("\n")
        out.append(text)
        size += len(text) + 2
        if size > limit:
            decoder.defects["text cut"] = None
            break
    return "\n\n".join(filter(None, out))[:limit]


def body_html(parts: list[Part], decoder: Decoder) -> str:
    """The HTML parts as they are, decoded; "" when there are none."""
    return "\n".join(decode_part(part, decoder, _WHOLE) for part in parts if part.type == "text/html")


def body_shown(parts: list[Part], decoder: Decoder) -> list[tuple[str, str, Part | None]]:
    """("html" | "text", content, the embedded message it stands in) of the body parts as a mail program shows them, in
    order: of alternatives the HTML.

    The HTML is as the sender wrote it; text as `body_text` gives it, but whole: who shows it must know what is cut.
    """
    rich = {part.group for part in parts if part.group and part.type == "text/html" and part.encoded(_STUB).strip()}
    shown: list[tuple[str, str, Part | None]] = []
    for part in parts:
        if part.type == "text/html" and (not part.group or part.group in rich):
            shown.append(("html", decode_part(part, decoder, _WHOLE), part.embedder))
        elif part.type not in _HTML and part.group not in rich:
            shown.append(("text", _clean(_read(part, decoder, _WHOLE)).strip("\n"), part.embedder))
    return [found for found in shown if found[1].strip()]


def _superfluous(parts: list[Part]) -> set[int]:
    """The HTML parts that say again what a plain part of their multipart/alternative says (RFC 2046 section 5.1.4)."""
    html: dict[int, int] = {}
    for part in parts:
        if part.group and part.type in _HTML:
            html[part.group] = html.get(part.group, 0) + part.end - part.start
    said = {
        part.group for part in parts if part.group in html and part.type == "text/plain" and not _is_stub(part, html)
    }
    return {id(part) for part in parts if part.group in said and part.type in _HTML}


def _is_stub(part: Part, html: dict[int, int]) -> bool:
    """A plain alternative like "please view in a browser": short, beside much HTML; or empty."""
    size = part.end - part.start
    return size <= _STUB and (html[part.group] > 10 * size or not part.encoded().strip())


def decode_part(part: Part, decoder: Decoder, limit: int) -> str:
    """The text of a text part, its charset label taken with care."""
    data, clean = part.content(limit)
    if not clean:
        decoder.defects[f"{part.encoding} damaged"] = None
    if part.end - part.start > limit:
        decoder.defects["text cut"] = None
    label = part.parameters.get("charset", "")
    if not label and part.type in _HTML:
        label = declared_charset(data)
    return decoder.decode(data, label.strip(" \t'\""))


def _read(part: Part, decoder: Decoder, limit: int) -> str:
    text = _readable(part, decoder, limit) if part.type in _HTML else decode_part(part, decoder, limit)
    if part.type in _HTML or text[:200].lstrip("\ufeff \t\r\n")[:14].lower().startswith(("<html", "<!doctype html")):
        return html_to_text(text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if part.parameters.get("format", "").lower() == "flowed":
        return _unflow(text, part.parameters.get("delsp", "").lower() == "yes")
    return text


def _readable(part: Part, decoder: Decoder, limit: int) -> str:
    """HTML without the images in it, which may be most of it and stand before the text."""
    if part.end - part.start <= limit:
        return decode_part(part, decoder, limit)
    text = _IMAGES.sub("", decode_part(part, decoder, _WHOLE))
    if len(text) > limit:
        decoder.defects["text cut"] = None
    return text[:limit]


def _unflow(text: str, drop_space: bool) -> str:
    """Paragraphs in one line each again (RFC 3676 section 4), so that no word or phrase stays cut in two."""
    out: list[str] = []
    open_depth = -1
    for line in text.split("\n"):
        content = line.lstrip(">")
        depth = len(line) - len(content)
        content = content.removeprefix(" ")
        soft = content.endswith(" ") and content != "-- "
        if soft and drop_space:
            content = content[:-1]
        if depth == open_depth and content != "-- ":
            out[-1] += content
        else:
            out.append(f"{'>' * depth} {content}" if depth else content)
        open_depth = depth if soft else -1
    return "\n".join(out)


def _clean(text: str) -> str:
    if text.isascii() and not any(control in text for control in _ASCII_CONTROLS):
        return text
    return _CONTROLS.sub("", text.removeprefix("\ufeff"))
