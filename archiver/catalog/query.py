"""The query language of search, export, rules and holds: text -> tree. Pure; raises nothing but ConfigError.

    contract 合同 "sales contract" PI-2024-0815 ship*     words, phrases, beginnings; all must occur
    from: to: cc: subject: filename: text:                a word or "phrase" in that part
    account: folder: flag: label:                         all of one and the same place; * and ? are wild
    date:2024  date:2024-08  date:2024-08-15  date:2024-01..2024-06  after:2024-03  before:2025
    larger:5M  smaller:200K  has:attachment  message-id:<a@b>  id:3f9c
    dkim:pass  arc:fail  dkim:not-checked  dkim:none      what a signature was worth when the message was archived
    a OR b · NOT a · -a · ( ) · AND                       NOT binds closest, then AND, then OR

A message of Gmail is in the folders its labels name: `folder:` finds these, too. System labels and flags may be named
without their backslash.

`after:` includes the day it names, `before:` does not; days are those of the reader's time zone. Outside quotes the
full-width （ ） ： “ ” ， ； and spaces count as their ASCII forms. `str()` of a tree is a query for the same tree.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import NoReturn

from archiver.catalog.terms import Attached, Dates, Header, Identified, Judged, Placed, Size, Term, Words, Wrong, term
from archiver.errors import ConfigError

LENGTH_LIMIT = 65_536
DEPTH_LIMIT = 50
TERM_LIMIT = 500

__all__ = [
    "And",
    "Attached",
    "Dates",
    "Header",
    "Identified",
    "Judged",
    "Node",
    "Not",
    "Or",
    "Placed",
    "Size",
    "Words",
    "parse",
]


@dataclass(frozen=True, slots=True)
class And:
    """All of `items`; no items: every message."""

    items: tuple[Node, ...]

    def __str__(self) -> str:
        return " ".join(f"({item})" if isinstance(item, Or) else str(item) for item in self.items)


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of `items`."""

    items: tuple[Node, ...]

    def __str__(self) -> str:
        return " OR ".join(str(item) for item in self.items)


@dataclass(frozen=True, slots=True)
class Not:
    """Everything but `item`."""

    item: Node

    def __str__(self) -> str:
        return f"NOT ({self.item})" if isinstance(self.item, And | Or) else f"NOT {self.item}"


Node = And | Or | Not | Term

_TOKEN = re.compile(
    r"""(?P<blank>[\s，；]+)
    | (?P<open>[(（]) | (?P<close>[)）])
    | (?P<minus>-(?=[^\s，；)）]))
    | (?:(?P<field>[A-Za-z][A-Za-z-]*)[:：](?!//))?
      (?: "(?P<plain>(?:[^"\\]|\\.)*+)"(?P<star>\*?) | [“”](?P<curly>[^“”]*+)[“”](?P<curlystar>\*?)
        | (?P<bare>[^\s()（）"“”，；]++) )?""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    """"(", ")", "-", "AND", "OR", "NOT", "term" or "end"."""
    at: int
    term: Term | None = None


def parse(text: str) -> Node:
    """The tree of a query; an empty one is every message. ConfigError shows the place of the mistake."""
    if len(text) > LENGTH_LIMIT:
        raise ConfigError(f"the query is longer than {LENGTH_LIMIT} characters")
    parser = _Parser(text, _tokens(text))
    return parser.whole()


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.end() == at:
            _fail(text, at, "a quotation mark is not closed")
        if found["blank"] is None:
            tokens.append(_token(text, at, found))
        at = found.end()
    if sum(one.kind == "term" for one in tokens) > TERM_LIMIT:
        raise ConfigError(f"the query has more than {TERM_LIMIT} terms")
    return [*tokens, _Token("end", len(text))]


def _token(text: str, at: int, found: re.Match[str]) -> _Token:
    for kind, group in (("(", "open"), (")", "close"), ("-", "minus")):
        if found[group]:
            return _Token(kind, at)
    field, bare = found["field"], found["bare"]
    if field is None and bare in ("AND", "OR", "NOT"):
        return _Token(bare, at)
    if bare is None and found["plain"] is None and found["curly"] is None:
        unclosed = text[found.end() : found.end() + 1] in ('"', "“", "”")
        _fail(text, found.end(), "a quotation mark is not closed" if unclosed else f"a value is missing after {field}:")
    if bare is not None:
        value, star = bare, False
    elif found["plain"] is not None:
        value, star = re.sub(r"\\(.)", r"\1", found["plain"], flags=re.DOTALL), bool(found["star"])
    else:
        value, star = found["curly"], bool(found["curlystar"])
    try:
        return _Token("term", at, term((field or "").lower(), value, quoted=bare is None, star=star))
    except Wrong as error:
        _fail(text, at + (len(field) + 1 if field and not error.field else 0), str(error))


class _Parser:
    """Recursive descent over the tokens; `depth` bounds the recursion."""

    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self.text, self.tokens, self.next, self.depth = text, tokens, 0, 0

    def whole(self) -> Node:
        if self.peek() == "end":
            return And(())
        node = self.either()
        if self.peek() != "end":
            self.fail("this parenthesis was never opened")
        return node

    def peek(self) -> str:
        return self.tokens[self.next].kind

    def take(self) -> _Token:
        self.next += 1
        return self.tokens[self.next - 1]

    def fail(self, message: str) -> NoReturn:
        _fail(self.text, self.tokens[self.next].at, message)

    def either(self) -> Node:
        items = [self.every()]
        while self.peek() == "OR":
            self.take()
            items.append(self.every())
        return items[0] if len(items) == 1 else Or(_flat(items, Or))

    def every(self) -> Node:
        items = [self.one()]
        while self.peek() not in ("OR", ")", "end"):
            if self.peek() == "AND":
                self.take()
            items.append(self.one())
        return items[0] if len(items) == 1 else And(_flat(items, And))

    def one(self) -> Node:
        kind = self.peek()
        if self.depth >= DEPTH_LIMIT:
            self.fail(f"nested more than {DEPTH_LIMIT} levels deep")
        if kind == "term":
            found = self.take().term
            assert found is not None  # noqa: S101  (a token of kind "term" carries one)
            return found
        if kind not in ("-", "NOT", "("):
            self.fail(f"a word is missing {'at the end' if kind == 'end' else f'before {kind}'}")
        self.take()
        self.depth += 1
        node: Node = self.group() if kind == "(" else Not(self.one())
        self.depth -= 1
        return node

    def group(self) -> Node:
        opened = self.next - 1
        node = self.either()
        if self.peek() != ")":
            self.next = opened
            self.fail("this parenthesis is not closed")
        self.take()
        return node


def _flat(items: list[Node], kind: type[And] | type[Or]) -> tuple[Node, ...]:
    return tuple(part for item in items for part in (item.items if isinstance(item, kind) else (item,)))


def _fail(text: str, at: int, message: str) -> NoReturn:
    """ConfigError with the part of the query around `at` and a caret below it (wide characters take two columns)."""
    start = max(0, at - 40)
    shown = "".join(char if char.isprintable() else " " for char in text[start : at + 30])
    column = sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in shown[: at - start])
    raise ConfigError(f"query: {message}\n  {shown}\n  {' ' * column}^")
