"""The CSS of a mail: its style sheets and style attributes, cut down to what is safe to lay out.

Rules are parsed one by one behind a cache: the messages of one sender bring the same ones again and again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from exporters.rendition.css_values import Declaration, filtered
from exporters.rendition.selectors import Selector, parse_prelude

SHEET = 300_000
"""Characters of style sheets looked at."""
RULES = 2000
"""Rules looked at; what is over is dropped and noted."""
PAIRS = 60_000
"""Declarations looked at in the style attributes of one message."""
_DEEP = 3  # @media inside @media
_WIDE = 1100.0  # pixels: a mail is shown as on a screen with a keyboard; narrower is what telephones get

# What matters to cutting a sheet into rules: comments, strings, braces, semicolons. A quote without an end runs to the
# end of its line (CSS Syntax 3 section 4.3.5).
_MARK = re.compile(r"/\*.*?(?:\*/|\Z)|\"(?:[^\"\\\n]|\\.)*\"?|'(?:[^'\\\n]|\\.)*'?|\\.|[{};]|<!--|-->", re.DOTALL)
_SIMPLE = re.compile(r"[^\"'()\\{}\[\]/*!@<]*\Z")
_IMPORTANT = re.compile(r"\s*!\s*important\s*\Z", re.IGNORECASE)
_MEDIA = re.compile(r"(?:only\s+)?(all|screen|print)?\s*(.*)\Z", re.IGNORECASE | re.DOTALL)
_WIDTH = re.compile(
    r"(?:and\s*)?\(\s*(min|max)-(?:device-)?width\s*:\s*([0-9.]{1,8})(px|em|rem)\s*\)\s*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that may stay. floats: it makes its elements shrink to fit, which costs more with every level; aligns: it
    says how their text is aligned."""

    selectors: tuple[Selector, ...]
    declarations: str
    floats: bool
    aligns: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rules of a mail in their order. capped: there were more."""

    rules: tuple[Rule, ...] = ()
    capped: bool = False

    def floating(self) -> frozenset[str]:
        """The tags, ".classes" and "#ids" a rule makes float: for each, the narrowest name the rule says."""
        return self._styled(rule for rule in self.rules if rule.floats)

    def aligning(self) -> frozenset[str]:
        """Likewise what a rule aligns."""
        return self._styled(rule for rule in self.rules if rule.aligns)

    @staticmethod
    def _styled(rules: Iterable[Rule]) -> frozenset[str]:
        return frozenset(selector.last[-1] for rule in rules for selector in rule.selectors)

    def css(self, used: Collection[str]) -> str:
        """The rules as CSS, without those that need a tag, class or id which is not in `used`."""
        lines = []
        for rule in self.rules:
            matching = [selector.css for selector in rule.selectors if all(name in used for name in selector.needs)]
            if matching:
                lines.append(f"{','.join(matching)}{{{rule.declarations}}}")
        return "\n".join(lines)


def sheet(texts: Iterable[str]) -> Sheet:
    """The style sheets of a mail as one. Never raises."""
    rules: list[Rule] = []
    left, count, capped = SHEET, 0, False
    for text in texts:
        capped = capped or len(text) > left
        text, left = text[:left], max(left - len(text), 0)
        for prelude, body in _flat(text):
            count += 1
            if count > RULES:
                return Sheet(tuple(rules), capped=True)
            rule = _rule(prelude, body) if len(body) < 20_000 and len(prelude) < 4000 else None
            if rule:
                rules.append(rule)
    return Sheet(tuple(rules), capped)


@lru_cache(maxsize=4096)
def _rule(prelude: str, body: str) -> Rule | None:
    selectors = parse_prelude(prelude)
    kept = filtered(declarations(body)) if selectors else []
    return Rule(tuple(selectors), ";".join(kept), floating(kept), aligning(kept)) if kept else None


def floating(kept: Iterable[str]) -> bool:
    """Whether declarations make an element a float or an inline block."""
    return any(part.startswith(("float:left", "float:right", "display:inline-", "display:table")) for part in kept)


def aligning(kept: Iterable[str]) -> bool:
    """Whether declarations say how text is aligned."""
    return any(part.startswith("text-align:") for part in kept)


@lru_cache(maxsize=4096)
def inline(style: str) -> tuple[str, ...]:
    """What may stay of a style attribute, a declaration each."""
    return tuple(filtered(declarations(style)))


def declarations(text: str) -> Iterator[Declaration]:
    """The declarations of a rule or a style attribute, unfiltered."""
    if _SIMPLE.match(text):
        for part in text.split(";"):
            name, colon, value = part.partition(":")
            if colon:
                yield name.strip(), value.strip(), False
        return
    for begin, end in _parts(text):
        name, colon, value = text[begin:end].partition(":")
        name = re.sub(r"/\*.*?\*/", "", name, flags=re.DOTALL).strip()
        if colon and len(value) < 5000:
            important = _IMPORTANT.search(value) if "!" in value else None
            yield name, value[: important.start()].strip() if important else value.strip(), bool(important)


def _parts(text: str) -> Iterator[tuple[int, int]]:
    """Between the semicolons outside strings and brackets."""
    begin = depth = 0
    for mark in re.finditer(
        r"/\*.*?(?:\*/|\Z)|\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?|\\.|[()\[\]{};]", text, re.DOTALL
    ):
        sign = mark[0]
        if sign == ";" and depth <= 0:
            yield begin, mark.start()
            begin = mark.end()
        elif sign in ("(", "[", "{"):
            depth += 1
        elif sign in (")", "]", "}"):
            depth -= 1
    yield begin, len(text)


def _flat(text: str, level: int = 0) -> Iterator[tuple[str, str]]:
    """Prelude and body of every rule; those of an @media block that holds for us stand in its place."""
    for prelude, body in _blocks(text):
        if not prelude.startswith("@"):
            yield prelude, body
        elif prelude[:6].lower() == "@media" and level < _DEEP and holds(prelude[6:]):
            yield from _flat(body, level + 1)


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """The text before each outermost pair of braces and the text in it; statements without braces are left out."""
    begin = depth = opened = 0
    prelude = ""
    for mark in _MARK.finditer(text):
        sign = mark[0]
        if sign == "{":
            if depth == 0:
                prelude, opened = text[begin : mark.start()], mark.end()
            depth += 1
        elif sign == "}":
            depth -= 1
            if depth == 0:
                yield _uncommented(prelude), text[opened : mark.start()]
            depth, begin = max(depth, 0), mark.end() if depth <= 0 else begin
        elif depth == 0 and sign in ("<!--", "-->", ";"):  # what ends with a semicolon here is a statement like @import
            begin = mark.end()
    if depth > 0:
        yield _uncommented(prelude), text[opened:]


def _uncommented(text: str) -> str:
    return re.sub(r"/\*.*?(?:\*/|\Z)", " ", text, flags=re.DOTALL).strip() if "/*" in text else text.strip()


def holds(query: str) -> bool:
    """Whether an @media query holds for print and a wide screen: only media types and widths are understood."""
    return any(_holds(part.strip()) for part in query.split(",")[:20])


def _holds(query: str) -> bool:
    found = _MEDIA.match(query)
    if not query or not found:
        return False
    rest = found[2].strip()
    while rest:
        width = _WIDTH.match(rest)
        if not width:
            return False
        pixels = float(width[2] if width[2].count(".") < 2 and width[2] != "." else "nan")
        pixels *= 1 if width[3].lower() == "px" else 16
        if not (pixels <= _WIDE if width[1].lower() == "min" else pixels >= _WIDE):
            return False
        rest = rest[width.end() :]
    return bool(found[1] or found[2])
