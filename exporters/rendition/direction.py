"""From which side a text is read: by its first letter (Unicode's bidirectional algorithm, UAX 9, rules P2 and P3)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from exporters.rendition.tokens import Token

LETTERS = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
"""Those of scripts that are read from the right."""
_LOOKED_AT = 2_000
_AHEAD = 200


def direction(text: str) -> str:
    """ "ltr", "rtl", or "" when it has no letter."""
    kinds = map(unicodedata.bidirectional, text[:_LOOKED_AT])
    return next(("ltr" if kind == "L" else "rtl" for kind in kinds if kind in ("L", "R", "AL")), "")


def settle(found: Sequence[Token]) -> None:
    """Put "ltr" or "rtl" for each `dir=auto` of a mail: the layout engine does not look at the letters."""
    for number, token in enumerate(found):
        if token.kind == "start" and token.attributes.get("dir", "").strip().lower() == "auto":
            token.attributes["dir"] = _inside(found, number)


def _inside(found: Sequence[Token], number: int) -> str:
    """The direction of the first text in the element that begins at `number`."""
    depth = 0
    for token in found[number : number + _AHEAD]:
        if token.name == found[number].name and token.kind in ("start", "end"):
            depth += 1 if token.kind == "start" else -1
        if depth == 0:
            break
        if token.kind == "text" and (seen := direction(token.text)):
            return seen
    return "ltr"
