"""What commands print: tables that stay aligned in Chinese, JSON, sizes, and text made harmless for a terminal."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import unquote

SHORT_ID = 12
"""Hex digits of a message id in tables; commands take any unique beginning of at least `MIN_ID` digits."""

MIN_ID = 8

# ECMA-48: CSI and the string sequences (OSC, DCS, SOS, PM, APC), in their 7-bit and 8-bit forms, then any other escape.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
# Other controls, the Unicode controls that reorder text (UAX #9) or hide in it, and lone surrogates.
_HARMFUL = r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff"
_CONTROLS = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f{_HARMFUL}]")
_NOT_IN_JSON = re.compile(rf"[\x7f-\x9f\u2028\u2029{_HARMFUL}]")


def clean(text: str) -> str:
    """Text of a stranger without anything a terminal would obey; newlines and tabs stay."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def one_line(text: str) -> str:
    """Harmless text on one line, runs of white space as one space."""
    return " ".join(clean(text).split())


def width(text: str) -> int:
    """Columns a terminal uses: 2 for wide characters (UAX #11), 0 for combining ones."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def fit(text: str, columns: int) -> str:
    """Text cut to at most `columns`, with an ellipsis where something was cut off."""
    if width(text) <= columns:
        return text
    kept, used = "", 0
    for char in text:
        used += _columns(char)
        if used > columns - 1:
            break
        kept += char
    return kept + "…"


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """Text filled with spaces to `columns`; `right` puts the text at the right."""
    space = " " * max(0, columns - width(text))
    return space + text if right else text + space


WIDEST = 110
"""Columns that a cell may claim for its whole column; a longer one moves the rest of its own line only."""


def table(
    titles: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = (), stretch: int | None = None
) -> str:
    """An aligned table; `numbers` are columns set to the right, `stretch` is the one cut to fit a terminal."""
    lines = [[one_line(cell) for cell in row] for row in (titles, *rows)]
    widths = [max(min(width(row[column]), WIDEST) for row in lines) for column in range(len(titles))]
    if stretch is not None and sys.stdout.isatty():
        spare = shutil.get_terminal_size().columns - sum(widths) - 2 * (len(widths) - 1)
        widths[stretch] = max(12, widths[stretch] + min(0, spare))
        for line in lines:
            line[stretch] = fit(line[stretch], widths[stretch])
    return "\n".join(
        "  ".join(
            pad(cell, columns, right=at in numbers) for at, (cell, columns) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in lines
    )


def as_json(value: Any) -> str:
    """JSON on readable lines, Chinese as it is, what a terminal could obey as \\u escapes; times in ISO 8601."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=_plain)
    return _NOT_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def size(count: float) -> str:
    """Bytes in decimal units: 1.3 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 99.5 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def number(count: int) -> str:
    """20,000"""
    return f"{count:,}"


def plural(count: int, one: str, many: str = "") -> str:
    """1 message, 2 messages"""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def moment(when: datetime | None, *, seconds: bool = False) -> str:
    """A time in this machine's zone; "-" when there is none."""
    if when is None:
        return "-"
    with contextlib.suppress(OverflowError, ValueError, OSError):  # a date at the edge of time stays as it is
        when = when.astimezone()
    return when.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def store_name(url: str) -> str:
    """A store as people call it: the plain path of a file: URL, else the URL."""
    return unquote(url.removeprefix("file://")) if url.startswith("file:///") else url
