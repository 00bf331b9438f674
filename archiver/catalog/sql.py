"""The tree of a query -> a condition in SQL over `messages m` and its parameters. No value ever enters the SQL text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from archiver.catalog.intake import micros
from archiver.catalog.query import And, Attached, Dates, Header, Identified, Judged, Node, Not, Or, Placed, Size, Words
from archiver.catalog.schema import COLUMNS
from archiver.catalog.tokens import phrase
from archiver.labels import PREFIX, parted

Condition = tuple[str, list[object]]

# Gmail's folders whose messages have labels all lie below "[Gmail]" or "[Google Mail]", in every language.
_LABEL = "(p.folder IN (SELECT number FROM folders WHERE name LIKE '[G%mail]/%') AND labelled(p.flags, ?))"
_PLACE = {
    "account": r"p.folder IN (SELECT number FROM folders WHERE account LIKE ? ESCAPE '\')",
    "folder": rf"(p.folder IN (SELECT number FROM folders WHERE name LIKE ? ESCAPE '\') OR {_LABEL})",  # noqa: S608  (no value)
    "label": _LABEL,
    "flag": r"(p.flags LIKE '% ' || ? || ' %' ESCAPE '\' OR p.flags LIKE '% \\' || ? || ' %' ESCAPE '\')",
}


def condition(node: Node, zone: tzinfo | None) -> Condition:
    """What a row `m` must fulfil. `zone` is where the days of the query begin; None: where this machine is."""
    text = matching(node)
    if text is not None:
        return "m.number IN (SELECT rowid FROM texts WHERE texts MATCH ?)", [text]
    if isinstance(node, And):
        return _all(node, zone)
    if isinstance(node, Or):
        return _joined(" OR ", _grouped(node.items, Or), zone)
    if isinstance(node, Not):
        inner, values = condition(node.item, zone)
        return f"NOT ({inner})", values
    return _term(node, zone)


def matching(node: Node) -> str | None:
    """The FTS5 expression of a tree that asks for text alone; None for any other."""
    if isinstance(node, Words):
        return _match(node)
    if isinstance(node, And | Or) and node.items:
        parts = [matching(item) for item in node.items]
        if None in parts:
            return None
        return "(" + (" AND " if isinstance(node, And) else " OR ").join(filter(None, parts)) + ")"
    return None


def wanted(node: Node) -> str | None:
    """The FTS5 expression for any of the words asked for, by which relevance is measured; None if there are none."""
    found = list(_wanted(node))
    return " OR ".join(found) if found else None


def _wanted(node: Node) -> Iterable[str]:
    if isinstance(node, Words):
        yield _match(node)
    elif isinstance(node, And | Or):
        for item in node.items:
            yield from _wanted(item)


def _match(words: Words) -> str:
    found = phrase(words.value)
    if found is None:
        return '""'
    text, start = found
    column = f"{COLUMNS[words.field]} : " if words.field else ""
    return f'{column}"{text.replace(chr(34), " ")}"{" *" if start or words.start else ""}'


def _all(node: And, zone: tzinfo | None) -> Condition:
    """Words are one question to the index, and what is asked of places must be true of one and the same place."""
    if not node.items:
        return "TRUE", []
    places = [item for item in node.items if isinstance(item, Placed)]
    others = [item for item in node.items if not isinstance(item, Placed)]
    parts, values = _joined(" AND ", _grouped(others, And), zone) if others else ("", [])
    if places:
        placed, more = _placed(places)
        parts, values = f"{parts} AND {placed}" if parts else placed, [*values, *more]
    return parts, values


def _grouped(items: Iterable[Node], kind: type[And] | type[Or]) -> list[Node]:
    """The items with those that ask for text alone taken together."""
    items = list(items)
    text = [item for item in items if matching(item) is not None]
    rest = [item for item in items if matching(item) is None]
    return [*([kind(tuple(text)) if len(text) > 1 else text[0]] if text else []), *rest]


def _joined(word: str, nodes: list[Node], zone: tzinfo | None) -> Condition:
    parts = [condition(node, zone) for node in nodes]
    return "(" + word.join(part for part, _ in parts) + ")", [value for _, values in parts for value in values]


def _placed(terms: list[Placed]) -> Condition:
    parts = " AND ".join(_PLACE[term.field] for term in terms)
    values = [value for term in terms for value in _place_values(term)]
    return f"m.number IN (SELECT p.message FROM places p WHERE {parts})", list(values)  # noqa: S608  (of _PLACE)


def _place_values(term: Placed) -> list[str]:
    like = _pattern(term.pattern)
    values = {"account": [like], "folder": [like, term.pattern], "label": [term.pattern], "flag": [like, like]}
    return values[term.field]


@lru_cache(maxsize=16_384)
def labelled(*values: Any) -> bool:
    """Whether a label among the flags of a place fits the pattern: the function of this name in the conditions.

    Most messages have the same few sets of flags, so what was found is remembered.
    """
    flags, pattern = values
    if f" {PREFIX}" not in flags:
        return False
    fits = _wild(pattern).fullmatch
    return any(fits(label) or fits(label.removeprefix("\\")) for label in parted(flags.split())[1])


@lru_cache(maxsize=64)
def _wild(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(char) or re.escape(char) for char in pattern), re.IGNORECASE | re.DOTALL)


def _pattern(pattern: str) -> str:
    """LIKE's form of * and ?. (A system flag may be named without its backslash, hence the two patterns above.)"""
    for char in ("\\", "%", "_"):
        pattern = pattern.replace(char, "\\" + char)
    return pattern.replace("*", "%").replace("?", "_")


def _term(node: Node, zone: tzinfo | None) -> Condition:
    match node:
        case Placed():
            return _placed([node])
        case Size(larger, size):
            return f"m.size {'>' if larger else '<'} ?", [size]
        case Attached():
            return "m.attachments IS NOT NULL", []
        case Judged(method, result):
            return _judged(method, result)
        case Header(message_id):
            return "m.message_id = ?", [message_id]
        case Identified(prefix):
            return "m.id BETWEEN ? AND ?", list(span(prefix))
        case Dates(first, last):
            return _dates(first, last, zone)
    raise TypeError(node)


def _judged(method: str, result: str) -> Condition:
    """Verdicts are JSON lists, in whose texts a quotation mark is escaped: none can hold the beginning of another."""
    found = "instr(coalesce(m.verdicts, ''), ?)"
    if result == "none":
        return f"{found} = 0", [f'["{method}",']
    return f"{found} > 0", [f'["{method}","{result}",']


def span(prefix: str) -> tuple[bytes, bytes]:
    """The least and the greatest id that begin with these hexadecimal digits."""
    return bytes.fromhex(prefix.ljust(64, "0")), bytes.fromhex(prefix.ljust(64, "f"))


def _dates(first: date | None, last: date | None, zone: tzinfo | None) -> Condition:
    parts, values = ["m.moment IS NOT NULL"], []
    if first:
        parts.append("m.moment >= ?")
        values.append(_midnight(first, zone))
    if last and last < date.max:
        parts.append("m.moment < ?")
        values.append(_midnight(last + timedelta(days=1), zone))
    return " AND ".join(parts), list(values)


def _midnight(day: date, zone: tzinfo | None) -> int:
    start = datetime(day.year, day.month, day.day)
    try:
        return micros(start.replace(tzinfo=zone) if zone else start.astimezone())
    except (OverflowError, ValueError, OSError):  # years that this machine's time zone does not reach
        return micros(start)
