"""HTML cut into tags and text, in one pass over it, as browsers cut it (HTML Living Standard 13.2.5).

Comments, declarations and processing instructions are left out; Word's conditional comments hide what they hide in
every reader but Word. An end that is missing never hides more than it does in a browser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape

from exporters.rendition.elements import RAW, WITH_CONTENT

_OPEN = re.compile(r"<(?:(/?)([a-zA-Z][^\s/>]*)|!--|[!?/])")
_COMMENT_END = re.compile(r"--!?>")
_ATTRIBUTE = re.compile(
    r"[\s/]*+(?:(>)|([^\s/>][^\s/>=]*+)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>\"'][^\s>]*+)))?)"
)
_LONG_NUMBER = re.compile(r"&#0*[0-9]{8,};?")
_TAG = re.compile(r"<[^<>]*>")
_ATTRIBUTES = 200  # looked at in one tag
TOKENS = 250_000
"""Tags and texts looked at; what is beyond stays as text."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of HTML. kind: "text", "start", "end", "style" (content of a style element), "dropped" (an element that
    went with its content) or "rest" (text of all that is beyond `TOKENS`). name: of the tag, lower case. text:
    unescaped, of text and style."""

    kind: str
    name: str = ""
    text: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


def tokens(html: str) -> Iterator[Token]:
    """The tags and texts of `html` in their order."""
    ends = _Ends(html)
    place = count = 0
    while place < len(html):
        count += 1
        if count > TOKENS:
            yield Token("rest", text=_unescaped(_TAG.sub(" ", html[place:])))
            return
        found = _OPEN.search(html, place)
        if not found:
            yield Token("text", text=_unescaped(html[place:]))
            return
        if found.start() > place:
            yield Token("text", text=_unescaped(html[place : found.start()]))
        if not found[2]:
            place = _after_comment(html, found)
            continue
        name = found[2].lower()
        given, place = _attributes(html, found.end())
        if found[1]:
            yield Token("end", name)
        elif name in WITH_CONTENT and (name in RAW or ends.after(name, place)):
            begin, place = place, ends.after(name, place) or len(html)
            kind, text = ("style", html[begin:place]) if name == "style" else ("dropped", "")
            yield Token(kind, name, text, given)
        elif name not in WITH_CONTENT:
            yield Token("start", name, attributes=given)


def _after_comment(html: str, found: re.Match[str]) -> int:
    """Where what is no tag ends: a comment, a declaration, a closing tag without a name."""
    if found[0] == "<!--":
        end = _COMMENT_END.search(html, found.start() + 2)
        return end.end() if end else len(html)
    return (html.find(">", found.start()) + 1) or len(html)


def _attributes(html: str, place: int) -> tuple[dict[str, str], int]:
    """The attributes of the tag whose name ends at `place`, the first of each name, and where the tag ends."""
    given: dict[str, str] = {}
    while True:
        found = _ATTRIBUTE.match(html, place)
        if not found:
            return given, len(html)
        place = found.end()
        if found[1]:
            return given, place
        name = found[2].lower()
        if name not in given and len(given) < _ATTRIBUTES:
            value = found[3] if found[3] is not None else found[4] if found[4] is not None else found[5] or ""
            given[name] = _unescaped(value)


def _unescaped(text: str) -> str:
    """Character references resolved; numbers beyond any character are cut first, int() refuses very long ones."""
    if "&" not in text:
        return text
    return unescape(_LONG_NUMBER.sub("\ufffd", text))


class _Ends:
    """Where the end tags are of the elements that go with their content, each name found once."""

    def __init__(self, html: str) -> None:
        self._html = html
        self._none: set[str] = set()

    def after(self, name: str, place: int) -> int:
        """Where the first `</name` from `place` on begins, 0 if there is none."""
        if name in self._none:
            return 0
        found = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(self._html, place)
        if not found:
            self._none.add(name)
        return found.start() if found else 0
