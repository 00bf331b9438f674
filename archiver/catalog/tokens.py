"""Text -> what the full-text index is given, and query words -> phrases for it.

FTS5's `ascii` tokenizer reads the result: a token is a run of ASCII letters and digits (case folded) and of characters
beyond ASCII. Everything else is settled here, by whole-text operations, so that both sides share one definition:

- compatibility forms (full-width letters, half-width kana, ligatures, circled digits) become what they stand for;
- case and accents are folded: Straße = STRASSE, Müller = muller;
- scripts written without spaces (Han, kana, Hangul, Thai, Lao, Burmese, Khmer) become overlapping pairs, then the last
  character alone: 采购合同 -> 采购 购合 合同 同. A part of two or more characters is a phrase of adjacent pairs, which
  occurs exactly where the part does, as the last character alone keeps neighbouring runs apart; a single character is
  the beginning of some token. A line break between two such characters is taken for a wrap and disappears;
- codes and addresses fall into parts and are found whole as phrases of them: PI-2024-0815, li.wei@example.com;
- opaque runs (base64, tracking links, hashes) are cut to 40 characters, blocks of base64 lines are left out.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal

VERSION = 1
"""Of what this module makes; a catalog whose index was made by another version is filled anew."""

TEXT_LIMIT = 2_000_000
"""Characters of one text that are indexed (some 700 pages)."""

WORD_LIMIT = 64
RUN_LIMIT = 40

_PAIRED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3041-\u3096\u3099-\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u3105-\u312f\u3131-\u318e\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff"
    "\u1100-\u11ff\uf900-\ufaff"
)
_PAIRED_ASTRAL = "\U0001b000-\U0001b16f\U00020000-\U0003ffff"
_COMPATIBLE = (  # whatever NFKC changes into letters or digits; a test compares it with all of Unicode
    "\u00aa\u00b2\u00b3\u00b5\u00b9\u00ba\u00bc-\u00be\u0132-\u0133\u017f\u01c4-\u01cc\u01f1-\u01f3\u02b0-\u02b8\u02e0-\u02e4"
    "\u037a\u03d2-\u03d4\u03f2\u03f9\u0675-\u0678\u0e33\u0eb3\u0edc\u0edd\u1d2c-\u1d6a\u1d78\u1d9b-\u1dbf\u1e9a-\u1e9b"
    "\u2070-\u209c\u2100-\u2189\u2460-\u24ff\u2c7c\u2c7d\u2d6f\u2e80-\u2fdf\u3038-\u303a\u309b\u309c\u309f\u30ff"
    "\u3131-\u318e\u3192-\u319f\u3200-\u33ff\ua69c\ua69d\ua770\ua7f2-\ua7f9\uab5c-\uab69\uf900-\ufaff"
    "\ufb00-\ufdfb\ufe70-\ufefc\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff66-\uffdc"
)
_COMPATIBLE_ASTRAL = (
    "\U00010781-\U000107ba\U0001d400-\U0001d7ff\U0001e030-\U0001e06d\U0001ee00-\U0001eebb\U0001f100-\U0001f251"
    "\U0001fbf0-\U0001fbf9\U0002f800-\U0002fa1f"
)
_MARKS = re.compile("[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670]+")
_FOREIGN = re.compile(r"([^\x00-\x7f]+)")
_STOPS = "，。、：；！？（）“”"
"""Separators so frequent that they are replaced one after another first: a pattern takes five times as long."""
_SEPARATORS = re.compile("[^\\w\u0900-\u0dff\u0f00-\u0fff\u1a00-\u1bff\ua800-\uabff]+")
_OPAQUE = re.compile(f"[A-Za-z0-9+/=_%~-]{{{RUN_LIMIT + 1},}}")
_BASE64 = re.compile(r"(?:^[A-Za-z0-9+/=]{60,100}\r?\n){8,}", re.MULTILINE)


def _changed(compatible: str) -> re.Pattern[str]:
    return re.compile(f"[{compatible}]+")


def _runs(paired: str) -> re.Pattern[str]:
    return re.compile(f"([{paired}]+(?:\r?\n[{paired}]+)*)")


_CHANGED = (_changed(_COMPATIBLE), _changed(_COMPATIBLE + _COMPATIBLE_ASTRAL))
_RUNS = (_runs(_PAIRED), _runs(_PAIRED + _PAIRED_ASTRAL))
"""For texts without and with characters beyond U+FFFF: `re` tries each range above it one by one."""

_Laid = tuple[str, Literal["H", "I"], bytes]
_LAID: tuple[_Laid, _Laid] = (
    ("utf-16-le", "H", b"\0\0\0\0 \0"),
    ("utf-32-le", "I", b"\0\0\0\0\0\0\0\0 \0\0\0"),
)
"""For the same: encoding, format of a character, room for two of them and a space."""


def indexed(text: str) -> str:
    """What the index is given for `text`."""
    pieces = _pieces(text[:TEXT_LIMIT])
    if len(pieces) > 1:
        pieces[1::2] = _pairs(pieces[1::2])
    return " ".join(pieces)


def phrase(text: str) -> tuple[str, bool] | None:
    """What to look for as one phrase, and whether its last token is only a beginning; None without any token."""
    pieces = _pieces(text[:TEXT_LIMIT])
    rest = pieces.pop()
    if any(map(str.isalnum, rest)):
        return indexed(text), False
    if not pieces:
        return None
    last = pieces.pop().replace("\r", "").replace("\n", "")
    if pieces[1:]:
        pieces[1::2] = _pairs(pieces[1::2])
    pairs = " ".join(map(str.__add__, last, last[1:]))
    return f"{' '.join(pieces)} {pairs or last}", not pairs


def _pieces(text: str) -> list[str]:
    """The folded text cut into [other, run, other, run, … other]; a run is written without spaces."""
    text = text.replace("\0", " ")
    if text.isascii():
        return [_clipped(text)]
    text = unicodedata.normalize("NFC", text)
    text = _CHANGED[_astral(text)].sub(_nfkc, text)
    pieces = _RUNS[_astral(text)].split(text)
    others = "\0".join(pieces[::2])
    for stop in _STOPS if not others.isascii() else "":
        others = others.replace(stop, " ")
    if not others.isascii():
        parts = _FOREIGN.split(others)
        parts[1::2] = map(_foreign, parts[1::2])
        others = "".join(parts)
    pieces[::2] = _clipped(others).split("\0")
    return pieces


def _astral(text: str) -> bool:
    """Whether a character is beyond U+FFFF."""
    return len(text.encode("utf-16-le", "surrogatepass")) > 2 * len(text)


def _nfkc(found: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", found[0])


def _foreign(text: str) -> str:
    return _folded(text) if len(text) > WORD_LIMIT else _remembered(text)


def _folded(text: str) -> str:
    """Characters beyond ASCII without case and accents; what is no letter or digit becomes a space."""
    text = _MARKS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    return _SEPARATORS.sub(" ", text)


_remembered = lru_cache(maxsize=1 << 14)(_folded)


def _clipped(text: str) -> str:
    """Opaque runs cut short. Words are counted first, as ordinary text has no long ones and the patterns are slow."""
    if len(text) <= WORD_LIMIT or max(map(len, text.split()), default=0) <= WORD_LIMIT:
        return text
    return _OPAQUE.sub(lambda found: found[0][:RUN_LIMIT], _BASE64.sub(" ", text))


def _pairs(runs: list[str]) -> list[str]:
    """Each run as overlapping pairs and its last character, all runs at once (a loop takes three times as long).

    The runs are joined by NUL and every character is laid out as (itself, its successor, space). Where runs meet this
    gives NUL space NUL and the first character of the next run alone, which is dropped.
    """
    joined = "\0".join(("", *runs, "")).replace("\r", "").replace("\n", "")
    encoding, code, blank = _LAID[_astral(joined)]
    source = memoryview(joined.encode(encoding, "replace")).cast(code)
    laid = bytearray(blank * len(source))
    target = memoryview(laid).cast(code)
    target[::3] = source
    target[1:-3:3] = source[1:]
    return [one[2:] for one in laid.decode(encoding)[1:].split("\0 \0")[:-1]]
