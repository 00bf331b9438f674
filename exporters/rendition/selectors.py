"""CSS selectors of a mail, written anew so that they reach its own body and nothing else.

Every class and id of a mail gets a prefix, in its selectors as in its HTML: so neither can a mail style the page around
it, nor the page's rules fall on a mail that happens to use the same names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import tinycss2
from tinycss2.serializer import serialize_identifier, serialize_string_value


def names(text: str) -> frozenset[str]:
    """A set of words, as tables of this package are written."""
    return frozenset(text.split())


BOX = "mailark-body"
"""Class of the element that holds a mail's body; every selector begins with it."""
PREFIX = "m-"
COMPOUNDS = 6
"""Parts of one selector; matching descendants costs the depth to the power of their number."""
_NAME = re.compile(r"[\w-]{1,80}\Z")
_TYPE = re.compile(r"[a-z][a-z0-9]{0,14}\Z")
# Attributes that are left in the HTML, so that selectors on them still mean what they meant.
_ATTRIBUTES = names(
    "class id href align valign width height bgcolor border color size face type alt src dir cellpadding "
    "cellspacing colspan rowspan start lang"
)
_OPERATORS = frozenset(["=", "~=", "|=", "^=", "$=", "*="])


@dataclass(frozen=True, slots=True)
class Selector:
    """One selector. needs: the tags, ".classes" and "#ids" without which it matches nothing; last: those of the
    element that it styles, the type or "*" first."""

    css: str
    needs: frozenset[str]
    last: tuple[str, ...]


def scoped(prelude: Sequence[Any]) -> list[Selector]:
    """The selectors of a rule that can be kept, one for each part between commas."""
    found = (_selector(part) for part in _between_commas(prelude))
    return [selector for selector in found if selector]


def class_name(name: str) -> str:
    """A mail's class or id as we write it, or ""."""
    return PREFIX + name if _NAME.match(name) else ""


def _between_commas(tokens: Sequence[Any]) -> Iterator[list[Any]]:
    part: list[Any] = []
    for token in tokens:
        if token.type == "literal" and token.value == ",":
            yield part
            part = []
        elif token.type != "comment":
            part.append(token)
    yield part


@dataclass(slots=True)
class _Compound:
    """`td.name#id[attribute]`: the parts for one element, and what joins it to the element before."""

    combinator: str
    type: str = ""
    rest: str = ""
    names: tuple[str, ...] = ()


def _selector(tokens: Sequence[Any]) -> Selector | None:
    compounds = _compounds(tokens)
    if not compounds or len(compounds) > COMPOUNDS:
        return None
    if compounds[0].type == "html" and not compounds[0].rest and len(compounds) > 1:
        compounds = compounds[1:]
    first = compounds[0]
    boxed = first.type in ("html", "body")
    if any(compound.type in ("html", "body") for compound in compounds[1:]):
        return None
    css = f".{BOX}{first.rest}" if boxed else f".{BOX} {first.type}{first.rest}"
    css += "".join(f"{part.combinator}{part.type}{part.rest}" for part in compounds[1:])
    needs = {name for part in compounds for name in (part.type, *part.names) if name not in ("", "*", "html", "body")}
    final = compounds[-1]
    last = (BOX,) if boxed and len(compounds) == 1 else (final.type or "*", *final.names)
    return Selector(css, frozenset(needs), last)


def _compounds(tokens: Sequence[Any]) -> list[_Compound] | None:
    """The compounds, the first without a combinator; None when any part is of a kind that is not kept."""
    found: list[_Compound] = []
    combinator, fresh = "", True
    index = 0
    while index < len(tokens):
        token = tokens[index]
        index += 1
        if token.type == "whitespace":
            combinator, fresh = combinator or " ", True
            continue
        if token.type == "literal" and token.value in ">+":
            if not found or combinator.strip():
                return None
            combinator, fresh = token.value, True
            continue
        if fresh:
            found.append(_Compound(combinator if found else ""))
            combinator, fresh = "", False
        after = tokens[index] if index < len(tokens) else None
        used = _extend(found[-1], token, after)
        if not used:
            return None
        index += used - 1
    return None if combinator.strip() else found


def _extend(compound: _Compound, token: Any, after: Any) -> int:
    """Add a simple selector to `compound`; how many tokens it took, 0 when it cannot be kept."""
    if token.type == "ident" and not compound.type and not compound.rest:
        compound.type = token.lower_value
        return 1 if _TYPE.match(compound.type) else 0
    if token.type == "hash" and _NAME.match(token.value):
        compound.rest += "#" + serialize_identifier(PREFIX + token.value)
        compound.names += ("#" + token.value,)
        return 1
    if token.type == "[] block":
        written = _attribute([part for part in token.content if part.type != "whitespace"])
        compound.rest += written
        return 1 if written else 0
    if token.type != "literal":
        return 0
    if token.value == "*" and not compound.type and not compound.rest:
        compound.type = "*"
        return 1
    if after is None or after.type != "ident":
        return 0
    if token.value == "." and _NAME.match(after.value):
        compound.rest += "." + serialize_identifier(PREFIX + after.value)
        compound.names += ("." + after.value,)
        return 2
    if token.value == ":" and after.lower_value == "link":  # the one pseudo-class that says something on paper
        compound.rest += "[href]"
        return 2
    return 0


def _attribute(tokens: Sequence[Any]) -> str:
    """`[name]` or `[name=value]` on an attribute that is left in the HTML, else ""."""
    if not tokens or tokens[0].type != "ident" or tokens[0].lower_value not in _ATTRIBUTES:
        return ""
    name = tokens[0].lower_value
    if len(tokens) == 1:
        return f"[{name}]"
    if len(tokens) != 3 or tokens[1].type != "literal" or tokens[1].value not in _OPERATORS:
        return ""
    operator, value = tokens[1].value, tokens[2]
    if value.type not in ("ident", "string") or len(value.value) > 80 or "<" in value.value:
        return ""
    prefixed = name in ("class", "id") and operator not in ("$=", "*=")
    text = " ".join(PREFIX + word for word in value.value.split()) if prefixed else value.value
    return f'[{name}{operator}"{serialize_string_value(text)}"]'


def parse_prelude(text: str) -> list[Selector]:
    """The selectors of the text before a rule's brace."""
    return scoped(tinycss2.parse_component_value_list(text.strip(), skip_comments=True))
