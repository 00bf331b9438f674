"""Whether the fonts of a PDF are what conformance U asks (ISO 19005-3 section 6.2.11): each embedded, each glyph shown
in its program, as wide as the program says, and mapped to Unicode.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pikepdf
from pikepdf import Array, Dictionary, Name

from archiver.errors import IntegrityError
from exporters.rendition.structure_cff import MAGIC, cid_widths
from exporters.rendition.structure_content import Survey
from exporters.rendition.structure_program import advance_widths

_MAPPING = re.compile(rb"<([0-9A-Fa-f]{4})>\s*<([0-9A-Fa-f]*)>")
_SECTION = re.compile(rb"beginbfchar(.*?)endbfchar", re.DOTALL)
_NO_CHARACTERS = {"", "\0", "\ufeff", "\ufffe"}


def font_problems(document: pikepdf.Pdf, found: Survey) -> Iterator[str]:
    """The fonts that show something and are not as they must be. Only composite fonts with two-byte codes that are
    glyph numbers are known, because no others are written; any other is a problem.
    """
    for thing in document.objects:
        if isinstance(thing, Dictionary) and thing.objgen[0] in found.shown:
            codes = {code for text in found.shown[thing.objgen[0]] for code in _codes(text)}
            name = str(thing.get(Name.BaseFont, "/without name"))[1:]
            yield from (f"font {name}: {problem}" for problem in _font(thing, codes))


def _codes(text: bytes) -> Iterator[int]:
    return (int.from_bytes(text[at : at + 2], "big") for at in range(0, len(text), 2))


def _font(font: pikepdf.Object, codes: set[int]) -> Iterator[str]:
    if font.get(Name.Subtype) != Name.Type0 or font.get(Name.Encoding) != Name("/Identity-H"):
        yield "its codes are not glyph numbers, two bytes each"
        return
    descendant = font.DescendantFonts[0]
    descriptor = descendant.get(Name.FontDescriptor, Dictionary())
    program = descriptor.get(Name.FontFile2, descriptor.get(Name.FontFile3))
    if program is None:
        yield "it is not embedded"
    else:
        data = program.read_bytes()
        if program.get(Name.Subtype) != _kind(data):
            yield "its program is of another kind than it says"
        yield from _glyphs(data, _widths(descendant), codes)
    if descendant.get(Name.CIDToGIDMap) != Name.Identity:
        yield "its codes are not glyph numbers, two bytes each"
    yield from _unicode(font, codes)


def _kind(program: bytes) -> Name | None:
    """What the stream of a program must call itself (ISO 32000-1 table 126)."""
    if program.startswith(MAGIC):
        return Name("/CIDFontType0C")
    return Name.OpenType if program.startswith(b"OTTO") else None


def _glyphs(program: bytes, widths: dict[int, float], codes: set[int]) -> Iterator[str]:
    try:
        real = cid_widths(program) if program.startswith(MAGIC) else dict(enumerate(advance_widths(program)))
    except IntegrityError as error:
        yield str(error)
        return
    for code in sorted(codes):
        if code == 0 or code not in real:
            yield f"glyph {code} is missing and shown"
        elif abs(widths.get(code, widths[-1]) - real[code]) > 1:
            yield f"glyph {code} is {real[code]:.0f} wide, not {widths.get(code, widths[-1]):.0f}"


def _unicode(font: pikepdf.Object, codes: set[int]) -> Iterator[str]:
    if Name.ToUnicode not in font:
        yield "it has no map to Unicode"
        return
    mapped = _mapping(font.ToUnicode.read_bytes())
    for code in sorted(codes - {0}):
        text = mapped.get(code, "")
        if text in _NO_CHARACTERS or any(sign in text for sign in "\0\ufeff\ufffe"):
            yield f"glyph {code} stands for no character"


def _widths(font: pikepdf.Object) -> dict[int, float]:
    """The widths of a CIDFont by code, the default under -1 (ISO 32000-1 section 9.7.4.3)."""
    found: dict[int, float] = {-1: float(font.get(Name.DW, 1000))}
    runs = list(font.get(Name.W, Array()).as_list())
    while runs:
        first, then = int(runs.pop(0)), runs.pop(0)
        if isinstance(then, Array):
            found |= {first + at: float(width) for at, width in enumerate(then.as_list())}
        else:
            width = float(runs.pop(0))
            found |= dict.fromkeys(range(first, int(then) + 1), width)
    return found


def _mapping(cmap: bytes) -> dict[int, str]:
    return {
        int(code, 16): bytes.fromhex(text.decode()).decode("utf-16-be", "replace")
        for section in _SECTION.findall(cmap)
        for code, text in _MAPPING.findall(section)
    }
