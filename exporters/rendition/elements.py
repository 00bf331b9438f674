"""Which elements and attributes of a mail are laid out, and with which values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from exporters.rendition.selectors import class_name, names

INLINE = names(
    "a abbr acronym b big cite code del dfn em font i ins kbd mark q rp rt ruby s samp small span strike "
    "strong sub sup time tt u var bdi"
)
BLOCK = names(
    "address article aside blockquote center dd div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 header hr "
    "li main nav ol p pre section table ul"
)
PARTS = names("caption col colgroup tbody td tfoot th thead tr")
VOID = frozenset(["br", "col", "hr", "img", "wbr"])
KEPT = INLINE | BLOCK | PARTS | VOID
RENAMED = {"details": "div", "dir": "ul", "fieldset": "div", "form": "div", "legend": "div", "listing": "pre"}
RENAMED |= {
    "menu": "ul",
    "nobr": "span",
    "bdo": "span",
    "plaintext": "pre",
    "summary": "div",
    "xmp": "pre",
    "image": "img",
}
FORMATTING = names("a b big code em font i s small strike strong tt u")
"""Elements that an HTML parser opens again after a block ended without them (HTML Living Standard 13.2.4.3)."""
WITH_CONTENT = names(
    "applet audio canvas datalist frameset iframe math noembed noframes object script select style svg "
    "template textarea title video xml"
)
"""Elements whose content goes with them."""
RAW = frozenset(["script", "style", "title", "textarea", "iframe", "noembed", "noframes"])
"""Elements whose content is text whatever it looks like; without an end tag they reach to the end."""
SEEN = names("applet audio canvas frameset iframe math object select svg textarea video")
"""Those of `WITH_CONTENT` that a reader would have seen."""

COLSPAN, ROWSPAN = 60, 400
HREF = 4000
"""Characters of a longer link; it is left out."""

_ALIGN = frozenset(["left", "right", "center", "justify", "middle", "char"])
_VALIGN = frozenset(["top", "middle", "bottom", "baseline"])
_LENGTH = re.compile(r"\s*(\d{1,9})(?:\.\d{1,9})?\s*(%|px)?\s*;?\s*\Z", re.IGNORECASE)
_NUMBER = re.compile(r"\s*([+-]?\d{1,6})\s*\Z")
_COLOUR = re.compile(r"\s*(?:#?([0-9a-f]{6}|[0-9a-f]{3})|([a-z]{3,22}))\s*\Z", re.IGNORECASE)
_LANG = re.compile(r"(?:zh|ja|ko)(?:-[a-z]{2,8}){0,3}\Z", re.IGNORECASE)
_FACE = re.compile(r"[\w ,.'&+@-]{1,200}\Z")
_SCHEME = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
_SAFE = "!#$%&'()*+,/:;=?@[]~"

_LENGTHS: dict[str, tuple[int, frozenset[str]]] = {
    "width": (2000, frozenset(["table", "td", "th", "col", "hr", "colgroup"])),
    "height": (1000, frozenset(["table", "tr", "td", "th"])),
    "cellpadding": (100, frozenset(["table"])),
    "cellspacing": (100, frozenset(["table"])),
    "border": (30, frozenset(["table"])),
}
_NUMBERS: dict[tuple[str, str], tuple[int, int]] = {
    ("td", "colspan"): (1, COLSPAN),
    ("th", "colspan"): (1, COLSPAN),
    ("td", "rowspan"): (1, ROWSPAN),
    ("th", "rowspan"): (1, ROWSPAN),
    ("col", "span"): (1, COLSPAN),
    ("colgroup", "span"): (1, COLSPAN),
    ("ol", "start"): (-99999, 99999),
    ("li", "value"): (-99999, 99999),
    ("font", "size"): (-6, 7),
    ("hr", "size"): (0, 50),
}
_COLOURED = frozenset(["table", "tr", "td", "th", "tbody", "thead", "tfoot"])
_ALIGNED = names("p div table tr td th h1 h2 h3 h4 h5 h6 hr caption col")
_LISTS = {"ol": re.compile(r"[1aAiI]\Z"), "ul": re.compile(r"(?:disc|circle|square)\Z", re.IGNORECASE)}

ALLOWED: dict[str, set[str]] = {name: {"class", "id", "style", "dir", "lang", "align", "hidden"} for name in KEPT}
"""Tag -> attributes, the outer fence: the sanitising parser lets nothing else pass."""
for _name, (_, _tags) in _LENGTHS.items():
    for _tag in _tags:
        ALLOWED[_tag].add(_name)
for _tag, _name in _NUMBERS:
    ALLOWED[_tag].add(_name)
for _tag in _COLOURED:
    ALLOWED[_tag] |= {"bgcolor", "valign"}
ALLOWED["a"].add("href")
ALLOWED["font"] |= {"color", "face"}
ALLOWED["ol"].add("type")
ALLOWED["ul"].add("type")
ALLOWED["br"].add("clear")
ALLOWED["img"] |= {"src", "alt"}  # their size goes into their style


def attributes(tag: str, given: Mapping[str, str]) -> dict[str, str]:
    """The attributes that may stay, but for `style` and those of images; values within their bounds."""
    kept: dict[str, str] = {}
    for name, value in given.items():
        found = _value(tag, name, value)
        if found:
            kept[name] = found
    if "hidden" in given:
        kept["hidden"] = "hidden"
    return kept


def _value(tag: str, name: str, value: str) -> str:
    if name == "class":
        return " ".join(filter(None, map(class_name, value.split()[:20])))
    if name == "id":
        return class_name(value)
    if name not in ALLOWED[tag]:
        return ""
    if name in _LENGTHS:
        return length(value or "1" if name == "border" else value, _LENGTHS[name][0])
    if (tag, name) in _NUMBERS:
        return _number(value, *_NUMBERS[tag, name], signed=tag == "font")
    return _word(tag, name, value)


def _word(tag: str, name: str, value: str) -> str:
    word = value.strip().lower()
    if name == "align":
        return word if word in _ALIGN and (tag in _ALIGNED or tag == "img") else ""
    if name == "valign":
        return word if word in _VALIGN else ""
    if name in ("bgcolor", "color"):
        return colour(value)
    if name == "href":
        return link(value)
    if name == "dir":
        return word if word in ("ltr", "rtl", "auto") else ""
    if name == "lang":  # only where it chooses between the Han faces; Word writes EN-US over Chinese text
        return word if _LANG.match(word) else ""
    if name == "face":
        return value if _FACE.match(value) else ""
    if name == "type":
        return value if _LISTS[tag].match(value) else ""
    return word if name == "clear" and word in ("left", "right", "all", "both") else ""


def length(value: str, most: int) -> str:
    """A length attribute: pixels or per cent, no more than `most` pixels or 100 per cent; "" when it is none."""
    found = _LENGTH.match(value)
    if not found:
        return ""
    number = int(found[1])
    return f"{min(number, 100)}%" if found[2] == "%" else str(min(number, most))


def colour(value: str) -> str:
    """A colour attribute as `#rrggbb`, `#rgb` or a name."""
    found = _COLOUR.match(value)
    if not found:
        return ""
    return f"#{found[1].lower()}" if found[1] else found[2].lower()


def link(value: str) -> str:
    """The target of a link: http(s), mailto or tel, whatever else is quoted; "" otherwise."""
    value = re.sub(r"[\x00-\x20\x7f-\xa0]+", "", value)
    if len(value) > HREF or not _SCHEME.match(value):
        return ""
    return quote(value, safe=_SAFE, errors="replace")


def _number(value: str, low: int, high: int, signed: bool) -> str:
    found = _NUMBER.match(value)
    if not found:
        return ""
    number = min(max(int(found[1]), low), high)
    return f"{number:+d}" if signed and found[1][0] in "+-" else str(number)
