"""One CSS declaration: kept, bounded or dropped. No function but a colour's, no address, no length beyond a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import tinycss2
from tinycss2.serializer import serialize_identifier

from exporters.rendition import colours
from exporters.rendition.selectors import names

DECLARATIONS = 80
"""Declarations kept of one rule or one style attribute."""
VALUE = 400
"""Characters of a longer value are not looked at; real ones (font lists) have under 200."""

# Pixels of a unit (CSS Values 3, section 6); of the relative ones what they come to with the usual 16 px font.
_PIXELS = {"px": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 37.8, "mm": 3.78, "q": 0.945}
_PIXELS |= {"em": 16.0, "rem": 16.0, "ex": 8.0, "ch": 8.0}
_COLOURS = frozenset(["rgb", "rgba", "hsl", "hsla"])
_IDENT = re.compile(r"[a-z][a-z0-9-]{0,40}\Z", re.IGNORECASE)
_FAMILY = re.compile(r"[\w .,&+@'()-]{1,80}\Z")
_HEX = re.compile(r"(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})\Z")

_SIDES = ("top", "right", "bottom", "left")
_SIZE = (0.0, 2000.0)
_SPACE = (0.0, 200.0)
_MARGIN = (-4.0, 200.0)  # the gaps between inline blocks are taken back so; nothing further may be pulled over anything
_LINE = (0.0, 50.0)
# Property -> the least and the greatest length in pixels; a value outside is dropped or, where `_CLAMPED`, bounded.
_LIMITS: dict[str, tuple[float, float]] = {
    "width": _SIZE,
    "min-width": (0.0, 640.0),
    "max-width": _SIZE,
    "height": (0.0, 1000.0),
    "min-height": (0.0, 1000.0),
    "font-size": (0.0, 200.0),
    "font": (0.0, 1000.0),
    "font-weight": (1.0, 1000.0),
    "line-height": (0.0, 200.0),
    "letter-spacing": (-3.0, 20.0),
    "word-spacing": (0.0, 50.0),
    "text-indent": (-50.0, 200.0),
    "vertical-align": (-50.0, 50.0),
    "border-spacing": _LINE,
    "border-radius": (0.0, 500.0),
    "margin": _MARGIN,
    "padding": _SPACE,
    "border": _LINE,
    "border-width": _LINE,
}
_LIMITS |= {f"padding-{side}": _SPACE for side in _SIDES} | {f"margin-{side}": _MARGIN for side in _SIDES}
_LIMITS |= {f"border-{side}{part}": _LINE for side in _SIDES for part in ("", "-width")}
_LIMITS |= {f"border-{row}-{side}-radius": (0.0, 500.0) for row in ("top", "bottom") for side in ("left", "right")}
_WORDS = names(
    "color background-color font-style font-variant font-family text-align text-decoration text-decoration-line "
    "text-decoration-color text-decoration-style text-transform display float clear direction visibility white-space "
    "word-break list-style list-style-type list-style-position box-sizing border-collapse border-style border-color "
    "table-layout caption-side empty-cells"
) | {f"border-{side}-{part}" for side in _SIDES for part in ("style", "color")}
_BOUNDED = ("margin", "padding", "border", "width", "max-width", "min-width")
_CLAMPED = frozenset(name for name in _LIMITS if name.startswith(_BOUNDED))
_PERCENT = {"line-height": 400.0, "font-size": 300.0, "font": 400.0}
_NUMBER = {"line-height": 4.0}
_DISPLAY = {"flex": "block", "grid": "block", "flow-root": "block", "-webkit-box": "block", "-webkit-flex": "block"}
_DISPLAY |= {"inline-flex": "inline-block", "inline-grid": "inline-block", "contents": "inline", "-ms-flexbox": "block"}
_DISPLAYS = frozenset(["none", "block", "inline", "inline-block", "list-item", "table", "inline-table"])
_SPACES = {"nowrap": "normal", "pre": "pre-wrap", "break-spaces": "pre-wrap"}
_ENUMS: dict[str, frozenset[str]] = {
    "float": frozenset(["left", "right", "none"]),
    "clear": frozenset(["left", "right", "both", "none"]),
    "word-break": frozenset(["normal", "break-all", "break-word"]),
    "white-space": frozenset(["normal", "pre-wrap", "pre-line"]),
    "direction": frozenset(["ltr", "rtl"]),
}

Declaration = tuple[str, str, bool]
"""Property, value, whether it is important."""


def filtered(declarations: Iterable[Declaration]) -> list[str]:
    """The declarations that may stay, as CSS; what hid its element from a reader goes on hiding it."""
    kept, hidden = [], False
    flat = clipped = False
    for number, (name, value, important) in enumerate(declarations):
        if number >= DECLARATIONS:
            break
        name = name.lower()
        found = keep(name, value)
        if found:
            kept.append(f"{found} !important" if important else found)
        elif name in ("max-height", "overflow", "overflow-y", "opacity"):
            word = value.strip().lower()
            clipped = clipped or (name.startswith("overflow") and word in ("hidden", "clip"))
            flat = flat or (name == "max-height" and _zero(word))
            hidden = hidden or (name == "opacity" and _zero(word))
        flat = flat or (name in ("height", "width", "max-width") and _zero(value.strip()))
    if flat and clipped:
        kept.append("display:none !important")
    elif hidden:
        kept.append("visibility:hidden")
    return kept


def _zero(value: str) -> bool:
    return bool(re.fullmatch(r"0*\.?0*(?:px|pt|em|%)?", value)) and "0" in value


@lru_cache(maxsize=8192)
def keep(name: str, value: str) -> str:
    """`name:value` as it may stand in our style sheet, or ""."""
    if len(value) > VALUE:
        return ""
    if name == "background" or (name == "background-image" and "gradient" in value):
        colour = _background(tinycss2.parse_component_value_list(value, skip_comments=True))
        return f"background-color:{colour}" if colour else ""
    if name not in _LIMITS and name not in _WORDS:
        return ""
    tokens = tinycss2.parse_component_value_list(value, skip_comments=True)
    written = _family(tokens) if name == "font-family" else _written(name, tokens)
    if name == "display":
        written = _display(written.lower() or value.strip().lower())
    elif name == "white-space":
        written = _SPACES.get(written.lower(), written)
    if name in _ENUMS and written.lower() not in _ENUMS[name]:
        return ""
    return f"{name}:{written}" if written else ""


def _display(word: str) -> str:
    word = _DISPLAY.get(word, word)
    return word if word in _DISPLAYS or re.fullmatch(r"table-[a-z-]{3,20}", word) else ""


def _written(name: str, tokens: Sequence[Any]) -> str:
    """The value written anew from its tokens; "" as soon as one is not allowed."""
    parts = []
    for token in tokens:
        part = _token(name, token)
        if part is None:
            return ""
        parts.append(part)
    return "".join(parts).strip()


def _token(name: str, token: Any) -> str | None:
    kind = token.type
    if kind == "whitespace":
        return " "
    if kind == "ident":
        if name == "font":
            return _family_name(token.value)
        word = token.lower_value
        return colours.named(word) if _IDENT.match(word) else None
    if kind in ("number", "percentage", "dimension"):
        return _amount(name, token)
    if kind == "literal":
        return token.value if token.value in ",/" else None
    if kind == "string":
        return f"'{token.value}'" if name == "font" and _plain_family(token.value) else None
    return colour(token) or None


def _amount(name: str, token: Any) -> str | None:
    """A number within what its property bears. None drops the whole declaration."""
    value, kind = token.value, token.type
    low, high = _LIMITS.get(name, (0.0, 0.0))
    if kind == "percentage":
        limit = _PERCENT.get(name, 100.0)
        return f"{min(value, limit):g}%" if 0 <= value <= 1e6 else None
    unit = "" if kind == "number" else token.lower_unit
    pixels = value if not unit else value * _PIXELS.get(unit, float("nan"))
    if not unit and name in _NUMBER:
        return f"{value:g}" if 0 <= value <= _NUMBER[name] else None
    if low <= pixels <= high:
        return f"{value:g}{unit}"
    return f"{high:g}px" if pixels > high and name in _CLAMPED and unit else None


def _family(tokens: Sequence[Any]) -> str:
    """A font list: names of any script, quoted anew."""
    families: list[str] = []
    words: list[str] = []
    for token in [*tokens, None]:
        if token is None or (token.type == "literal" and token.value == ","):
            if words:
                families.append(" ".join(words))
            words = []
        elif token.type == "string" and _plain_family(token.value):
            words = [f"'{token.value}'"]
        elif token.type == "ident" and (name := _family_name(token.value)):
            words.append(name)
        elif token.type != "whitespace":
            words = []
    return ",".join(families[:8])


def _plain_family(name: str) -> bool:
    return bool(_FAMILY.match(name)) and "'" not in name


def _family_name(name: str) -> str | None:
    return serialize_identifier(name) if _FAMILY.match(name) and not name.startswith("-") else None


def colour(token: Any) -> str:
    """The colour a token names, or ""."""
    if token.type == "hash":
        return f"#{token.value}" if _HEX.match(token.value) else ""
    if token.type == "ident":
        word = token.lower_value
        return colours.named(word) if re.fullmatch(r"[a-z]{3,22}", word) else ""
    if token.type != "function" or token.lower_name not in _COLOURS:
        return ""
    parts = []
    for argument in token.arguments:
        if argument.type in ("number", "percentage") and abs(argument.value) <= 1000:
            parts.append(f"{argument.value:g}{'%' if argument.type == 'percentage' else ''}")
        elif argument.type == "whitespace" or (argument.type == "literal" and argument.value in ",/"):
            parts.append(argument.value)
        else:
            return ""
    return f"{token.lower_name}({''.join(parts)})"


_NO_COLOUR = names(
    "none repeat no-repeat repeat-x repeat-y scroll fixed local center top bottom left right cover contain "
    "auto initial inherit unset round space to"
)


def _background(tokens: Sequence[Any], inside: bool = False) -> str:
    """The colour of a background; of a gradient its first, so that light text on it stays readable."""
    fallback = ""
    for token in tokens:
        if token.type == "ident" and token.lower_value in _NO_COLOUR:
            continue
        found = colour(token)
        if colours.known(found):
            return found
        if not inside and token.type == "function" and token.lower_name.endswith("gradient") and not fallback:
            fallback = _background(token.arguments, inside=True)
    return fallback
