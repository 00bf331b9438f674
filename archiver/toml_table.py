"""Reading TOML (https://toml.io/en/v1.0.0) with the line of every mistake, all mistakes at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

KeyPath = tuple[str | int, ...]
"""Where a key is: names of tables and keys, and the index (from 0) within an array of tables."""

_PART = r"""(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[A-Za-z0-9_-]+)"""
_KEY = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_HEADER = re.compile(rf"(\[\[?)[ \t]*({_KEY})[ \t]*\]\]?")
_ASSIGN = re.compile(rf"({_KEY})[ \t]*=")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)+")
_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'" r"|#[^\n]*|[^\"'#\[\]{}\n]+|.",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing wrong in the file. `line` counts from 1; 0 when it has none."""

    line: int
    key: str
    reason: str

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.key}: {self.reason}" if self.key else f"{where}{self.reason}"


def positions(text: str) -> dict[KeyPath, int]:
    """The line of every table and key of a TOML document that tomllib has accepted (tomllib itself tells none)."""
    found: dict[KeyPath, int] = {}
    arrays: dict[KeyPath, int] = {}
    table: KeyPath = ()
    at = 0
    while True:
        blank = _BLANK.match(text, at)
        at = blank.end() if blank else at
        line = text.count("\n", 0, at) + 1
        if header := _HEADER.match(text, at):
            table = _table(_split(header[2]), header[1] == "[[", arrays)
            found[table] = line
            at = header.end()
        elif assign := _ASSIGN.match(text, at):
            found[table + _split(assign[1])] = line
            at = _past_value(text, assign.end())
        else:
            return found


def _split(key: str) -> KeyPath:
    """A dotted key as its parts; tomllib does the unquoting."""
    value: Any = tomllib.loads(f"{key} = 0")
    parts: list[str] = []
    while isinstance(value, dict):
        ((part, value),) = value.items()
        parts.append(part)
    return tuple(parts)


def _table(names: KeyPath, is_array: bool, arrays: dict[KeyPath, int]) -> KeyPath:
    """The path of a table header: every array of tables on the way gets the index of its newest element."""
    path: KeyPath = ()
    for depth, name in enumerate(names, 1):
        path += (name,)
        if is_array and depth == len(names):
            arrays[path] = arrays.get(path, -1) + 1
        if path in arrays:
            path += (arrays[path],)
    return path


def _past_value(text: str, at: int) -> int:
    """Where the line ends on which a value ends; strings, comments and brackets are stepped over whole."""
    depth = 0
    while token := _TOKEN.match(text, at):
        if token[0] == "\n" and depth == 0:
            break
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        at = token.end()
    return at


class Table:
    """One TOML table: hands out its keys by type and collects what is wrong with them in `mistakes`."""

    def __init__(
        self, path: KeyPath, values: Mapping[str, Any], lines: Mapping[KeyPath, int], mistakes: list[Mistake]
    ) -> None:
        self._path, self._values, self._lines, self._mistakes = path, values, lines, mistakes
        self._asked: set[str] = set()
        self._title = ".".join(part for part in path if isinstance(part, str))

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def wrong(self, key: str, reason: str) -> None:
        """Note a mistake at a key (at the table's own line when the key is not there)."""
        line = self._lines.get((*self._path, key)) or self._lines.get(self._path, 0)
        self._mistakes.append(Mistake(line, ".".join(filter(None, (self._title, key))), reason))

    def text(self, key: str, default: str = "", *, required: bool = False) -> str:
        """A string that is not empty."""
        value = self._get(key, required)
        if value is None:
            return default
        if not isinstance(value, str) or not value.strip():
            self.wrong(key, f"must be a text in quotes, not {_kind(value)}")
            return default
        return value

    def choice(self, key: str, default: str, choices: Iterable[str]) -> str:
        """A string that is one of `choices`."""
        value, known = self.text(key, default), sorted(choices)
        if value != default and value not in known:
            self.wrong(key, f'"{value}" is not known{did_you_mean(value, known)}; one of: {", ".join(known)}')
            return default
        return value

    def number(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self._get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            shown = value if isinstance(value, int) and not isinstance(value, bool) else _kind(value)
            self.wrong(key, f"must be a whole number from {low} to {high}, not {shown}")
            return default
        return value

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        value = self._get(key)
        if value is not None and not isinstance(value, bool):
            self.wrong(key, f"must be true or false, not {_kind(value)}")
            return default
        return default if value is None else value

    def strings(self, key: str, *, required: bool = False) -> tuple[str, ...]:
        """A list of strings that are not empty."""
        value = self._get(key, required)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            self.wrong(key, 'must be a list of texts, such as ["one", "two"]')
            return ()
        return tuple(value)

    def raw(self, key: str) -> Any:
        """The value as it is, None when absent; the caller judges it."""
        return self._get(key)

    def finish(self) -> None:
        """Note every key that nobody asked for."""
        for key in self._values:
            if key not in self._asked:
                self.wrong(key, f"is not a key of this table{did_you_mean(key, self._asked)}")

    def _get(self, key: str, required: bool = False) -> Any:
        self._asked.add(key)
        value = self._values.get(key)
        if value is None and required:
            self.wrong(key, "is missing")
        return value


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean "x"?)`, or nothing when no known word is near."""
    from difflib import get_close_matches

    near = get_close_matches(word.lower(), sorted(known), n=1)
    return f' (did you mean "{near[0]}"?)' if near else ""


def _kind(value: object) -> str:
    if isinstance(value, str):
        return "a text" if value.strip() else "empty"
    names = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "a table"}
    return names.get(type(value), "a date")
