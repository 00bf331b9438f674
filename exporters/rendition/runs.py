"""Text that can be laid out: long runs get places to break at, signs that cannot be shown become visible codes.

The layout engine needs quadratic time for text without spaces in table cells (8,000 Chinese characters: 146 s) and lets
a run that is wider than the page fall off it. A `<wbr>` every 40 characters mends both, and the text taken out of the
PDF stays the same; in very long runs most of them are zero-width spaces, which are cheaper.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

RUN = 40
"""Characters without a space after which a line may break."""
BREAK = "<wbr>"
TENTH = 10
"""Breaks of a run that are all `BREAK`; behind them one in so many is."""
_SPACE = "\u200b"
MARKERS = 2000
"""Codes shown in one message; a body of nothing but control characters must not grow ninefold."""
_CLUSTER = 200  # a longer "character" (a base with thousands of accents) is broken all the same
_SPACES = (
    " \t\n\r\f\u1680\u2000-\u2006\u2008-\u200a\u205f\u3000\u200b"  # not the no-break spaces: lines do not end there
)
_LONG = re.compile(f"[^{_SPACES}]{{{RUN + 1},}}")
_RUN = re.compile(f"[^{_SPACES}]+")
_JOINER = "\u200d"
_GLUE = frozenset("\u200c\u200d\u2060\ufeff")
_VIRAMA = 9  # canonical combining class of the signs that join the next letter of an Indic script (Unicode 4.3)

_SHOWN_AS = {0x0B: " ", 0x0C: " ", 0x85: " ", 0x2028: "\n", 0x2029: "\n"}
# Symbol fonts of Word, which put their signs into the private use area (U+F000 plus the code in the font).
_SHOWN_AS |= {0xF0B7: "•", 0xF0A7: "▪", 0xF0D8: "➢", 0xF0FC: "✓", 0xF0E0: "→", 0xF0DF: "←", 0xF04A: "☺", 0xF04C: "☹"}
# Invisible and without a use on paper: word joiner and its kin, byte order mark, combining grapheme joiner, fillers.
_INVISIBLE = frozenset([0xFEFF, 0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x3164, 0xFFA0, *range(0x2060, 0x2065)])
# The flags of England, Scotland, Wales: tags behind a black flag (UTS 51, annex C); anywhere else tags hide text.
_FLAGS = re.compile(
    "(\U0001f3f4\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)\U000e007f)"
)
_BIDI = frozenset([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])  # UAX 9: embeddings, overrides, isolates
_CONTROLS = frozenset([*range(9), *range(0x0E, 0x20), *range(0x7F, 0xA0)]) - {0x85}


def breaks(text: str, start: int = 0) -> list[int]:
    """Where a line may be broken inside `text`, a run without spaces of which `start` characters came before.

    Never inside a combining or ZWJ sequence, a flag, a Hangul syllable or an Indic conjunct (UAX 29), unless that is
    longer than 200 characters.
    """
    found = []
    last, place = 0, max(RUN - start, 0)
    while place < len(text):
        end = min(place + _CLUSTER, len(text))
        while place < end and not _boundary(text, place, last):
            place += 1
        if place >= len(text):
            break
        found.append(place)
        last, place = place, place + RUN
    return found


def chunk(text: str) -> list[str]:
    """`text` in pieces; between two of them a line may break. Joined they are `text` again."""
    places = [run.start() + place for run in _LONG.finditer(text) for place in breaks(run[0])]
    return [text[begin:end] for begin, end in zip([0, *places], [*places, len(text)], strict=True)]


def breakable(text: str) -> str:
    """Plain text as HTML: escaped, with a place to break in every long run."""
    out: list[str] = []
    end = 0
    for run in _LONG.finditer(text):
        out += (escape(text[end : run.start()], quote=False), _broken(run[0], breaks(run[0])))
        end = run.end()
    return "".join((*out, escape(text[end:], quote=False)))


def _broken(run: str, places: list[int]) -> str:
    """A run as HTML. The first `TENTH` breaks leave its text whole, so that addresses can be copied out of the PDF;
    behind them only each tenth does, the others are zero-width spaces, at half the cost.
    """
    pieces = (escape(run[begin:end], quote=False) for begin, end in zip([0, *places], [*places, len(run)], strict=True))
    return "".join(
        (BREAK if number <= TENTH or number % TENTH == 0 else _SPACE) + piece if number else piece
        for number, piece in enumerate(pieces)
    )


def _boundary(text: str, place: int, last: int) -> bool:
    """Whether characters `place - 1` and `place` belong to different clusters. `last`: where the piece began."""
    if place == 0:
        return True
    before, after = text[place - 1], text[place]
    if after < "\u0300" and before < "\u0300":
        return True
    if after in _GLUE or before in _GLUE or unicodedata.category(after)[0] == "M":
        return False
    if "\U0001f3fb" <= after <= "\U0001f3ff" or "\U000e0020" <= after <= "\U000e007f":
        return False
    if "\u1160" <= after <= "\u11ff" or "\ud7b0" <= after <= "\ud7ff":
        return False
    if _flag(after) and _flag(before):
        return _flags_before(text, place, last) % 2 == 0
    return unicodedata.combining(before) != _VIRAMA


def _flag(sign: str) -> bool:
    return "\U0001f1e6" <= sign <= "\U0001f1ff"


def _flags_before(text: str, place: int, last: int) -> int:
    begin = place
    while begin > last and _flag(text[begin - 1]):
        begin -= 1
    return place - begin


class Runs:
    """Breaks the long runs of a text that comes in pieces, as it stands between the tags of HTML."""

    def __init__(self) -> None:
        self._length = 0

    def stop(self) -> None:
        """A line ends here anyway."""
        self._length = 0

    def feed(self, text: str) -> str:
        """The next piece as HTML."""
        first = _RUN.match(text)
        if not first or self._length + first.end() <= RUN:
            self._length = self._length + first.end() if first and first.end() == len(text) else _tail(text)
            return breakable(text)
        places = breaks(first[0], self._length)
        rest = text[first.end() :]
        self._length = _tail(rest) if rest else first.end() - places[-1] if places else self._length + len(text)
        return _broken(first[0], places) + breakable(rest)


def _tail(text: str) -> int:
    """Length of the run at the end, at most `RUN`."""
    for length, sign in enumerate(reversed(text[-RUN:])):
        if not _RUN.match(sign):
            return length
    return min(len(text), RUN)


@dataclass(frozen=True, slots=True)
class _Sign:
    """What stands for one character. code: it is a code, so it counts as substituted."""

    shown: str
    code: bool


class Signs:
    """Makes every character one that can be shown; keeps count of those that became a code."""

    def __init__(self, covered: Callable[[str], bool] | None = None) -> None:
        self._covered = covered
        self._known: dict[str, _Sign | None] = {}
        self.substituted = 0
        """Characters that no font has, and control signs."""
        self._left = MARKERS

    def clean(self, text: str) -> str:
        """`text` with visible codes for control characters, bidi overrides and characters that no font covers."""
        if text.isascii() and text.isprintable():
            return text
        if "\U0001f3f4\U000e0067" in text:
            return "".join(map(self._clean, _FLAGS.split(text)))
        return self._clean(text)

    def _clean(self, text: str) -> str:
        if _FLAGS.fullmatch(text):
            return text
        shown = {sign: self._sign(sign) for sign in set(text)}
        table = {ord(sign): found for sign, found in shown.items() if found is not None}
        if not table:
            return text
        codes = "".join(chr(code) for code, sign in table.items() if sign.code)
        if codes:
            text = re.sub(f"([{re.escape(codes)}])\\1*", self._code, text)
        return text.translate({code: sign.shown for code, sign in table.items() if not sign.code})

    def _sign(self, sign: str) -> _Sign | None:
        if sign not in self._known:
            self._known[sign] = self._look(sign)
        return self._known[sign]

    def _look(self, sign: str) -> _Sign | None:
        code = ord(sign)
        if code in _SHOWN_AS:
            return _Sign(_SHOWN_AS[code], code=False)
        if 0xD800 <= code <= 0xDFFF:
            return _Sign("\ufffd", code=False)
        if code in _INVISIBLE:
            return _Sign("", code=False)
        if code in _CONTROLS or code in _BIDI or 0xE0000 <= code <= 0xE007F:
            return _Sign("", code=True)
        if code < 0x20 or unicodedata.category(sign) in ("Zs", "Cf") or 0xFE00 <= code <= 0xFE0F:
            return None
        if code > 0x7E and self._covered is not None and not self._covered(sign):
            return _Sign("", code=True)
        return None

    def _code(self, run: re.Match[str]) -> str:
        length = len(run[0])
        self.substituted += length
        self._left -= 1
        if self._left < 0:
            return "\ufffd"
        times = f"×{length}" if length > 3 else ""
        name = f"[U+{ord(run[1]):04X}{times}]"
        return name if times else name * length
