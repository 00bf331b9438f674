"""Changes the list of stores in a configuration file and leaves every other character as its owner wrote it."""

from __future__ import annotations

import json
import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from archiver.toml_table import positions

_STRING = r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\''
_STORES = re.compile(rf"stores[\"']?[ \t]*=[ \t]*(?P<list>\[(?:[\s,]|#[^\n]*\n|{_STRING})*\])")
_PIECE = re.compile(rf"#[^\n]*|(?P<text>{_STRING})")


def with_store(text: str, store: str) -> str | None:
    """The configuration with one store more at the end of its list; None where that cannot be done safely."""
    found = _list_of(text)
    if found is None:
        return None
    strings = [(start + found[0], end + found[0]) for start, end in _strings(text[slice(*found)])]
    quoted = json.dumps(store, ensure_ascii=False)
    if not strings:
        changed = text[: found[0] + 1] + quoted + text[found[0] + 1 :]
        return _verified(text, changed, lambda stores: [*stores, store])
    last = strings[-1][1]
    indent = re.search(r"\n([ \t]*)$", text[: strings[-1][0]])
    comma = re.match(r"[ \t]*,", text[last:])
    if indent and "\n" in text[last : found[1]]:
        line_end = text.index("\n", last)
        inserted = f"\n{indent[1]}{quoted}" + ("," if comma else "")
        changed = text[:last] + ("" if comma else ",") + text[last:line_end] + inserted + text[line_end:]
    else:
        changed = f"{text[:last]}, {quoted}{text[last:]}"
    return _verified(text, changed, lambda stores: [*stores, store])


def without_store(text: str, is_it: Callable[[str], bool]) -> str | None:
    """The configuration without the store that `is_it` recognises; None where that cannot be done safely."""
    found = _list_of(text)
    if found is None:
        return None
    inner = text[slice(*found)]
    for start, end in _strings(inner):
        if is_it(_value(inner[start:end])):
            changes = (text[: found[0]] + less + text[found[1] :] for less in _less(inner, start, end))
            kept = (
                _verified(text, change, lambda stores: [one for one in stores if not is_it(one)]) for change in changes
            )
            return next((change for change in kept if change is not None), None)
    return None


def _less(inner: str, start: int, end: int) -> Iterator[str]:
    """Ways to take one string out of a list, the neatest first."""
    line = re.search(r"\n[ \t]*$", inner[:start])
    rest = re.match(r"[ \t]*,?[ \t]*(?:#[^\n]*)?(?=\n)", inner[end:])
    if line and rest:
        yield inner[: line.start()] + inner[end + rest.end() :]
    if comma := re.match(r"\s*,[ \t]*", inner[end:]):
        yield inner[:start] + inner[end + comma.end() :]
    yield re.sub(r",\s*$", "", inner[:start]) + inner[end:]


def write_over(path: Path, text: str) -> bool:
    """Put the text in the file's place, whole or not at all, with its permissions; False where that is not allowed."""
    path = path.resolve()
    try:
        descriptor, name = tempfile.mkstemp(prefix=".mailark-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fchmod(file.fileno(), path.stat().st_mode & 0o7777)
                os.fsync(file.fileno())
            Path(name).replace(path)
        except OSError:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError:
        return False
    return True


def _list_of(text: str) -> tuple[int, int] | None:
    """Where the list of [archive] stores begins and ends, if it is a plain list of texts in a file with Unix lines."""
    if "\r" in text or text.startswith("\ufeff"):
        return None
    line = positions(text).get(("archive", "stores"))
    if line is None:
        return None
    begin = sum(len(one) + 1 for one in text.split("\n")[: line - 1])
    found = _STORES.search(text, begin)
    return found.span("list") if found and text.count("\n", begin, found.start()) == 0 else None


def _strings(inner: str) -> list[tuple[int, int]]:
    return [found.span("text") for found in _PIECE.finditer(inner) if found["text"] is not None]


def _value(quoted: str) -> str:
    return str(tomllib.loads(f"value = {quoted}")["value"])


def _verified(before: str, after: str, change: Callable[[list[str]], list[str]]) -> str | None:
    """The new text if it says what it should: the same as before, but for the stores."""
    wanted = tomllib.loads(before)
    wanted["archive"]["stores"] = change(wanted["archive"]["stores"])
    try:
        return after if tomllib.loads(after) == wanted else None
    except tomllib.TOMLDecodeError:
        return None
