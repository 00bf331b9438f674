"""The advance widths of a CID-keyed CFF font program (Adobe Technical Notes 5176 and 5177), by CID."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

from fontTools.cffLib import CFFFontSet
from fontTools.pens.basePen import NullPen

from archiver.errors import IntegrityError

MAGIC = b"\x01\x00"
"""What a bare CFF program begins with: its version, 1.0."""
_NAME = re.compile(r"cid(\d{5})")


def cid_widths(program: bytes) -> dict[int, float]:
    """The width of each glyph by its CID, in thousandths of an em. IntegrityError when the program is not whole."""
    try:
        fonts = CFFFontSet()
        fonts.decompile(BytesIO(program), None)
        outlines = fonts[0].CharStrings
        return {_cid(name): _width(outlines[name]) for name in outlines.keys()}  # noqa: SIM118  (it is no dict)
    except Exception as error:  # fontTools has no error of its own for what it cannot read
        raise IntegrityError("the program of a font is not whole") from error


def _cid(name: str) -> int:
    number = _NAME.fullmatch(name)
    return int(number[1]) if number else 0


def _width(outline: Any) -> float:
    outline.draw(NullPen())
    return float(outline.width)
