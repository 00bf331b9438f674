"""Slanted Han: the faces have no italics, so their outlines are slanted, as browsers do, where the font is cut down.

Pango draws such text by a matrix, which a PDF of WeasyPrint 70.0 does not take over; and a skewed text matrix or font
matrix is not read alike by all viewers. Slanted outlines are.
"""

from __future__ import annotations

from io import BytesIO
from types import SimpleNamespace
from typing import Any

from fontTools.cffLib import CFFFontSet
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.transformPen import TransformPen

_LEAN = 0.25  # Skia's and so Chromium's (SK_Scalar1 / 4); 14 degrees

_AS_FONT = SimpleNamespace(recalcBBoxes=True)  # what fontTools asks of the font around a CFF, and there is none


def slanted(program: bytes) -> bytes:
    """A CID-keyed CFF with the same glyphs, widths and numbers, leaning to the right."""
    fonts = CFFFontSet()
    fonts.decompile(BytesIO(program), None)
    strings = fonts[0].CharStrings
    for name in strings.keys():  # noqa: SIM118  (fontTools's CharStrings are no mapping)
        strings[name] = _leaning(strings[name], strings)
    out = BytesIO()
    fonts.compile(out, _AS_FONT)
    return out.getvalue()


def _leaning(string: Any, strings: Any) -> Any:
    pen = T2CharStringPen(None, strings)
    string.draw(TransformPen(pen, (1, 0, _LEAN, 1, 0, 0)))
    private = string.private
    leaning = pen.getCharString(private, string.globalSubrs)
    if string.width != private.defaultWidthX:  # its place is before all else (Adobe Technical Note 5177, section 3.1)
        leaning.program.insert(0, string.width - private.nominalWidthX)
    return leaning
