"""Search as it is meant, written without any index: runs of characters and what it is for one text to hold another."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3041-\u309f\u30a1-\u30ff\u3105-\u318f"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7ff\U00020000-\U0003ffff]"
)


class Run(NamedTuple):
    """A word, or the characters of a script without spaces that stand together."""

    unspaced: bool
    text: str


def folded(text: str) -> str:
    """Without compatibility forms, case and accents; line breaks inside unspaced text are wraps."""
    text = unicodedata.normalize("NFKC", text.replace("\0", " "))
    text = re.sub(f"(?<={UNSPACED.pattern})\r?\n(?={UNSPACED.pattern})", "", text)
    return "".join(char if UNSPACED.match(char) else _plain(char) for char in text)


def _plain(char: str) -> str:
    decomposed = unicodedata.normalize("NFKD", char.casefold())
    return "".join(part for part in decomposed if not "\u0300" <= part <= "\u036f")


def runs(text: str) -> list[Run]:
    """The runs of a text in their order."""
    found: list[Run] = []
    glued = False
    for char in folded(text):
        unspaced = bool(UNSPACED.match(char))
        if not unspaced and not char.isalnum():
            glued = False
            continue
        if glued and found[-1].unspaced == unspaced:
            found[-1] = Run(unspaced, found[-1].text + char)
        else:
            found.append(Run(unspaced, char))
        glued = True
    return found


def holds(text: str, part: str, *, start: bool = False) -> bool:
    """Whether `text` holds `part`: words whole, unspaced text from any character to any other. `start`: the last word
    of `part` may go on."""
    inside, wanted = runs(text), runs(part)
    return any(_fits(inside[at : at + len(wanted)], wanted, start) for at in range(len(inside) - len(wanted) + 1))


def _fits(inside: list[Run], wanted: list[Run], start: bool) -> bool:
    last = len(wanted) - 1
    for number, (have, want) in enumerate(zip(inside, wanted, strict=True)):
        if have.unspaced != want.unspaced:
            return False
        if have.unspaced and number == 0 and number == last:
            fits = want.text in have.text
        elif number == last and (have.unspaced or start):
            fits = have.text.startswith(want.text)
        elif have.unspaced and number == 0:
            fits = have.text.endswith(want.text)
        else:
            fits = have.text == want.text
        if not fits:
            return False
    return True
