"""HTML to plain text for search and for reading in a terminal. Linear in the input, whatever the input is.

No browser: a few passes of compiled searches, each of which looks at every character a bounded number of times. Left
out: comments, style, script, title, template, and elements hidden by an inline style or the `hidden` attribute (HTML
Living Standard sections 13.2 and 15.3.1).
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape

_DROP_START = re.compile(r"<(?:!--|(style|script|title|template)(?=[\s>/])[^<>]*>?)", re.IGNORECASE)
# Each begins with a literal, case sensitive: so the search for it runs at the speed of memchr.
_HIDING = (
    re.compile(r"display\s*:\s*none"),
    re.compile(r"DISPLAY\s*:\s*(?:none|NONE)"),
    re.compile(r"visibility\s*:\s*hidden"),
    re.compile(r"VISIBILITY\s*:\s*(?:hidden|HIDDEN)"),
    re.compile(r"hidden(?=[\s>/=])"),
)
_NAME = re.compile(r"<([a-zA-Z][a-zA-Z0-9:]{0,15})")
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
_PRE = re.compile(r"(<(?:pre|textarea|xmp)\b[^<>]*>)", re.IGNORECASE)
_PRE_END = re.compile(r"</(?:pre|textarea|xmp)", re.IGNORECASE)
_BREAK = re.compile(
    r"<(?:br|/?(?:p|div|tr|table|ul|ol|li|dl|dt|dd|h[1-6]|hr|blockquote|pre|form|section|article|header|footer|center|address|option))"
    r"(?=[\s>/])[^<>]*>",
    re.IGNORECASE,
)
_CELL = re.compile(r"</t[dh]\s*>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z!?][^<>]*>")
_CUT_TAG = re.compile(r"</?[a-zA-Z!?]")
# A tag and its name. Where every "<" begins one, they are all that `_BREAK`, `_CELL` and `_TAG` can find.
_NAMED_TAG = re.compile(r"<(/[a-zA-Z!?][^\s>/]{0,40}(?=\s*>)|[a-zA-Z!?][^\s>/]{0,40})[^>]*>")
_PREFORMATTED = ("pre", "PRE", "textarea")
_BLANK_LINES = re.compile("\n\n\n+")
# Beyond seven digits there is no character, and int() of very long numbers is slow or refuses.
_LONG_NUMBER = re.compile(r"&#[0-9]{8,};?")
_META_CHARSET = re.compile(rb"<meta[^<>]{0,200}charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)


def declared_charset(data: bytes) -> str:
    """The charset a meta element near the top states, else ""."""
    match = _META_CHARSET.search(data, 0, 4096)
    return match[1].decode("ascii") if match else ""


def html_to_text(html: str) -> str:
    """The readable text, a line a block element, blank lines only single."""
    html = _drop_regions(html)
    hiding = _hiding_places(html)
    if hiding:
        html = _drop_hidden(html, hiding)
    text = _without_named(" ".join(html.split()))
    if text is None:
        text = _without_tags(html)
    if "&" in text:
        text = unescape(_LONG_NUMBER.sub("\ufffd", text) if "&#" in text else text)
    return _tidy(text)


def _without_named(html: str) -> str | None:
    """Tags taken for what they stand for, in one pass; None when not each "<" is a plain tag's, or lines must stay."""
    if html.rfind("<") > html.rfind(">"):
        return None
    pieces = _NAMED_TAG.split(html)
    names = set(pieces[1::2])
    if len(pieces) // 2 != html.count("<") or any(name.startswith(_PREFORMATTED) for name in names):
        return None
    meanings = {name: _meaning(name) for name in names}
    pieces[1::2] = map(meanings.__getitem__, pieces[1::2])
    return "".join(pieces)


@lru_cache(maxsize=512)
def _meaning(name: str) -> str:
    tag = f"<{name}>"
    return "\n" if _BREAK.match(tag) else " \t" if _CELL.match(tag) else ""


def _without_tags(html: str) -> str:
    """The same for any HTML: what one tag leaves behind may be part of another."""
    if "<pre" in html or "<PRE" in html or "<textarea" in html:
        html = _keep_lines(html)
    html = " ".join(html.split())
    last = html.rfind("<")
    if last > html.rfind(">") and _CUT_TAG.match(html, last):
        html = html[:last]
    return _TAG.sub("", _CELL.sub(" \t", _BREAK.sub("\n", html)))


def _tidy(text: str) -> str:
    lines = map(str.strip, text.replace("\xa0", " ").split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip("\n")


def _drop_regions(html: str) -> str:
    """Without comments, styles and scripts. One that is never closed loses its tag only, so that no text is lost to a
    mistake.
    """
    out: list[str] = []
    position = 0
    endless: set[str] = set()
    for match in _DROP_START.finditer(html):
        if match.start() < position:
            continue
        kind = (match[1] or "--").lower()
        end = -1 if kind in endless else _region_end(html, match.end(), kind)
        if end < 0:
            endless.add(kind)
            end = match.end()
        out.append(html[position : match.start()])
        position = end
    if not position:
        return html
    out.append(html[position:])
    return " ".join(out)


def _region_end(html: str, start: int, kind: str) -> int:
    """The offset after the region's end; -1 when it has none."""
    if kind == "--":
        end = html.find("-->", start - 2)
        return end + 3 if end >= 0 else -1
    position = html.find("</", start)
    while position >= 0:
        if html[position + 2 : position + 2 + len(kind)].lower() == kind:
            close = html.find(">", position)
            return close + 1 if close >= 0 else len(html)
        position = html.find("</", position + 2)
    return -1


def _hiding_places(html: str) -> list[tuple[int, int]]:
    """Start and end of whatever hides the element in whose tag it stands, in order."""
    last = len(_HIDING) - 1
    return sorted(
        match.span()
        for number, pattern in enumerate(_HIDING)
        for match in pattern.finditer(html)
        if number < last or html[match.start() - 1].isspace()
    )


def _drop_hidden(html: str, hiding: list[tuple[int, int]]) -> str:
    """Without hidden elements; one whose end is not found stays, and so do all later ones of its name."""
    out: list[str] = []
    position = 0
    endless: set[str] = set()
    seen = 0
    for start, stop in hiding:
        opened = html.rfind("<", max(position, seen), start)
        seen = start
        if start < position or opened < 0 or html.find(">", opened, start) >= 0:
            continue
        name = _NAME.match(html, opened)
        if name is None or name[1].lower() in _VOID or name[1].lower() in endless:
            continue
        end = _element_end(html, stop, name[1].lower())
        if end < 0:
            endless.add(name[1].lower())
            continue
        out.append(html[position:opened])
        position = end
    out.append(html[position:])
    return " ".join(out)


@lru_cache(maxsize=64)
def _open_or_close(name: str) -> re.Pattern[str]:
    return re.compile(rf"<(/?){re.escape(name)}(?=[\s>/])", re.IGNORECASE)


def _element_end(html: str, start: int, name: str) -> int:
    """The offset after the close tag that matches an open tag of this name before `start`; -1 when there is none."""
    depth = 1
    for match in _open_or_close(name).finditer(html, start):
        depth += -1 if match[1] else 1
        if not depth:
            close = html.find(">", match.end())
            return close + 1 if close >= 0 else len(html)
    return -1


def _keep_lines(html: str) -> str:
    """Line ends inside preformatted elements become breaks, before all white space is folded."""
    pieces = _PRE.split(html)
    out = [pieces[0]]
    for tag, rest in zip(pieces[1::2], pieces[2::2], strict=True):
        end = _PRE_END.search(rest)
        stop = end.start() if end else len(rest)
        out += (tag, rest[:stop].replace("\r\n", "\n").replace("\n", "<br>"), rest[stop:])
    return "".join(out)
